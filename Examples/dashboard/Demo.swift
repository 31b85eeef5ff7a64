import HarmonySocket

/// Clients that keep a server busy, each in its own way, until the task is cancelled.
struct Demo: Sendable {
    let server: NetAddress
    let group: SocketEventLoopGroup
    let ledger: Ledger

    private enum Way { case talk, pour, dawdle, drop }
    private static let ways: [Way] = [.talk, .drop, .talk, .pour, .talk, .talk, .dawdle, .talk, .drop, .talk]

    func run(_ count: Int) async {
        await withDiscardingTaskGroup { tasks in
            for number in 0..<count {
                let loop = group.next()
                tasks.addTask(executorPreference: loop) {
                    // Not all at once.
                    try? await loop.sleep(for: .milliseconds(3 * number))
                    while !Task.isCancelled { await live(Demo.ways[number % Demo.ways.count], loop) }
                }
            }
        }
    }

    /// One connection, from its beginning to its end, and a rest.
    private func live(_ way: Way, _ loop: SocketEventLoop) async {
        let tcp = TCPSocket(group: group)
        do {
            // Nobody is at port 1: that is what a failure looks like.
            let isInVain = way == .drop && Int.random(in: 0..<16) == 0
            if way == .dawdle { try await tcp.setExtraOptions(TCPExtraOptions(receiveBufferSize: 4096)) }
            try await tcp.connect(to: isInVain ? NetAddress(server.address, port: 1) : server)
            ledger.add(tcp)
            let end = ContinuousClock.now + .seconds(Double.random(in: 15...90))
            switch way {
            case .talk: try await talk(tcp, until: end)
            case .pour: try await pour(tcp, until: end)
            case .dawdle: try await dawdle(tcp, until: end)
            case .drop:
                try await say(100, to: tcp)
                try await loop.sleep(for: .seconds(Double.random(in: 0...0.5)))
            }
            if way == .drop, Int.random(in: 0..<6) == 0 { await tcp.reset() }
        } catch {}
        await tcp.close()
        try? await loop.sleep(for: .seconds(Double.random(in: 0.5...8) / (Demo.tide * Demo.tide)))
    }

    /// Says something and waits for the answer, now and then.
    private func talk(_ tcp: TCPSocket, until end: ContinuousClock.Instant) async throws {
        let pace = Double.random(in: 0.05...0.8)
        while ContinuousClock.now < end {
            try await say(Int.random(in: 20...4000), to: tcp)
            try await tcp.eventLoop.sleep(for: .seconds(pace / Demo.tide * Double.random(in: 0.5...1.5)))
        }
    }

    private func say(_ count: Int, to tcp: TCPSocket) async throws {
        try await tcp.send([UInt8](repeating: 120, count: count), timeout: .seconds(10))
        _ = try await tcp.receive(exactly: count, timeout: .seconds(10))
    }

    /// Is silent, and then has much to say.
    private func pour(_ tcp: TCPSocket, until end: ContinuousClock.Instant) async throws {
        tcp.on(.bytes) { _ in }
        let chunk = [UInt8](repeating: 120, count: 16_384)
        while ContinuousClock.now < end {
            for _ in 0..<Int.random(in: 20...60) {
                try await tcp.send(chunk, timeout: .seconds(10))
                try await tcp.eventLoop.sleep(for: .milliseconds(20))
            }
            try await tcp.eventLoop.sleep(for: .seconds(Double.random(in: 1...6)))
        }
    }

    /// Says more than it listens to: what it is answered piles up, until the server takes no more from it.
    private func dawdle(_ tcp: TCPSocket, until end: ContinuousClock.Instant) async throws {
        let chunk = [UInt8](repeating: 120, count: 8192)
        while ContinuousClock.now < end {
            for _ in 0..<Int.random(in: 20...80) {
                _ = try tcp.trySend(chunk)
                _ = try await tcp.receive(upTo: 1024, timeout: .seconds(10))
                try await tcp.eventLoop.sleep(for: .milliseconds(100))
            }
            // It catches up, as far as it gets in a while.
            for _ in 0..<100 {
                _ = try await tcp.receive(upTo: 8192, timeout: .seconds(10))
                try await tcp.eventLoop.sleep(for: .milliseconds(20))
            }
        }
    }

    /// How busy everybody is: between 0.3 and 1, up and down in 40 s.
    private static let start = ContinuousClock.now
    private static var tide: Double {
        let place = ((ContinuousClock.now - start) / .seconds(40)).truncatingRemainder(dividingBy: 1)
        return 0.3 + 0.7 * abs(2 * place - 1)
    }
}
