import HarmonyWebSocket

// A task for each client. A client that does not read its echoes is not read from: sending waits for it.
func serveWithTasks(_ server: WebSocketServer) async throws {
    try await server.serve { client in
        for try await message in client.messages { try await client.send(message) }
    }
}

// Listeners: told of each thing that happens.
func serveWithEvents(_ server: WebSocketServer) {
    server.on(.connect) { client in
        client.on(.message) { message in
            guard !client.write(message) else { return }
            // The client sends and does not read. So neither do we: what it sends waits on its side of the network. When it
            // has read, we go on.
            client.pause()
            client.once(.drain) { client.resume() }
        }
    }
}

// Completion handlers: each step starts the next one.
func serveWithCallbacks(_ server: WebSocketServer) {
    server.on(.connect) { client in echo(to: client) }
}

private func echo(to client: WebSocketConnection) {
    client.receive { result in
        // The end, or an error: the connection is closed already.
        guard case .success(let message?) = result else { return }
        client.send(message) { result in
            if case .success = result { echo(to: client) }
        }
    }
}
