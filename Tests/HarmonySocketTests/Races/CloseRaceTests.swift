import HarmonySocket
import Testing

@Suite("Races: close against everything", .timeLimit(.minutes(2)))
struct CloseRaceTests {
    /// Runs rounds until they are all done or 2.5 s are over, and at least ten.
    private static func rounds(_ most: Int, _ body: (Int) async throws -> Void) async throws {
        let end = ContinuousClock.now.advanced(by: .milliseconds(2500))
        for round in 0..<most {
            if round >= 10, ContinuousClock.now >= end { return }
            try await body(round)
        }
    }

    @Test("3. close() against every other call, from many tasks: each ends once, close comes once and last")
    func close_againstEverything_everyCallEnds() async throws {
        let (server, address) = try await makeServer()
        server.on(.connect) { client in client.on(.message) { client.send($0.message) { _ in } } }
        try await CloseRaceTests.rounds(2000) { round in
            let client = TCPSocket()
            let completions = TestLock((made: 0, ended: 0))
            let closes = TestLock(0)
            let afterClose = TestLock(0)
            let ended = Outcome<Void>()
            client.on(.close) {
                closes.withLock { $0 += 1 }
                ended.set(.success(()))
            }
            client.on(.drain) { if closes.withLock({ $0 }) > 0 { afterClose.withLock { $0 += 1 } } }
            if round.isMultiple(of: 4) {
                client.connect(to: address) { _ in }
            } else {
                try await client.connect(to: address)
            }
            func begun<Value>() -> @Sendable (Result<Value, SocketError>) -> Void {
                completions.withLock { $0.made += 1 }
                let once = TestLock(false)
                return { _ in
                    let isFirst = once.withLock { once in
                        defer { once = true }
                        return !once
                    }
                    completions.withLock { $0.ended += isFirst ? 1 : 1000 }
                }
            }
            var calls: [@Sendable () async -> Void] = [
                { [done = begun() as @Sendable (Result<Void, SocketError>) -> Void] in
                    client.send([UInt8](repeating: 1, count: 100_000), completion: done)
                },
                { try? await client.send("hello") }, { _ = try? await client.receive(timeout: .milliseconds(5)) },
                { [done = begun() as @Sendable (Result<SocketMessageInfo?, SocketError>) -> Void] in
                    client.receive(completion: done)
                },
                { try? await client.setExtraOptions(TCPExtraOptions(keepAlive: true, sendBufferSize: 20_000)) },
                { _ = try? await client.getExtraOptions() }, { try? await client.finish() },
                { client.off(client.on(.message) { _ in }) }, { client.once(.end) {} },
                { _ = (client.state, client.localAddress, client.bufferedAmount, await client.getSocketFd()) },
                { client.closeTimeout = .milliseconds(300) }, { await client.close() },
                { [done = begun() as @Sendable (Result<Void, SocketError>) -> Void] in client.close(completion: done) },
            ]
            if round.isMultiple(of: 3) { calls.append { await client.reset() } }
            calls.shuffle()
            try await within(.seconds(20), "round \(round)") { [calls] in
                await withTaskGroup(of: Void.self) { tasks in for call in calls { tasks.addTask { await call() } } }
                try await ended.value
            }
            try await eventually("every completion of round \(round)") {
                completions.withLock { $0.ended >= $0.made }
            }
            #expect(completions.withLock { $0.ended == $0.made })
            #expect(closes.withLock { $0 } == 1)
            #expect(afterClose.withLock { $0 } == 0)
            #expect(client.state.isClose)
        }
        await server.close()
    }

    @Test("3. Closing a server against accepting, and dropping sockets at any moment")
    func closeAndDrop_againstAccept_everythingEnds() async throws {
        try await CloseRaceTests.rounds(500) { round in
            let (server, address) = try await makeRacingServer()
            let serving = Task {
                if round.isMultiple(of: 2) {
                    try? await server.serve { client in
                        for try await chunk in client.messages { try await client.send(chunk.message) }
                    }
                } else {
                    do { for try await client in server.connections { client.on(.message) { _ in } } } catch {}
                }
            }
            try await within(.seconds(20), "round \(round)") {
                await withTaskGroup(of: Void.self) { tasks in
                    for number in 0..<6 {
                        tasks.addTask {
                            let client = TCPSocket()
                            try? await client.connect(to: address, timeout: .seconds(5))
                            client.send("x") { _ in }
                            if number.isMultiple(of: 2) { await client.close() }
                        }
                    }
                    tasks.addTask { await server.close() }
                    if round.isMultiple(of: 3) { tasks.addTask { serving.cancel() } }
                }
                serving.cancel()
                await serving.value
            }
            #expect(server.state.isClose)
        }
    }

    @Test("21. A stranger that gets a closed socket's number gets none of its bytes")
    func descriptorNumber_reusedByAStranger_getsNoBytes() async throws {
        try await CloseRaceTests.rounds(1500) { round in
            let (client, peer) = try await makeClientWithRawPeer()
            let strangers = TestLock([(Int32, Int32)]())
            try await within(.seconds(20), "round \(round)") {
                await withTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<4 {
                        tasks.addTask {
                            for _ in 0..<5 { try? await client.send([UInt8](repeating: 0x55, count: 100)) }
                        }
                    }
                    tasks.addTask { await client.reset() }
                    tasks.addTask {
                        // Takes the numbers that become free, the socket's own among them.
                        for _ in 0..<10 {
                            if let pair = ProcessFacts.makeStrangerPair() { strangers.withLock { $0.append(pair) } }
                            await Task.yield()
                        }
                    }
                }
            }
            for (first, second) in strangers.withLock({ $0 }) {
                #expect(ProcessFacts.waitingBytes(first) == 0 && ProcessFacts.waitingBytes(second) == 0)
                ProcessFacts.closeNothing(first)
                ProcessFacts.closeNothing(second)
            }
            peer.close()
        }
    }
}
