import SocketCore
import Testing

@Suite struct EventLoopTests {
    // MARK: Jobs

    @Test func jobs_fromOneThread_runInOrder() async throws {
        try await withLoop { loop in
            let journal = Journal<Int>()
            for number in 0..<5_000 { loop.execute { journal.note(number) } }
            try await onLoop(loop) {}
            #expect(journal.entries == Array(0..<5_000))
        }
    }

    @Test func jobs_fromTheLoopItself_runInOrder_andNotDuringTheCall() async throws {
        try await withLoop { loop in
            let journal = Journal<String>()
            let done = Mailbox<Void>()
            loop.execute {
                for number in 0..<600 { loop.execute { journal.note("\(number)") } }
                journal.note("first")
                loop.execute { done.put(()) }
            }
            try await done.take()
            #expect(journal.entries == ["first"] + (0..<600).map(String.init))
        }
    }

    @Test func jobs_fromManyThreads_runEach_inItsThreadsOrder() async throws {
        try await withLoop { loop in
            let journal = Journal<(Int, Int)>()
            let ended = Mailbox<Void>()
            for thread in 0..<4 {
                try ProcessCalls.startThread("test-enqueue") {
                    for number in 0..<2_000 { loop.execute { journal.note((thread, number)) } }
                    ended.put(())
                }.get()
            }
            _ = try await ended.take(4)
            try await onLoop(loop) {}
            let entries = journal.entries
            #expect(entries.count == 8_000)
            for thread in 0..<4 { #expect(entries.filter { $0.0 == thread }.map(\.1) == Array(0..<2_000)) }
        }
    }

    @Test func job_isRunOnTheLoopsThread_always() async throws {
        try await withLoop { loop in
            #expect(!loop.isCurrent)
            #expect(try await onLoop(loop) { loop.isCurrent })
            let other = try makeLoop()
            #expect(try await onLoop(loop) { other.isCurrent } == false)
            try await stop(other)
        }
    }

    // MARK: Fairness

    /// A client that schedules itself for ever, and one that always yields: others, timers and descriptors get on.
    @Test(arguments: [true, false])
    func greedyClient_doesNotStarveTheOthers(_ yields: Bool) async throws {
        try await withLoop { loop in
            let isOver = Counter()
            let turns = Counter()
            let greedy = RecordingClient(turn: { client in
                turns.add()
                guard isOver.value == 0 else { return }
                if yields { loop.yieldTurn(client) } else { loop.schedule(client) }
            })
            loop.schedule(greedy)
            // Jobs
            for _ in 0..<20 { try await onLoop(loop) {} }
            // Timers
            let timed = RecordingClient()
            try await onLoop(loop) { _ = loop.setTimer(.now.advanced(by: .milliseconds(2)), for: timed) }
            #expect(try await timed.calls.take() == .deadline)
            // Descriptors
            let pair = try RawPair()
            defer { pair.close() }
            let reader = RecordingClient()
            let token = try #require(try await onLoop(loop) { try? loop.register(pair.near.number, for: reader).get() })
            #expect(try await reader.calls.take() == .ready(.writable))
            try pair.far.send([1])
            guard case .ready(let events) = try await reader.calls.take() else { return }
            #expect(events.contains(.readable))
            #expect(turns.value > 20)
            isOver.add()
            try await onLoop(loop) { loop.deregister(pair.near.number, token) }
        }
    }

    /// What yields is served again only after the descriptors were looked at.
    @Test func yieldedTurn_comesAfterTheDescriptors() async throws {
        let poller = CountingPoller(try PollerKind.makeDefault().get())
        try await withLoop(poller) { loop in
            let waits = Mailbox<Int>()
            let client = RecordingClient(turn: { client in
                waits.put(poller.waits.value)
                if waits.contents.count < 5 { loop.yieldTurn(client) }
            })
            try await onLoop(loop) { loop.yieldTurn(client) }
            let seen = try await waits.take(5)
            #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 }, "\(seen)")
        }
    }

    /// What an event brings runs right after it, unless older work waits.
    @Test(arguments: [false, true])
    func jobs_ofAnEvent_runBeforeTheNextEvent(_ bringMore: Bool) async throws {
        try await withLoop { loop in
            let count = 200
            let journal = Journal<String>()
            let all = bringMore ? 2 + 4 * count : 2 + 2 * count
            let done = Mailbox<Void>()
            let note: @Sendable (String) -> Void = { entry in
                journal.note(entry)
                if journal.entries.count == all { done.put(()) }
            }
            let pairs = [try RawPair(), try RawPair()]
            defer { for pair in pairs { pair.close() } }
            let clients = ["a", "b"].map { name in
                RecordingClient(ready: { _ in
                    note("\(name) event")
                    for _ in 0..<count {
                        loop.execute {
                            note("\(name) job")
                            if bringMore { loop.execute { note("\(name) more") } }
                        }
                    }
                })
            }
            // Both are writable at the next look.
            let tokens = try await onLoop(loop) {
                zip(pairs, clients).compactMap { try? loop.register($0.near.number, for: $1).get() }
            }
            try await done.take()
            let (one, two) = journal.entries.first == "a event" ? ("a", "b") : ("b", "a")
            func each(_ entry: String) -> [String] { Array(repeating: entry, count: count) }
            let expected =
                bringMore
                ? ["\(one) event"] + each("\(one) job") + ["\(two) event"] + each("\(one) more") + each("\(two) job")
                    + each("\(two) more")
                : ["\(one) event"] + each("\(one) job") + ["\(two) event"] + each("\(two) job")
            #expect(journal.entries == expected)
            try await onLoop(loop) {
                for (pair, token) in zip(pairs, tokens) { loop.deregister(pair.near.number, token) }
            }
        }
    }

    // MARK: Timers

    @Test func timers_runOutInOrder_notBeforeTheirTime() async throws {
        try await withLoop { loop in
            let journal = Journal<Int>()
            let done = Mailbox<Void>()
            let start = Instant.now
            try await onLoop(loop) {
                for number in [3, 1, 4, 0, 2] {
                    let deadline = start.advanced(by: .milliseconds(3 * number))
                    let client = RecordingClient(due: { now in
                        journal.note(number)
                        #expect(now >= deadline)
                        if number == 4 { done.put(()) }
                    })
                    _ = loop.setTimer(deadline, for: client)
                }
            }
            try await done.take()
            #expect(journal.entries == [0, 1, 2, 3, 4])
        }
    }

    @Test func timer_thatIsCancelled_doesNotRunOut() async throws {
        try await withLoop { loop in
            let cancelled = RecordingClient()
            let kept = RecordingClient()
            try await onLoop(loop) {
                let soon = Instant.now.advanced(by: .milliseconds(2))
                let handle = loop.setTimer(soon, for: cancelled)
                _ = loop.setTimer(soon.advanced(by: .milliseconds(2)), for: kept)
                loop.cancelTimer(handle)
                // Twice is harmless.
                loop.cancelTimer(handle)
            }
            #expect(try await kept.calls.take() == .deadline)
            #expect(cancelled.calls.contents.isEmpty)
        }
    }

    @Test func timer_thatSetsAnother_isFollowedByIt() async throws {
        try await withLoop { loop in
            let second = RecordingClient()
            let first = RecordingClient(due: { now in _ = loop.setTimer(now, for: second) })
            try await onLoop(loop) { _ = loop.setTimer(.now, for: first) }
            #expect(try await second.calls.take() == .deadline)
        }
    }

    @Test func timer_earlierThanTheOneWaitedFor_isNotLate() async throws {
        try await withLoop { loop in
            let late = RecordingClient()
            let early = RecordingClient()
            let handle = try await onLoop(loop) { loop.setTimer(.now.advanced(by: .seconds(3_600)), for: late) }
            try await onLoop(loop) { _ = loop.setTimer(.now.advanced(by: .milliseconds(1)), for: early) }
            #expect(try await early.calls.take() == .deadline)
            try await onLoop(loop) { loop.cancelTimer(handle) }
            #expect(late.calls.contents.isEmpty)
        }
    }

    @Test func timer_thatNeverComes_disturbsNobody() async throws {
        try await withLoop { loop in
            let client = RecordingClient()
            let handle = try await onLoop(loop) { loop.setTimer(.never, for: client) }
            try await onLoop(loop) {}
            try await onLoop(loop) { loop.cancelTimer(handle) }
            #expect(client.calls.contents.isEmpty)
        }
    }

    // MARK: Registrations

    @Test func deregistered_hearsNothingMore_notEvenWhatWasUnderWay() async throws {
        try await withLoop { loop in
            let pair = try RawPair()
            defer { pair.close() }
            let client = RecordingClient()
            try await onLoop(loop) {
                guard case .success(let token) = loop.register(pair.near.number, for: client) else { return }
                loop.deregister(pair.near.number, token)
            }
            try pair.far.send([1])
            try await onLoop(loop) {}
            try await onLoop(loop) {}
            #expect(client.calls.contents.isEmpty)
        }
    }

    @Test func transferred_isHeardByTheHeir() async throws {
        try await withLoop { loop in
            let pair = try RawPair()
            defer { pair.close() }
            let first = RecordingClient()
            let heir = RecordingClient()
            let token = try #require(
                try await onLoop(loop) { () -> PollToken? in
                    let token = try? loop.register(pair.near.number, for: first).get()
                    if let token { loop.transfer(token, to: heir) }
                    return token
                })
            #expect(try await heir.calls.take() == .ready(.writable))
            try await onLoop(loop) { loop.deregister(pair.near.number, token) }
            #expect(first.calls.contents.isEmpty)
        }
    }

    @Test func register_ofWhatIsNoDescriptor_fails() async throws {
        try await withLoop { loop in
            guard !loop.isLevelTriggered else { return }
            let error = try await onLoop(loop) { () -> SystemError? in
                guard case .failure(let error) = loop.register(-1, for: RecordingClient()) else { return nil }
                return error
            }
            #expect(error == .badDescriptor)
        }
    }

    @Test func registration_keepsItsClient_andLetsItGo() async throws {
        try await withLoop { loop in
            let pair = try RawPair()
            defer { pair.close() }
            weak var client: RecordingClient?
            let token = try await {
                let made = RecordingClient()
                client = made
                return try await onLoop(loop) { try? loop.register(pair.near.number, for: made).get() }
            }()
            #expect(client != nil)
            let registered = try #require(token)
            try await onLoop(loop) { loop.deregister(pair.near.number, registered) }
            #expect(client == nil)
        }
    }

    // MARK: The thread

    @Test func stop_endsTheThread_andClosesTheDescriptors() async throws {
        let gone = Mailbox<Void>()
        weak var loop: EventLoop?
        let name: String
        do {
            let poller = CountingPoller(try PollerKind.makeDefault().get()) { gone.put(()) }
            let made = try makeLoop(poller)
            loop = made
            name = "socket-loop-\(made.number)"
            try await onLoop(made) {}
            // A list that is read while other threads end may leave some out.
            if ProcessThreads.isKnown { try await eventually("it runs") { ProcessThreads.named(name).count == 1 } }
            try await stop(made)
        }
        // The thread held the loop; the loop's end closes its poller, and that its descriptors.
        try await gone.take("the end of the poller")
        #expect(loop == nil)
        try await eventually("the thread has ended") { ProcessThreads.named(name).isEmpty }
    }

    @Test func stop_waitsForTheLastRegistration() async throws {
        let loop = try makeLoop()
        let pair = try RawPair()
        defer { pair.close() }
        let client = RecordingClient()
        let token = try #require(try await onLoop(loop) { try? loop.register(pair.near.number, for: client).get() })
        let stopped = Mailbox<Void>()
        loop.stop { stopped.put(()) }
        // Still at work.
        try await onLoop(loop) {}
        #expect(try await client.calls.take() == .ready(.writable))
        #expect(stopped.contents.isEmpty)
        loop.execute { loop.deregister(pair.near.number, token) }
        try await stopped.take("the end of the loop")
    }

    @Test func loop_thatWasNeverUsed_hasNoThread() async throws {
        let gone = Mailbox<Void>()
        do {
            let loop = try makeLoop(CountingPoller(try PollerKind.makeDefault().get()) { gone.put(()) })
            #expect(ProcessThreads.named("socket-loop-\(loop.number)").isEmpty)
        }
        try await gone.take("the end of the poller")
    }

    /// Handlers of the program must not run on our threads (engine rules, "Threads").
    @Test func signals_areBlockedOnTheLoopsThread() async throws {
        guard ProcessThreads.isKnown else { return }
        try await withLoop { loop in
            let status = try #require(try await onLoop(loop) { ProcessThreads.Status.current })
            #expect(status.name == "socket-loop-\(loop.number)")
            let blocked = try #require(status.blockedSignals)
            #expect(blocked & ProcessThreads.blockableSignals == ProcessThreads.blockableSignals)
        }
    }

    /// An idle loop waits once, without end, and does not go to sleep again and again.
    @Test func idleLoop_makesNoWakeUps() async throws {
        let poller = CountingPoller(try PollerKind.makeDefault().get())
        try await withLoop(poller) { loop in
            let pair = try RawPair()
            defer { pair.close() }
            // Watched, writable and with unread input: still idle.
            let client = RecordingClient()
            let token = try #require(try await onLoop(loop) { try? loop.register(pair.near.number, for: client).get() })
            try pair.far.send([1])
            var seen: PollEvents = []
            while !seen.contains(.readable) {
                if case .ready(let events) = try await client.calls.take() { seen.formUnion(events) }
            }
            // It goes to wait after its last event by itself.
            let thread = try await onLoop(loop) { ProcessThreads.Status.current?.number }
            let status = { @Sendable in thread.flatMap { ProcessThreads.Status(number: $0) } }
            try await eventually("the loop has gone to wait") { poller.isQuiet && status()?.isAsleep ?? true }
            let before = (poller.waits.value, poller.wakes.value)
            let sleeps = status()?.sleeps
            // Not a wait for something: the time in which nothing may happen.
            try await Task.sleep(for: .milliseconds(150))
            #expect((poller.waits.value, poller.wakes.value) == before)
            #expect(status()?.sleeps == sleeps)
            try await onLoop(loop) { loop.deregister(pair.near.number, token) }
        }
    }

    /// Several hand-ins before the loop looks cost one wake-up.
    @Test func manyJobs_whileTheLoopIsBusy_costOneWakeUp() async throws {
        let poller = CountingPoller(try PollerKind.makeDefault().get())
        try await withLoop(poller) { loop in
            let entered = Mailbox<Void>()
            let mayGo = Lock(false)
            try await onLoop(loop) {}
            loop.execute {
                entered.put(())
                let end = Instant.now.advanced(by: generous)
                while !mayGo.withLock({ $0 }), Instant.now < end { ProcessThreads.yield() }
            }
            try await entered.take()
            let before = poller.wakes.value
            for _ in 0..<100 { loop.execute {} }
            #expect(poller.wakes.value <= before + 1)
            mayGo.withLock { $0 = true }
        }
    }

    // MARK: Groups

    @Test func group_givesItsLoopsInTurn() {
        let group = EventLoopGroup(count: 3)
        let numbers = (0..<7).map { _ in group.next().number }
        #expect(Set(numbers) == [0, 1, 2])
        #expect(Array(numbers[..<3]) == Array(numbers[3..<6]))
        #expect(EventLoopGroup(count: 0).loops.count == 1)
        #expect(EventLoopGroup(count: -4).loops.count == 1)
    }
}
