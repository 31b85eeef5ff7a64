import HarmonySocket
import Testing

@Suite(.bounded) struct SocketEventLoopTests {
    private actor OnLoop {
        let loop: SocketEventLoop
        private var total = 0

        init(_ loop: SocketEventLoop) { self.loop = loop }

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

        func add(_ number: Int) -> Bool {
            total += number
            return loop.isCurrent
        }

        func sum() -> Int { total }

        nonisolated func assumeAndAdd(_ number: Int) { assumeIsolated { $0.total += number } }
    }

    @Test func execute_runsInOrder_onTheLoop_neverDuringTheCall() async throws {
        let loop = SocketEventLoopGroup(count: 1).next()
        let log = EventRecorder<Int>()
        #expect(!loop.isCurrent)
        for number in 0..<1000 {
            loop.execute { log.record(loop.isCurrent ? number : -1) }
        }
        try await log.wait(count: 1000)
        #expect(log.events == Array(0..<1000))
        let nested = EventLog()
        loop.execute {
            loop.execute { nested.record("inner") }
            nested.record("outer")
        }
        try await nested.wait(count: 2)
        #expect(nested.events == ["outer", "inner"])
    }

    @Test func executorPreference_runsTasksOnTheLoop() async throws {
        let group = SocketEventLoopGroup(count: 2)
        let pair = try await makeTCPPair(group: group)
        let (client, connection, loop) = (pair.client, pair.connection, pair.client.eventLoop)
        let echo = Task {
            for try await message in connection.messages { try await connection.send(message.message) }
        }
        let task = Task(executorPreference: loop) {
            var onLoop: [Bool] = []
            for number in 0..<20 {
                onLoop.append(await isOn(loop))
                try await client.send("\(number)")
                onLoop.append(await isOn(loop))
                _ = try await client.receive(timeout: .seconds(20))
                onLoop.append(await isOn(loop))
            }
            return onLoop
        }
        #expect(try await within { try await task.value } == Array(repeating: true, count: 60))
        let inScope = try await within {
            await withTaskExecutorPreference(loop) {
                async let child = isOn(loop)
                return (await isOn(loop), await child)
            }
        }
        #expect(inScope == (true, true))
        await pair.close()
        _ = try? await within { try await echo.value }
    }

    @concurrent
    private func isOn(_ loop: SocketEventLoop) async -> Bool { loop.isCurrent }

    @Test func actor_withTheLoopAsExecutor_runsThere() async throws {
        let loop = SocketEventLoopGroup(count: 1).next()
        let actor = OnLoop(loop)
        #expect(await actor.add(1))
        await withTaskGroup { tasks in
            for _ in 0..<100 { tasks.addTask { #expect(await actor.add(1)) } }
        }
        let done = Outcome<Void>()
        // A listener runs on the loop, so it is on the actor too.
        loop.execute {
            actor.assumeAndAdd(1000)
            done.set(.success(()))
        }
        try await within { try await done.value }
        #expect(await actor.sum() == 1101)
    }

    @Test func actor_ofASocketsLoop_needsNoHopInListeners() async throws {
        let pair = try await makeTCPPair()
        let actor = OnLoop(pair.client.eventLoop)
        let log = EventLog()
        pair.client.on(.message) {
            actor.assumeAndAdd($0.message.count)
            log.record("message")
        }
        try await pair.connection.send("12345")
        try await log.wait(count: 1)
        #expect(await actor.sum() == 5)
        await pair.close()
    }
}
