import Testing

@testable import SocketCore

/// What the loop is told to do next, without any socket: the descriptor is a number that no call is made on.
@Suite struct DatagramStateTests {
    private final class Subject {
        var state = DatagramState()

        init(isBound: Bool = true) throws {
            guard isBound else { return }
            switch SocketCalls.open(.v4, .datagram) {
            case .success(let descriptor): state.descriptor.adopt(descriptor)
            case .failure(let error): throw error
            }
            state.phase = .bound
            #expect(step() == "register")
            #expect(step() == "nothing")
        }

        /// The name of the next step.
        func step(mayRead: Bool = true) -> String {
            String(String(describing: state.step(mayRead: mayRead)).prefix { $0 != "(" })
        }

        func listen(_ kind: EventKind) {
            state.outbox.add(Listener(ticket: state.nextTicket(), kind: kind, isOnce: false) { _ in })
        }

        func addHandler(deadline: Instant = .never) {
            add(.init(who: .handler(DatagramsCompletion { _, _ in }), wish: .one()), deadline)
        }

        private func add(_ reader: DatagramState.Reader, _ deadline: Instant) {
            state.readers.append(
                Waiting(ticket: state.nextTicket(), waiter: reader, deadline: deadline, isServing: false))
        }

        /// Whether the next thing to be told is that a handler's receive has failed, and how.
        func notReceived() -> Failure? {
            if case .notReceivedDatagrams(_, let failure)? = state.outbox.beginDelivery()?.item { return failure }
            return nil
        }

        func addReader(deadline: Instant = .never, hearsErrors: Bool = true) {
            add(.init(who: .task(.handler { _ in }), wish: .one(hearsErrors: hearsErrors)), deadline)
        }

        /// A datagram that met "would block", and somebody who waits for it.
        func queue(deadline: Instant = .never) -> Ticket {
            if case .write(let tick) = state.write.admit() { _ = state.write.wrote(isBlocked: true, tick: tick) }
            let ticket = state.enqueue(.init(bytes: [1, 2], destination: .loopback(.v4, port: 9)), nil)
            wait(for: ticket, deadline)
            return ticket
        }

        func wait(for ticket: Ticket, _ deadline: Instant = .never) {
            guard let index = state.senders.firstIndex(where: { $0.ticket == ticket }) else { return }
            state.senders[index].waiting = Waiting(
                ticket: ticket, waiter: .handler { _ in }, deadline: deadline, isServing: false)
        }

        /// A flush that came so far. Returns how those who are done with it end.
        func flush(_ count: Int, _ error: SystemError? = nil) throws -> [Failure?] {
            state.endFlush(count, error, tick: try beginFlush()).0.map(\.1)
        }

        /// The loop begins to write what is queued.
        func beginFlush() throws -> UInt32 {
            state.write.ready(.writable)
            #expect(step() == "flush")
            let flush = state.write.beginFlush()
            return try #require(flush).tick
        }
    }

    @Test func fresh_hasNothingToDo() throws {
        #expect(try Subject(isBound: false).step() == "nothing")
    }

    @Test func datagram_isLeftInTheKernel_whileNobodyWantsIt() throws {
        let subject = try Subject()
        subject.state.read.ready(.readable)
        #expect(subject.step() == "nothing")
    }

    @Test func datagram_goesToTheReader_beforeTheListeners() throws {
        let subject = try Subject()
        subject.listen(.message)
        subject.addReader()
        subject.state.read.ready(.readable)
        #expect(subject.step() == "resume")
    }

    @Test func datagram_goesToTheListeners_withinTheBudget() throws {
        let subject = try Subject()
        subject.listen(.message)
        subject.state.read.ready(.readable)
        #expect(subject.step(mayRead: false) == "yield")
        #expect(subject.step() == "read")
        #expect(subject.step() == "nothing")
    }

    private static func datagram(_ number: UInt8, isTruncated: Bool = false) -> Datagram {
        Datagram(bytes: [number], source: .loopback(.v4), details: isTruncated ? .truncated(nil) : nil)
    }

    /// UDP cannot carry more than the loop's buffer holds; what a larger kind of datagram lost is told all the same.
    @Test(arguments: [true, false])
    func truncatedDatagram_isFlagged_toReaders(_ isTruncated: Bool) throws {
        let subject = try Subject()
        subject.state.keep([DatagramStateTests.datagram(1, isTruncated: isTruncated)])
        #expect(subject.state.takeKept(1).first?.details?.isTruncated ?? false == isTruncated)
    }

    /// What was read for listeners who left is kept, before what the kernel has, for the next reader or listener.
    @Test func datagrams_thatNobodyHeard_areKeptInOrder() throws {
        let subject = try Subject()
        subject.listen(.message)
        subject.state.read.ready(.readable)
        #expect(subject.step() == "read")
        subject.state.beginTelling()
        #expect(subject.state.hearMessage()?.count == 1)
        _ = subject.state.outbox.remove { _ in true }
        #expect(subject.state.hearMessage() == nil)
        let rest = (1...3).map { DatagramStateTests.datagram($0) }
        subject.state.endTelling(rest[...])
        #expect(subject.state.takeKept(1).map(\.bytes) == [[1]])
        subject.addReader()
        #expect(subject.step() == "resume")
        subject.state.read.relinquish()
        subject.listen(.message)
        #expect(subject.step() == "tell")
    }

    @Test func handler_isReadForByTheLoop_whenItIsFirst() throws {
        let subject = try Subject()
        subject.addReader()
        subject.addHandler()
        subject.state.read.ready(.readable)
        #expect(subject.step() == "resume")
        #expect(subject.step() == "nothing")
        subject.state.read.relinquish()
        #expect(subject.step() == "serveHandler")
        #expect(!subject.state.readers.isEmpty)
    }

    /// Behind the events that came before, and before "close".
    @Test func handler_thatEndsWithoutADatagram_hearsItInOrder() throws {
        let subject = try Subject()
        let now = Instant.now
        subject.addHandler(deadline: now.advanced(by: .seconds(1)))
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: now.advanced(by: .seconds(1))).isEmpty)
        #expect(subject.notReceived() == .timedOut())
        subject.state.outbox.endDelivery()

        subject.state.peer = .loopback(.v4, port: 9)
        subject.addHandler()
        #expect(subject.state.tellRefusal(.system(.connectionRefused, .receiveMessage), nil) == nil)
        #expect(subject.notReceived() == .system(.connectionRefused, .receiveMessage))
        subject.state.outbox.endDelivery()

        subject.addHandler()
        subject.state.close()
        #expect(subject.step() == "release")
        #expect(subject.notReceived() == .aborted())
        #expect(subject.state.readers.isEmpty)
    }

    /// Many small datagrams a call, few that are large or come as trains.
    @Test func slots_followWhatArrives() throws {
        let subject = try Subject()
        for _ in 0..<9 { subject.state.adaptSlots(filled: subject.state.slots, 64 * subject.state.slots) }
        #expect(subject.state.slots == DatagramCalls.receiveLimit)
        for _ in 0..<3 { subject.state.adaptSlots(filled: 3, 200) }
        #expect(subject.state.slots == DatagramCalls.receiveLimit)
        for _ in 0..<9 { subject.state.adaptSlots(filled: 54 * subject.state.slots, 65_000 * subject.state.slots) }
        #expect(subject.state.slots == 1)
        subject.state.adaptSlots(filled: 54, 65_000)
        #expect(subject.state.slots == 1)
        subject.state.adaptSlots(filled: 1, 1000)
        #expect(subject.state.slots == 2)
    }

    @Test func datagrams_thatAreKept_goWithTheSocket() throws {
        let subject = try Subject()
        subject.state.keep([DatagramStateTests.datagram(1)])
        subject.state.close()
        #expect(subject.step() == "release")
        #expect(subject.state.takeKept(1).isEmpty)
        subject.state.keep([DatagramStateTests.datagram(1)])
        #expect(subject.state.takeKept(1).isEmpty)
    }

    /// Answers of listeners on the loop are collected until all have been told; on another executor they go at once.
    @Test(arguments: [true, false])
    func answers_areHeld_whileListenersAreTold(_ isOnLoop: Bool) throws {
        let subject = try Subject()
        if !isOnLoop { subject.state.delivery = .executor { $0() } }
        subject.state.beginTelling()
        let admission = subject.state.write.admit()
        #expect((admission == .queue) == isOnLoop)
        guard isOnLoop else { return }
        _ = subject.queue()
        #expect(subject.step() == "nothing")
        subject.state.endTelling([])
        #expect(subject.step() == "flush")
    }

    // MARK: Errors of a connected socket's peer

    @Test func refusal_endsAPendingReader_orIsTold_orIsKeptForTheNext() throws {
        let failure = Failure.system(.connectionRefused, .sendTo)
        let subject = try Subject()
        // Not connected: told only.
        subject.addReader()
        #expect(subject.state.tellRefusal(failure, nil) == nil)
        #expect(subject.state.pendingError == nil)
        subject.state.peer = .loopback(.v4, port: 9)
        #expect(subject.state.tellRefusal(failure, nil) != nil)
        #expect(subject.state.readers.isEmpty)
        // An iteration goes on.
        subject.addReader(hearsErrors: false)
        #expect(subject.state.tellRefusal(failure, nil) == nil)
        #expect(!subject.state.readers.isEmpty)
        #expect(subject.state.pendingError == failure)
        subject.state.pendingError = nil
        subject.listen(.error)
        #expect(subject.state.tellRefusal(failure, nil) == nil)
        #expect(subject.state.pendingError == nil)
        #expect(subject.step() == "deliver")
    }

    @Test func errors_areTakenFirst_once() throws {
        let subject = try Subject()
        subject.listen(.message)
        subject.state.read.ready(.readable)
        subject.state.hasErrors = true
        #expect(subject.step() == "takeErrors")
        #expect(subject.step() == "read")
    }

    @Test func queue_isFlushed_whenThereIsRoom() throws {
        let subject = try Subject()
        _ = subject.queue()
        #expect(subject.step() == "nothing")
        subject.state.write.ready(.writable)
        #expect(subject.step() == "flush")
    }

    @Test func close_endsReaders_waitsForTheQueue_andReleasesOnce() throws {
        let subject = try Subject()
        subject.addReader()
        let ticket = subject.queue()
        subject.state.close()
        #expect(subject.step() == "end")
        #expect(subject.step() == "setTimer")
        #expect(subject.step() == "nothing")
        #expect(try subject.flush(1) == [nil])
        #expect(subject.state.senders.allSatisfy { $0.ticket != ticket })
        #expect(subject.step() == "release")
        for _ in 0..<3 { #expect(subject.step() == "nothing") }
    }

    @Test func closeTimeout_dropsTheQueue() throws {
        let subject = try Subject()
        _ = subject.queue()
        _ = subject.queue()
        subject.state.close()
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: .now.advanced(by: .seconds(6))).count == 2)
        #expect(subject.step() == "release")
    }

    @Test func deadline_removesTheDatagram() throws {
        let subject = try Subject()
        let now = Instant.now
        _ = subject.queue(deadline: now.advanced(by: .seconds(1)))
        _ = subject.queue()
        subject.addReader(deadline: now.advanced(by: .seconds(2)))
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: now.advanced(by: .seconds(1))).count == 1)
        #expect(subject.state.write.queuedBytes == 2)
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: now.advanced(by: .seconds(2))).count == 1)
        #expect(subject.state.readers.isEmpty)
    }

    @Test func withdraw_ofTheOnlyDatagram_letsCloseGoOn() throws {
        let subject = try Subject()
        let ticket = subject.queue()
        subject.state.close()
        #expect(subject.step() == "setTimer")
        #expect(subject.state.withdraw(ticket, .cancelled()) == .cancelled(sent: 0, remaining: 2))
        #expect(subject.state.withdraw(ticket, .cancelled()) == nil)
        #expect(subject.step() == "release")
    }

    /// Cancelled while the loop hands it to the kernel: when that takes it the call succeeds, and when it has no room
    /// the call ends as cancelled instead of waiting on.
    @Test(arguments: [true, false])
    func withdraw_ofTheDatagramThatIsBeingWritten_isNotForgotten(_ isBlocked: Bool) throws {
        let subject = try Subject()
        let ticket = subject.queue()
        let tick = try subject.beginFlush()
        #expect(subject.state.withdraw(ticket, .cancelled()) == nil)
        let ended = subject.state.endFlush(isBlocked ? 0 : 1, isBlocked ? .wouldBlock : nil, tick: tick).0
        #expect(ended.map(\.1) == [isBlocked ? .cancelled(sent: 0, remaining: 2) : nil])
        #expect(subject.state.senders.isEmpty)
        #expect(subject.state.write.isFlushed)
    }

    @Test func blockedDatagram_thatNobodyGaveUp_staysQueued() throws {
        let subject = try Subject()
        _ = subject.queue()
        #expect(try subject.flush(0, .wouldBlock).isEmpty)
        #expect(subject.state.senders.count == 1)
        #expect(subject.state.write.queuedBytes == 2)
    }

    // MARK: Batches

    private func queueBatch(_ subject: Subject, _ sizes: [Int]) -> Ticket {
        if case .write(let tick) = subject.state.write.admit() {
            _ = subject.state.write.wrote(isBlocked: true, tick: tick)
        }
        let batch = sizes.map {
            DatagramCalls.Outgoing(bytes: [UInt8](repeating: 0, count: $0), destination: .loopback(.v4, port: 9))
        }
        let sender = DatagramState.Sender(
            ticket: subject.state.nextTicket(), remaining: sizes.reduce(0, +), left: sizes.count)
        subject.state.enqueue(batch[...], sender, isFirst: false)
        return sender.ticket
    }

    /// The one that waits for a batch hears when its last datagram has ended, of the first that was refused.
    @Test func batch_endsOnce_withTheFirstRefusal() throws {
        let subject = try Subject()
        let ticket = queueBatch(subject, [1, 2, 3, 4])
        subject.wait(for: ticket)
        #expect(try subject.flush(1, .messageTooLong).isEmpty)
        #expect(try subject.flush(0, .wouldBlock).isEmpty)
        #expect(try subject.flush(1, .permissionDenied) == [.system(.messageTooLong, .sendTo, sent: 4, remaining: 6)])
        #expect(subject.state.senders.isEmpty)
        #expect(subject.state.counts.bytesSent == 4)
    }

    @Test func batch_thatIsGivenUp_saysHowFarItCame() throws {
        let subject = try Subject()
        let ticket = queueBatch(subject, [1, 2, 3, 4])
        subject.wait(for: ticket)
        #expect(try subject.flush(2, .wouldBlock).isEmpty)
        #expect(subject.state.withdraw(ticket, .timedOut()) == .timedOut(sent: 3, remaining: 7))
        #expect(subject.state.write.isFlushed)
    }

    /// Ended before anybody waited for it: the result is kept.
    @Test func batch_thatEndsBeforeAnybodyWaits_keepsItsResult() throws {
        let subject = try Subject()
        let ticket = queueBatch(subject, [1, 2])
        #expect(try subject.flush(2).isEmpty)
        #expect(subject.state.senders.first?.ticket == ticket)
        #expect(subject.state.senders.first?.left == 0)
        #expect(subject.state.senders.first?.result == nil)
    }

    /// Completions of datagrams that have gone together are one delivery; of one that was refused there is one of its own.
    @Test func completions_areToldTogether_inOrder() throws {
        let subject = try Subject()
        let heard = Journal<String>()
        if case .write(let tick) = subject.state.write.admit() {
            _ = subject.state.write.wrote(isBlocked: true, tick: tick)
        }
        for number in 1...3 {
            _ = subject.state.enqueue(.init(bytes: [1], destination: .loopback(.v4, port: 9))) { failure in
                heard.note("\(number) \(failure == nil)")
            }
        }
        #expect(try subject.flush(2, .messageTooLong).isEmpty)
        for count in [2, 3] {
            subject.state.outbox.beginDelivery()?.perform()
            subject.state.outbox.endDelivery()
            #expect(heard.entries == Array(["1 true", "2 true", "3 false"].prefix(count)))
        }
        #expect(subject.state.outbox.isEmpty)
    }

    @Test func drain_isTold_whenTheQueueIsGivenUp() throws {
        let subject = try Subject()
        subject.listen(.drain)
        subject.state.write.highWaterMark = 3
        let tickets = [subject.queue(), subject.queue()]
        #expect(subject.step() == "nothing")
        for ticket in tickets { _ = subject.state.withdraw(ticket, .cancelled()) }
        #expect(subject.step() == "deliver")
        subject.state.outbox.endDelivery()
        #expect(subject.step() == "nothing")
    }

    /// On datagrams silence is normal: it is told, again and again, and nothing is closed.
    @Test func idleTimeout_isTold_andDoesNotClose() throws {
        let subject = try Subject()
        subject.listen(.timeout)
        subject.state.idleTimeout = .seconds(3)
        subject.state.noteActivity()
        #expect(subject.step() == "setTimer")
        var now = Instant.now
        for _ in 0..<3 {
            now = now.advanced(by: .seconds(4))
            _ = subject.state.expire(now: now)
            #expect(subject.step() == "deliver")
            subject.state.outbox.endDelivery()
            #expect(subject.step() == "setTimer")
        }
        #expect(subject.state.phase == .bound)
    }

    @Test func abandoned_isClosed_onlyWhenNobodyIsLeft() throws {
        let subject = try Subject()
        subject.addReader()
        subject.state.hasHandle = false
        #expect(subject.step() == "nothing")
        _ = subject.state.readers.popFirst()
        #expect(subject.step() == "release")
    }
}
