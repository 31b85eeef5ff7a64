import HarmonySocket

// Listeners: told of each thing that happens. When a client ends its direction its connection closes by itself, after
// everything that was sent.
func serveWithEvents(_ server: TCPSocketServer, _ mode: Mode) {
    server.on(.connect) { client in
        switch mode {
        case .echo:
            echo(to: client)
        case .discard:
            client.on(.message) { _ in }
        case .chargen:
            client.on(.message) { _ in }
            generate(for: client)
        }
    }
}

private func echo(to client: TCPSocketConnection) {
    client.on(.message) { message in
        guard !client.write(message.message) else { return }
        // The client sends and does not read. So neither do we: what it sends waits on its side of the network. When it
        // has read, we go on.
        client.pause()
        client.once(.drain) { client.resume() }
    }
}

private func generate(for client: TCPSocketConnection) {
    // The next lines when the kernel has taken these: as fast as the client reads. Fails when the client is gone.
    client.send(Characters.lines) { result in
        if case .success = result { generate(for: client) }
    }
}
