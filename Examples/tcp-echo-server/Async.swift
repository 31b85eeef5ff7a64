import HarmonySocket

// A task for each client, on the thread that serves its connection. When it returns the connection closes, after
// everything that was sent; when it throws too, and the server's `error` event tells.
func serveWithTasks(_ server: Server, _ mode: Mode) async throws {
    switch mode {
    case .echo:
        try await server.serve { client in
            for try await message in client.messages { try await client.send(message.message) }
        }
    case .discard:
        try await server.serve { client in
            for try await _ in client.messages {}
        }
    case .chargen:
        try await server.serve { client in
            async let input: Void = discard(from: client)
            while client.canReceive { try await client.send(Characters.lines) }
            try await input
        }
    }
}

private func discard(from client: Connection) async throws {
    for try await _ in client.messages {}
}
