import HarmonySocket

// A task for each client, on the thread that serves its connection. When it returns the connection closes, after
// everything that was sent; when it throws too, and the server's `error` event tells.
func serveWithTasks(_ server: TCPSocketServer, _ mode: Mode) async throws {
    try await server.serve { client in
        do {
            switch mode {
            case .echo: try await echo(to: client)
            case .discard: try await discard(from: client)
            case .chargen: try await generate(for: client)
            }
        } catch let error as SocketError where error.kind == .connectionReset {
            // The client is gone: that is normal, and nobody needs to hear of it.
        }
    }
}

private func echo(to client: TCPSocketConnection) async throws {
    for try await message in client.messages { try await client.send(message.message) }
}

private func discard(from client: TCPSocketConnection) async throws {
    for try await _ in client.messages {}
}

private func generate(for client: TCPSocketConnection) async throws {
    async let input: Void = discard(from: client)
    while client.canReceive { try await client.send(Characters.lines) }
    try await input
}
