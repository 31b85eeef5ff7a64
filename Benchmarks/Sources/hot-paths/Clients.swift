import HarmonySocket

enum ClientPath: String, CaseIterable {
    /// A task that prefers the socket's loop.
    case loop = "client-loop"
    /// An ordinary task: it runs on Swift's own threads, and each await of the socket changes threads.
    case pool = "client-pool"
    case events = "client-events"
    case callback = "client-callback"

    func run(to address: NetAddress, messages: Int) throws {
        let tcp = TCPSocket(group: SocketEventLoopGroup(count: 1))
        let client = Client(tcp: tcp, path: self)
        if self == .pool {
            // This thread only waits.
            try SocketEventLoopGroup(count: 1).next().run {
                try await Task.detached { try await client.play(with: address, messages: messages) }.value
            }
        } else {
            try tcp.eventLoop.run { try await client.play(with: address, messages: messages) }
        }
    }
}

private let size = 64

private struct Client {
    let tcp: TCPSocket
    let path: ClientPath

    func play(with address: NetAddress, messages: Int) async throws {
        try await tcp.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
        try await tcp.connect(to: address)
        try await exchange(messages / 10)
        say("ready")
        guard readLine() != nil else { return }
        let time = try await ContinuousClock().measure { try await exchange(messages) }
        say("done \(Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18)")
        while readLine() != nil {}
        await tcp.close()
    }

    private func exchange(_ messages: Int) async throws {
        switch path {
        case .loop, .pool:
            let message = [UInt8](repeating: 0x2a, count: size)
            for _ in 0..<messages {
                try await tcp.send(message)
                var received = 0
                while received < size, let reply = try await tcp.receive() { received += reply.message.count }
            }
        case .events:
            let rally = Rally(tcp, messages)
            await withCheckedContinuation { rally.listen(until: $0) }
        case .callback:
            let rally = Rally(tcp, messages)
            await withCheckedContinuation { rally.ask(until: $0) }
        }
    }
}

/// A message, its reply, the next message. Used on the socket's loop only, where listeners and completions run.
private final class Rally: @unchecked Sendable {
    private let tcp: TCPSocket
    private let message = [UInt8](repeating: 0x2a, count: size)
    private var left: Int
    private var received = 0

    init(_ tcp: TCPSocket, _ messages: Int) {
        self.tcp = tcp
        left = messages
    }

    func listen(until end: CheckedContinuation<Void, Never>) {
        tcp.on(.message) { [self] reply in
            guard hasReply(reply.message.count) else { return }
            guard left <= 0 else {
                tcp.write(message)
                return
            }
            tcp.off(.message)
            end.resume()
        }
        tcp.write(message)
    }

    func ask(until end: CheckedContinuation<Void, Never>) {
        tcp.send(message) { _ in }
        answer(end)
    }

    private func answer(_ end: CheckedContinuation<Void, Never>) {
        tcp.receive { [self] result in
            guard case .success(let reply?) = result else { return end.resume() }
            guard hasReply(reply.message.count) else { return answer(end) }
            if left > 0 { ask(until: end) } else { end.resume() }
        }
    }

    /// Whether a whole reply has come; what is left to be asked is one less then.
    private func hasReply(_ count: Int) -> Bool {
        received += count
        guard received == size else { return false }
        received = 0
        left -= 1
        return true
    }
}
