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

    @Test func run_returnsOrThrowsWhatTheBodyDoes_andRunsItOnTheLoop() async throws {
        let loop = SocketEventLoopGroup(count: 1).next()
        let isOnLoop = try await blocking { loop.run { [await isOn(loop), loop.isCurrent] } }
        #expect(isOnLoop == [true, true])
        let error = try await blocking {
            do throws(SocketError) {
                try loop.run { () async throws(SocketError) in try await TCPSocket().send("x") }
                return SocketError.Kind?.none
            } catch {
                return error.kind
            }
        }
        #expect(error == .notConnected)
    }

    /// Waits of the task that `run` makes have no cancellation handler, since nobody but itself can cancel it.
    @Test func run_taskThatCancelsItself_andChildTasks_areCancelled() async throws {
        let pair = try await makeTCPPair()
        let loop = pair.client.eventLoop
        let errors = try await blocking {
            loop.run { () async -> [SocketError.Kind?] in
                let lateForAll = await failure { () async throws(SocketError) in
                    try await pair.client.receive(timeout: .milliseconds(1))
                }
                let ofChild = await withTaskGroup(of: SocketError.Kind?.self) { group in
                    group.addTask {
                        await failure { () async throws(SocketError) in try await pair.client.receive() }?.kind
                    }
                    group.cancelAll()
                    return await group.next() ?? nil
                }
                withUnsafeCurrentTask { $0?.cancel() }
                let ofOwn = await failure { () async throws(SocketError) in try await pair.client.receive() }
                return [lateForAll?.kind, ofChild, ofOwn?.kind]
            }
        }
        #expect(errors == [.timedOut, .cancelled, .cancelled])
        await pair.close()
    }

    /// The first to need the loop's thread lends its own, and another one takes its place when that leaves.
    @Test func run_onALoopWithoutThread_isOnTheCallersThread_andTheLoopLivesOn() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let loop = group.next()
        let (threads, server) = try await blocking {
            let caller = currentThreadNumber()
            let server = TCPSocketServer(group: group)
            // A server that does not listen has no need of a thread.
            server.on(.error) { _ in }
            let inside = try loop.run {
                try await server.listen(Loopback.ipv4.address())
                return currentThreadNumber()
            }
            // Hosted once only: from now on it has a thread of its own.
            return ([caller, inside, loop.run { currentThreadNumber() }], server)
        }
        #expect(threads[0] == threads[1])
        #expect(threads[0] != threads[2])
        let tcp = TCPSocket(group: group)
        async let accepted = server.accept(timeout: .seconds(20))
        try await tcp.connect(to: try await server.getLocalAddress())
        try await accepted.close()
        #expect(try await tcp.receive(timeout: .seconds(20)) == nil)
        await tcp.close()
        await server.close()
    }

    @Test func run_waitsForTheBody_whileTheLoopServesOthers() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let server = TCPSocketServer(group: group)
        let reply = try await blocking {
            try server.eventLoop.run {
                try await server.listen(Loopback.ipv4.address())
                let serving = Task(executorPreference: server.eventLoop) {
                    try await server.serve { client in
                        for try await message in client.messages { try await client.send(message.message) }
                    }
                }
                let tcp = TCPSocket(group: group)
                try await tcp.connect(to: try await server.getLocalAddress())
                try await tcp.send("hello")
                let reply = try await tcp.receive(timeout: .seconds(20))?.text
                await tcp.close()
                await server.close()
                try await serving.value
                return reply
            }
        }
        #expect(reply == "hello")
    }

    @Test func run_fromManyThreads_givesEachItsOwn() async throws {
        let loop = SocketEventLoopGroup(count: 1).next()
        try await withThrowingTaskGroup { tasks in
            for number in 0..<20 {
                tasks.addTask {
                    let sum = try await blocking {
                        (0..<50).reduce(0) { sum, step in sum + loop.run { number * step } }
                    }
                    #expect(sum == number * 1225)
                }
            }
            try await tasks.waitForAll()
        }
    }

    @Test func run_onTheLoopItself_traps() async {
        await #expect(processExitsWith: .failure) {
            let loop = SocketEventLoopGroup(count: 1).next()
            let isOver = Outcome<Void>()
            loop.execute {
                loop.run {}
                isOver.set(.success(()))
            }
            try await isOver.value
        }
    }
}
