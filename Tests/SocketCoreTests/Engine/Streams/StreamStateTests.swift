import Testing

@testable import SocketCore

/// What the loop is told to do next, without any socket: the descriptor is a number that no call is made on.
@Suite struct StreamStateTests {
    /// A state, with what a driver would do about its steps.
    private final class Subject {
        var state = StreamState()

        /// `isOpen`: connected, watched and registered.
        init(isOpen: Bool = true, _ settings: StreamSettings = StreamSettings()) throws {
            state.shared = StreamSettings.Shared(settings)
            switch SocketCalls.open(.v4, .stream) {
            case .success(let descriptor): state.descriptor.adopt(descriptor)
            case .failure(let error): throw error
            }
            guard isOpen else { return }
            _ = state.life.open()
            state.didOpen()
            state.isWatched = true
            #expect(step() == "register")
            #expect(step() == "nothing")
        }

        /// The name of the next step.
        func step(mayRead: Bool = true) -> String {
            let text = String(describing: state.step(mayRead: mayRead))
            return String(text.prefix { $0 != "(" })
        }

        /// Takes up the request that was the last step.
        func takeRequest() {
            state.takeRequest().perform()
        }

        func didShutDown() { state.didShutDown().perform() }

        func expire(_ now: Instant) -> Bool {
            let (endings, mustCheckLinger) = state.expire(now: now)
            endings.perform()
            state.rareIfAny?.timerDeadline = .never
            return mustCheckLinger
        }

        func addReader(_ journal: Journal<String>, deadline: Instant = .never) {
            let waiter = Waiter.handler { journal.note("reader \($0 == nil)") }
            _ = state.enqueue(
                Waiting(ticket: state.nextTicket(), waiter: .task(waiter), deadline: deadline, isServing: false),
                atFront: false)
        }

        func addCloser(_ journal: Journal<String>) {
            state.rare.closers.append(.handler { _ in journal.note("closed") })
        }

        func listen(_ kind: EventKind, _ journal: Journal<String>) {
            state.outbox.add(
                Listener(ticket: state.nextTicket(), kind: kind, isOnce: false) { _ in journal.note("\(kind)") })
        }

        func deliver() {
            state.outbox.beginDelivery()?.perform()
            state.outbox.endDelivery()
        }

        @discardableResult
        func queue(_ bytes: [UInt8]) -> Ticket {
            let ticket = state.nextTicket()
            state.write.enqueue(.init(bytes: bytes), ticket: ticket)
            state.rare.senders.append(.init(ticket: ticket))
            return ticket
        }

        func blockWriting() {
            if case .write(let tick) = state.write.admit() { _ = state.write.wrote(0, of: 1, tick: tick) }
        }

        func readEnd() {
            guard case .turn(let turn) = state.read.admit(isNext: false, isEager: true, isQueueEmpty: true) else {
                return
            }
            _ = state.read.finish(.ended, tick: turn.tick)
            state.emitEnd()
        }
    }

    @Test func fresh_hasNothingToDo() throws {
        #expect(try Subject(isOpen: false).step() == "nothing")
    }

    @Test func unwatched_isNotRegistered_untilItIsUsed() throws {
        let subject = try Subject(isOpen: false)
        _ = subject.state.life.open()
        subject.state.didOpen()
        subject.state.isWatchedWhenUsed = true
        #expect(subject.step() == "nothing")
        #expect(subject.state.use() == true)
        #expect(subject.step() == "register")
        #expect(subject.state.use() == false)
    }

    @Test func input_isLeftInTheKernel_whileNobodyWantsIt() throws {
        let subject = try Subject()
        subject.state.read.ready(.readable)
        #expect(subject.step() == "nothing")
    }

    @Test func input_goesToTheReader_beforeTheListeners() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.listen(.message, journal)
        subject.addReader(journal)
        subject.state.read.ready(.readable)
        #expect(subject.step() == "resumeReader")
    }

    @Test func input_goesToTheListeners_oneDeliveryAtATime() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.listen(.message, journal)
        subject.state.read.ready(.readable)
        subject.state.outbox.beginDirectDelivery()
        #expect(subject.step() == "nothing")
        subject.state.outbox.endDelivery()
        #expect(subject.step() == "readForListeners")
    }

    @Test func budget_isKept() throws {
        let subject = try Subject()
        subject.listen(.message, Journal())
        #expect(subject.step(mayRead: false) == "nothing")
        subject.state.read.ready(.readable)
        #expect(subject.step(mayRead: false) == "yield")
        #expect(subject.step() == "readForListeners")
    }

    @Test func end_thatNobodyReads_isProbedFor() throws {
        let subject = try Subject()
        subject.state.read.ready([.readable, .endOfInput])
        #expect(subject.step() == "probe")
        subject.state.read.relinquish()
        #expect(subject.step() == "nothing")
    }

    @Test func output_goesBeforeInput() throws {
        let subject = try Subject()
        subject.listen(.message, Journal())
        subject.state.read.ready(.readable)
        subject.queue([1])
        #expect(subject.step() == "flush")
    }

    @Test func output_withoutRoom_waits() throws {
        let subject = try Subject()
        subject.blockWriting()
        subject.queue([1])
        #expect(subject.step() == "nothing")
        subject.state.write.ready(.writable)
        #expect(subject.step() == "flush")
    }

    @Test func drain_isTold_whenTheQueueIsGivenUp() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.listen(.drain, journal)
        subject.blockWriting()
        subject.state.write.highWaterMark = 3
        let tickets = [subject.queue([1, 2]), subject.queue([3, 4])]
        #expect(subject.step() == "nothing")
        for ticket in tickets { _ = subject.state.withdraw(ticket, .timedOut()) }
        #expect(subject.step() == "deliver")
        subject.deliver()
        #expect(journal.entries == ["drain"])
        #expect(subject.step() == "nothing")
    }

    // MARK: Closing

    @Test func close_endsReaders_shutsDown_andDiscards() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.listen(.close, journal)
        subject.addReader(journal)
        subject.addCloser(journal)
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(journal.entries == ["reader false"])
        #expect(subject.step() == "shutDown")
        subject.didShutDown()
        #expect(journal.entries == ["reader false", "closed"])
        #expect(subject.step() == "deliver")
        subject.deliver()
        #expect(journal.entries.last == "close")
        subject.state.read.ready(.readable)
        // The time limit of discarding, then the input.
        #expect(subject.step() == "discard")
        subject.state.read.relinquish()
        subject.readEnd()
        #expect(subject.step() == "release")
        #expect(subject.step() == "nothing")
    }

    @Test func close_behindQueuedBytes_waitsForThem() throws {
        let subject = try Subject()
        subject.blockWriting()
        subject.queue([1, 2])
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(subject.step() == "setTimer")
        #expect(subject.step() == "nothing")
        subject.state.write.ready(.writable)
        #expect(subject.step() == "flush")
        _ = subject.state.write.endFlush(0, of: 0, tick: .max)
    }

    @Test func close_afterThePeersEnd_releasesAtOnce() throws {
        let subject = try Subject()
        subject.readEnd()
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(subject.step() == "release")
    }

    @Test func close_behindFinish_doesNotWaitForThePeer() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.state.write.beginFinishing()
        #expect(subject.step() == "shutDown")
        subject.didShutDown()
        subject.addCloser(journal)
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        if subject.step() == "shutDown" { subject.didShutDown() }
        #expect(journal.entries == ["closed"])
        #expect(subject.state.life.isClosed)
    }

    @Test func closeTimeout_resets() throws {
        let subject = try Subject()
        subject.blockWriting()
        subject.queue([1, 2])
        subject.state.life.close(.flush)
        _ = subject.step()
        subject.takeRequest()
        #expect(subject.step() == "setTimer")
        #expect(subject.expire(.now.advanced(by: .seconds(6))) == false)
        #expect(subject.step() == "end")
        subject.takeRequest()
        guard case .release(_, let isAbortive) = subject.state.step(mayRead: true) else {
            Issue.record("not released")
            return
        }
        #expect(isAbortive)
    }

    @Test func reset_releasesAtOnce_withRST() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.addReader(journal)
        subject.queue([1])
        subject.state.life.close(.reset)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(journal.entries == ["reader false"])
        #expect(subject.state.write.queuedBytes == 0)
        guard case .release(_, let isAbortive) = subject.state.step(mayRead: true) else {
            Issue.record("not released")
            return
        }
        #expect(isAbortive)
    }

    @Test func close_beforeThereIsAConnection_releases() throws {
        let subject = try Subject(isOpen: false)
        try subject.state.life.beginConnect()
        let journal = Journal<String>()
        subject.state.rare.connecting = .handler { journal.note("connect \($0 == nil)") }
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(journal.entries == ["connect false"])
        #expect(subject.step() == "release")
        #expect(subject.step() == "nothing")
    }

    /// With nothing to wait for there is no deadline; with something there is.
    @Test(arguments: [true, false])
    func close_hasADeadline_unlessThePeerHasEndedToo(_ hasEnded: Bool) throws {
        let subject = try Subject()
        if hasEnded { subject.readEnd() }
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        let deadline = subject.state.rareIfAny?.closeDeadline ?? .never
        #expect((deadline == .never) == hasEnded)
        #expect(subject.step() == (hasEnded ? "release" : "shutDown"))
    }

    /// Set while the close was decided already: it does not wait, since it has no deadline any more.
    @Test func linger_thatComesTooLate_endsAtTheFirstLook() throws {
        let subject = try Subject()
        subject.readEnd()
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        var settings = StreamSettings()
        settings.linger = .seconds(2)
        subject.state.shared = StreamSettings.Shared(settings)
        #expect(subject.step() == "shutDown")
        subject.didShutDown()
        #expect(subject.state.life.phase == .lingering)
        _ = subject.state.didCheckLinger(unsent: 1)
        #expect(subject.step() == "release")
    }

    @Test func linger_afterThePeersEnd_waitsForTheKernelsQueueToo() throws {
        var settings = StreamSettings()
        settings.linger = .seconds(2)
        let subject = try Subject(settings)
        subject.readEnd()
        subject.state.life.close(.flush)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(subject.step() == "shutDown")
        subject.didShutDown()
        #expect(subject.state.life.phase == .lingering)
    }

    @Test func linger_waitsForTheKernelsQueue() throws {
        var settings = StreamSettings()
        settings.linger = .seconds(2)
        let subject = try Subject(settings)
        let journal = Journal<String>()
        subject.addCloser(journal)
        subject.state.life.close(.flush)
        _ = subject.step()
        subject.takeRequest()
        #expect(subject.step() == "shutDown")
        subject.didShutDown()
        #expect(journal.entries == [])
        #expect(subject.step() == "setTimer")
        #expect(subject.expire(.now) == true)
        subject.state.didCheckLinger(unsent: 5).perform()
        #expect(journal.entries == [])
        #expect(subject.state.life.phase == .lingering)
        subject.state.didCheckLinger(unsent: 0).perform()
        #expect(journal.entries == ["closed"])
        #expect(subject.state.life.phase == .discarding)
    }

    @Test func abandoned_isClosed_onlyWhenNobodyIsLeft() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        subject.addReader(journal)
        subject.state.hasHandle = false
        #expect(subject.step() == "nothing")
        _ = subject.state.readers.popFirst()
        #expect(subject.step() == "end")
    }

    @Test(arguments: [true, false])
    func peersEnd_withAMessageListener_isFollowedByClose(_ allowsHalfOpen: Bool) throws {
        var settings = StreamSettings()
        settings.allowsHalfOpen = allowsHalfOpen
        let subject = try Subject(settings)
        subject.listen(.message, Journal())
        subject.readEnd()
        #expect((subject.step() == "end") == !allowsHalfOpen)
    }

    /// Every way in which a socket is closed in good order.
    private static let closes: [(name: String, begin: @Sendable (Subject) -> Void)] = [
        ("asked for", { $0.state.close(.flush) }),
        ("nobody holds it", { $0.state.hasHandle = false }),
        (
            "the peer has ended",
            { subject in
                subject.listen(.message, Journal())
                subject.readEnd()
            }
        ),
    ]

    @Test(arguments: closes.indices, [nil, .zero, .seconds(1)] as [Duration?])
    func close_withLingerZero_isAbortive_whoeverCloses(_ index: Int, _ linger: Duration?) throws {
        var settings = StreamSettings()
        settings.linger = linger
        let subject = try Subject(settings)
        StreamStateTests.closes[index].begin(subject)
        #expect(subject.step() == "end")
        #expect(
            subject.state.life.request == (linger == .zero ? .reset : .flush), "\(StreamStateTests.closes[index].name)")
    }

    // MARK: Time

    @Test func deadlines_areServedByOneTimer_thatMovesForwardOnly() throws {
        let subject = try Subject()
        let journal = Journal<String>()
        let now = Instant.now
        subject.addReader(journal, deadline: now.advanced(by: .seconds(5)))
        #expect(subject.step() == "setTimer")
        #expect(subject.step() == "nothing")
        // A later one needs no other timer.
        subject.addReader(journal, deadline: now.advanced(by: .seconds(9)))
        #expect(subject.step() == "nothing")
        subject.addReader(journal, deadline: now.advanced(by: .seconds(1)))
        #expect(subject.step() == "setTimer")
        _ = subject.expire(now.advanced(by: .seconds(6)))
        #expect(journal.entries == ["reader false", "reader false"])
        #expect(subject.step() == "setTimer")
    }

    @Test func idleTimeout_tellsAndCloses() throws {
        var settings = StreamSettings()
        settings.idleTimeout = .seconds(3)
        let subject = try Subject(isOpen: false, settings)
        let journal = Journal<String>()
        subject.listen(.timeout, journal)
        _ = subject.state.life.open()
        subject.state.didOpen()
        subject.state.isWatched = true
        #expect(subject.step() == "register")
        #expect(subject.step() == "setTimer")
        _ = subject.expire(.now.advanced(by: .seconds(2)))
        #expect(!subject.state.life.isClosing)
        _ = subject.expire(.now.advanced(by: .seconds(4)))
        #expect(subject.state.life.isClosing)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(subject.state.life.failure == .timedOut())
    }

    @Test func close_thatNobodyHears_isStillOnce() throws {
        let subject = try Subject()
        subject.state.life.close(.reset)
        #expect(subject.step() == "end")
        subject.takeRequest()
        #expect(subject.step() == "release")
        for _ in 0..<3 { #expect(subject.step() == "nothing") }
    }
}
