import HarmonySocket

enum TCPServerPath: String, CaseIterable {
    case events = "tcp-events"
    case callback = "tcp-callback"
    case async = "tcp-async"
    case bytes = "tcp-bytes"

    func run() throws {
        let server = TCPSocketServer(group: SocketEventLoopGroup(count: 1))
        try server.eventLoop.run {
            try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
            try await server.listen(NetAddress("127.0.0.1"))
            say("listening on \(try await server.getLocalAddress())")
            start(server)
            try await server.eventLoop.waitUntilReadable(0)
            await server.close()
        }
    }

    private func start(_ server: TCPSocketServer) {
        switch self {
        case .events:
            server.on(.connect) { client in
                client.on(.message) { message in client.write(message.message) }
            }
        case .callback:
            server.on(.connect) { client in answer(client) }
        case .async:
            Task(executorPreference: server.eventLoop) {
                try await server.serve { client in
                    for try await message in client.messages { try await client.send(message.message) }
                }
            }
        case .bytes:
            server.on(.connect) { client in
                client.on(.bytes) { bytes in client.write(bytes) }
            }
        }
    }
}

private func answer(_ client: TCPSocketConnection) {
    client.receive { result in
        guard case .success(let message?) = result else { return client.close { _ in } }
        client.send(message.message) { _ in answer(client) }
    }
}

enum UDPServerPath: String, CaseIterable {
    case events = "udp-events"
    case callback = "udp-callback"
    case async = "udp-async"
    case batches = "udp-batches"

    func run() throws {
        let udp = UDPSocket(group: SocketEventLoopGroup(count: 1))
        try udp.eventLoop.run {
            try await udp.bind(NetAddress("127.0.0.1"))
            say("listening on \(try await udp.getLocalAddress())")
            start(udp)
            try await udp.eventLoop.waitUntilReadable(0)
            await udp.close()
        }
    }

    private func start(_ udp: UDPSocket) {
        switch self {
        case .events:
            udp.on(.message) { datagram in udp.send(datagram.message, to: datagram.remoteInfo) { _ in } }
        case .callback:
            answer(udp)
        case .async:
            Task(executorPreference: udp.eventLoop) {
                for try await datagram in udp.messages {
                    try await udp.send(datagram.message, to: datagram.remoteInfo)
                }
            }
        case .batches:
            Task(executorPreference: udp.eventLoop) {
                for try await batch in udp.messageBatches {
                    try await udp.send(batch: batch.map { ($0.message, to: $0.remoteInfo) })
                }
            }
        }
    }
}

private func answer(_ udp: UDPSocket) {
    udp.receive { result in
        guard case .success(let datagram) = result else { return }
        udp.send(datagram.message, to: datagram.remoteInfo) { _ in answer(udp) }
    }
}
