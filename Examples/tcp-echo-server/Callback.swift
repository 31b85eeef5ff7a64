import HarmonySocket

// Completion handlers: each step starts the next one, so a client that does not read is not read from.
func serveWithCallbacks(_ server: Server, _ mode: Mode) {
    server.on(.connect) { client in
        switch mode {
        case .echo:
            echo(to: client)
        case .discard:
            discard(from: client)
        case .chargen:
            discard(from: client)
            generate(for: client)
        }
    }
}

private func echo(to client: Connection) {
    client.receive { result in
        // The end of input, or an error: a reset by the client is normal.
        guard case .success(let message?) = result else { return client.close { _ in } }
        client.send(message.message) { result in
            if case .success = result { echo(to: client) }
        }
    }
}

private func discard(from client: Connection) {
    client.receive { result in
        guard case .success(.some) = result else { return client.close { _ in } }
        discard(from: client)
    }
}

private func generate(for client: Connection) {
    client.send(Characters.lines) { result in
        if case .success = result { generate(for: client) }
    }
}
