import ExampleSupport
import HarmonySocket

/// The server's side.
struct Service {
    let folder: String
    let user: Int

    func run(at address: LocalAddress) throws {
        let server = LocalSocketServer()
        server.on(.error) { if $0.kind != .connectionReset { complain("\($0)") } }
        let stop = StopRequest(endOfInput: true)
        try server.eventLoop.run {
            // Others cannot even connect; and what an earlier run left behind when it was killed is in nobody's way.
            try await server.listen(address, permissions: 0o600, removesStaleFile: true)
            say("listening on \(address)")
            Task(executorPreference: server.eventLoop) { try await server.serve(answer) }
            await stop.wait(on: server.eventLoop)
            await server.close()
        }
    }

    @Sendable private func answer(_ client: LocalSocketConnection) async throws {
        // Who is there the kernel says, not the peer. An abstract name has no permissions, so this is the check.
        let caller = try await client.getPeerCredentials()
        client.setFraming(try .lengthPrefixed(maxLength: Request.maxLength))
        guard caller.uid == user else { return try await client.send("error: you are user \(caller.uid)") }
        for try await message in client.messages {
            guard let request = Request(message) else {
                try await client.send("error: that is no request")
                continue
            }
            switch request.method {
            case .echo: try await client.send(request.argument)
            case .who:
                let process = caller.pid.map { "process \($0)" } ?? "a process"
                try await client.send("\(process) of user \(caller.uid), group \(caller.gid)")
            case .open: try await open(request.argument, for: client)
            }
        }
    }

    /// Hands over an open file of the folder; a name that leads out of it is none.
    private func open(_ name: String, for client: LocalSocketConnection) async throws {
        if name.isEmpty || name.hasPrefix(".") || name.contains("/") || name.utf8.contains(0) {
            return try await client.send("error: \(name) is not the name of a file here")
        }
        let file: DiskFile
        do {
            file = try DiskFile.reading("\(folder)/\(name)")
        } catch {
            return try await client.send("error: \(error)")
        }
        // The caller gets a descriptor of its own, so ours may be closed at once.
        try await client.send("here it is", descriptors: [file.descriptor])
    }
}
