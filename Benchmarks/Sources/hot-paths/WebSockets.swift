import HarmonySocket
import HarmonyWebSocket

enum WebSocketServerPath: String, CaseIterable {
    case events = "ws-events"
    case callback = "ws-callback"
    case async = "ws-async"

    func run() throws {
        let server = WebSocketServer(group: SocketEventLoopGroup(count: 1))
        try server.eventLoop.run {
            try await server.start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 0))
            if let address = server.localAddress { say("listening on \(address)") }
            start(server)
            try await server.eventLoop.waitUntilReadable(0)
            await server.stop()
        }
    }

    private func start(_ server: WebSocketServer) {
        switch self {
        case .events:
            server.on(.connect) { client in
                client.on(.message) { message in client.write(message) }
            }
        case .callback:
            server.on(.connect) { client in answer(client) }
        case .async:
            Task(executorPreference: server.eventLoop) {
                try await server.serve { client in
                    for try await message in client.messages { try await client.send(message) }
                }
            }
        }
    }
}

private func answer(_ client: WebSocketConnection) {
    client.receive { result in
        guard case .success(let message?) = result else { return }
        client.send(message) { _ in answer(client) }
    }
}
