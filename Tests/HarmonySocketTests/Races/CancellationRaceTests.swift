import HarmonySocket
import Testing

// With the thousand connects of ConnectRaceTests these are ten thousand calls that are cancelled at random points; ten times as
// many with HARMONY_FULL=1. In child processes, where every descriptor is ours to count.
@Suite("Races: receives and accepts against cancellation", .timeLimit(.minutes(5)))
struct CancellationRaceTests {
    private static var scale: Int { ProcessFacts.isFullRun ? 10 : 1 }

    /// How many calls have ended which way. That is chance, the more so on a busy machine: so there are more of them, up to
    /// twenty times as many, until there are enough of both.
    private struct Outcomes: Sendable {
        private(set) var begun = 0
        private(set) var served = 0
        private(set) var cancelled = 0

        /// Whether there is to be another call, after `made` in this lane. It counts as begun.
        mutating func goesOn(_ made: Int, of calls: Int, each least: Int) -> Bool {
            guard made < calls || min(served, cancelled) <= least && made < 20 * calls else { return false }
            begun += 1
            return true
        }

        mutating func note(isServed: Bool) { if isServed { served += 1 } else { cancelled += 1 } }
    }

    /// Starts a call, mostly without a time-out, cancels it at a random point, and waits for its one end: nil when it was
    /// cancelled or timed out.
    private static func cancelled<Value: Sendable>(
        _ random: inout SplitMix, _ call: @escaping @Sendable (_ timeout: Duration?) async throws -> Value
    ) async throws -> Value? {
        let timeouts: [Duration?] = [nil, nil, nil, .microseconds(50), .zero]
        let timeout = timeouts.randomElement(using: &random) ?? nil
        let task = Task { try await call(timeout) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: break
        case 1...5: for _ in 0..<Int.random(in: 0..<12, using: &random) { await Task.yield() }
        default: try await Task.sleep(for: .microseconds(Int.random(in: 0..<300, using: &random)))
        }
        task.cancel()
        do {
            return try await within { try await task.value }
        } catch let error as SocketError {
            guard error.kind == .cancelled || timeout != nil && error.kind == .timedOut else { throw error }
            return nil
        }
    }

    /// One of the ways to receive. What it brings is all that it takes.
    private static func receive(
        _ way: Int, from socket: TCPSocketConnection, _ timeout: Duration?
    ) async throws -> [UInt8] {
        switch way {
        case 0: return try await socket.receive(timeout: timeout)?.message ?? []
        case 1: return try await socket.receive(upTo: 3, timeout: timeout) ?? []
        case 2: return try await socket.receive(exactly: 7, timeout: timeout) ?? []
        case 3:
            var block = [UInt8](repeating: 0, count: 5)
            let count = try await socket.receive(into: &block, timeout: timeout)
            return Array(block[..<count])
        case 4:
            _ = try await socket.peek(upTo: 4, timeout: timeout)
            return []
        case 5: return try await socket.receive(until: [0], maxLength: 4096, timeout: timeout) ?? []
        case 6:
            for try await message in socket.messages { return message.message }
            // Cancelled, an iteration that has nothing ends by an error, so this is the end.
            return []
        default:
            for try await byte in socket.bytes { return [byte] }
            return []
        }
    }

    @Test("2. 3. 4. Cancelling 6,000 receives at random points loses no byte and leaks nothing")
    func receives_cancelledAtRandom_loseNoByte() async throws {
        await #expect(processExitsWith: .success) {
            let lanes = 12
            let calls = 500 * CancellationRaceTests.scale
            let outcomes = TestLock(Outcomes())

            @Sendable func run(_ lane: Int, calls: Int) async throws -> [Weak<TCPSocketConnection>] {
                let (server, address) = try await makeServer()
                let client = TCPSocket()
                try await client.connect(to: address)
                let connection = try await server.accept(timeout: .seconds(20))
                await server.close()
                let isOver = TestLock(false)
                let taken = TestLock(0)
                let sending = Task {
                    var random = SplitMix(UInt64(lane * 2))
                    var sent: [UInt8] = []
                    while !isOver.withLock({ $0 }) {
                        // Numbers in order, and now and then a zero for those who wait for one.
                        let piece = (0..<Int.random(in: 1..<9, using: &random)).map {
                            UInt8(1 + (sent.count + $0) % 255)
                        }
                        let part = Int.random(in: 0..<4, using: &random) == 0 ? piece + [0] : piece
                        try await client.send(part)
                        sent += part
                        // Little is there at a time, so that many of the receives have to wait.
                        repeat {
                            for _ in 0..<Int.random(in: 0..<30, using: &random) { await Task.yield() }
                        } while sent.count - taken.withLock { $0 } > 12 && !isOver.withLock { $0 }
                    }
                    try await client.finish()
                    return sent
                }
                var random = SplitMix(UInt64(lane * 2 + 1))
                var received: [UInt8] = []
                var made = 0
                while outcomes.withLock({ $0.goesOn(made, of: calls, each: calls) }) {
                    made += 1
                    let way = Int.random(in: 0..<8, using: &random)
                    let bytes = try await CancellationRaceTests.cancelled(&random) { timeout in
                        try await CancellationRaceTests.receive(way, from: connection, timeout)
                    }
                    received += bytes ?? []
                    taken.withLock { $0 = received.count }
                    outcomes.withLock { $0.note(isServed: bytes != nil) }
                }
                isOver.withLock { $0 = true }
                let sent = try await within { try await sending.value }
                received += try await readAll(connection)
                #expect(received == sent, "lane \(lane)")
                await client.close()
                await connection.close()
                return [Weak(connection)]
            }

            func runAll(calls: Int) async throws -> [Weak<TCPSocketConnection>] {
                try await withThrowingTaskGroup(of: [Weak<TCPSocketConnection>].self) { group in
                    for lane in 0..<lanes { group.addTask { try await run(lane, calls: calls) } }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
            }

            // The first start loops.
            _ = try await runAll(calls: 5)
            let base = try await ProcessFacts.settledDescriptors()
            let sockets = try await runAll(calls: calls)
            let ended = outcomes.withLock { $0 }
            #expect(ended.served + ended.cancelled == ended.begun)
            #expect(ended.begun >= lanes * (calls + 5))
            #expect(min(ended.served, ended.cancelled) > calls, "both were met: \(ended)")
            try await eventually("every connection is gone") { sockets.allSatisfy { $0.value == nil } }
            try await eventually("every descriptor is given back") { ProcessFacts.descriptors.count <= base }
        }
    }

    @Test("3. 4. Cancelling 3,000 accepts at random points loses no connection and leaks nothing")
    func accepts_cancelledAtRandom_loseNoConnection() async throws {
        await #expect(processExitsWith: .success) {
            let lanes = 6
            let calls = 500 * CancellationRaceTests.scale
            let outcomes = TestLock(Outcomes())

            func run(calls: Int) async throws -> [Weak<TCPSocketConnection>] {
                let (server, address) = try await makeServer()
                let accepted = EventRecorder<Weak<TCPSocketConnection>>()
                let connected = TestLock(0)
                let isOver = TestLock(false)

                // Each peer says its number, and hears it again from the connection that was accepted for it.
                @Sendable func answer(_ connection: TCPSocketConnection) {
                    accepted.record(Weak(connection))
                    connection.on(.message) { connection.send($0.message) { _ in } }
                }
                async let peers: Void = withThrowingTaskGroup(of: Void.self) { group in
                    for peer in 0..<4 {
                        group.addTask {
                            var random = SplitMix(UInt64(1000 + peer))
                            while !isOver.withLock({ $0 }) {
                                let client = TCPSocket()
                                try await client.connect(to: address)
                                let number = connected.withLock { count in
                                    count += 1
                                    return count
                                }
                                try await client.send("\(number)")
                                let text = Array("\(number)".utf8)
                                #expect(try await client.receive(exactly: text.count, timeout: .seconds(20)) == text)
                                await client.close()
                                for _ in 0..<Int.random(in: 0..<20, using: &random) { await Task.yield() }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for lane in 0..<lanes {
                        group.addTask {
                            var random = SplitMix(UInt64(lane))
                            var made = 0
                            while outcomes.withLock({ $0.goesOn(made, of: calls, each: calls / 5) }) {
                                made += 1
                                let connection = try await CancellationRaceTests.cancelled(&random) { timeout in
                                    try await server.accept(timeout: timeout)
                                }
                                if let connection { answer(connection) }
                                outcomes.withLock { $0.note(isServed: connection != nil) }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                isOver.withLock { $0 = true }
                // Those who came last are still to be taken.
                let taking = Task { for try await connection in server.connections { answer(connection) } }
                try await peers
                #expect(accepted.count == connected.withLock { $0 }, "each came once")
                await server.close()
                _ = await taking.result
                return accepted.events
            }

            // The first start loops.
            _ = try await run(calls: 5)
            let base = try await ProcessFacts.settledDescriptors()
            let connections = try await run(calls: calls)
            let ended = outcomes.withLock { $0 }
            #expect(ended.served + ended.cancelled == ended.begun)
            #expect(ended.begun >= lanes * (calls + 5))
            #expect(min(ended.served, ended.cancelled) > calls / 5, "both were met: \(ended)")
            try await eventually("every connection is gone") { connections.allSatisfy { $0.value == nil } }
            try await eventually("every descriptor is given back") { ProcessFacts.descriptors.count <= base }
        }
    }
}
