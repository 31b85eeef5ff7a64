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

        func addReader(deadline: Instant = .never) {
            state.readers.append(
                Waiting(ticket: state.nextTicket(), waiter: .handler { _ in }, deadline: deadline, isServing: false))
        }

        /// A datagram that met "would block", and somebody who waits for it.
        func queue(deadline: Instant = .never) -> Ticket {
            if case .write(let tick) = state.write.admit() { _ = state.write.wrote(isBlocked: true, tick: tick) }
            let ticket = state.nextTicket()
            state.write.enqueue(.init(ticket: ticket, bytes: [1, 2], destination: .loopback(.v4, port: 9)))
            let waiting = Waiting(ticket: ticket, waiter: Waiter.handler { _ in }, deadline: deadline, isServing: false)
            state.senders.append(.init(ticket: ticket, size: 2, waiting: waiting))
            return ticket
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

    /// UDP cannot carry more than the loop's buffer holds; what a larger kind of datagram lost is told all the same.
    @Test(arguments: [true, false])
    func truncatedDatagram_isFlagged_toListenersAndReaders(_ isTruncated: Bool) throws {
        let subject = try Subject()
        let datagram = DatagramDriver.Datagram(bytes: [1], source: .loopback(.v4), isTruncated: isTruncated)
        let heard = Journal<Bool>()
        subject.state.outbox.add(
            Listener(ticket: subject.state.nextTicket(), kind: .message, isOnce: true) { event in
                if case .message(_, _, let isTruncated) = event { heard.note(isTruncated) }
            })
        subject.state.tell(datagram)
        subject.state.outbox.beginDelivery()?.perform()
        subject.state.outbox.endDelivery()
        #expect(heard.entries == [isTruncated])
        // Nobody listens any more: it is kept for who reads next.
        subject.state.tell(datagram)
        #expect(subject.state.takeKept()?.isTruncated == isTruncated)
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
        let tick = try subject.beginFlush()
        _ = subject.state.write.endFlush(isBlocked: false, tick: tick)
        #expect(subject.state.endSender(ticket, nil) != nil)
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
        _ = subject.state.write.endFlush(isBlocked: isBlocked, tick: tick)
        if isBlocked {
            #expect(subject.state.endBlocked(ticket)?.failure == .cancelled(sent: 0, remaining: 2))
        } else {
            #expect(subject.state.endSender(ticket, nil) != nil)
        }
        #expect(subject.state.senders.isEmpty)
        #expect(subject.state.write.isFlushed)
    }

    @Test func blockedDatagram_thatNobodyGaveUp_staysQueued() throws {
        let subject = try Subject()
        let ticket = subject.queue()
        let tick = try subject.beginFlush()
        _ = subject.state.write.endFlush(isBlocked: true, tick: tick)
        #expect(subject.state.endBlocked(ticket) == nil)
        #expect(subject.state.senders.count == 1)
        #expect(subject.state.write.queuedBytes == 2)
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
