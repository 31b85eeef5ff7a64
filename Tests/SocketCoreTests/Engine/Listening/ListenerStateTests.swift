import Testing

@testable import SocketCore

/// What the loop is told to do next, without any socket: the descriptor is a number that no call is made on.
@Suite struct ListenerStateTests {
    private final class Subject {
        var state = ListenerState()

        init(isListening: Bool = true) throws {
            guard isListening else { return }
            switch SocketCalls.open(.v4, .stream) {
            case .success(let descriptor): state.descriptor.adopt(descriptor)
            case .failure(let error): throw error
            }
            state.phase = .listening
            #expect(step() == "register")
            #expect(step() == "nothing")
        }

        /// The name of the next step.
        func step(mayAccept: Bool = true) -> String {
            String(String(describing: state.step(mayAccept: mayAccept)).prefix { $0 != "(" })
        }

        func listen(_ kind: EventKind) {
            state.outbox.add(Listener(ticket: state.nextTicket(), kind: kind, isOnce: false) { _ in })
        }

        func addWaiter(_ journal: Journal<String> = Journal(), deadline: Instant = .never) {
            let waiter = Waiter.handler { journal.note("\(String(describing: $0))") }
            state.waiters.append(
                Waiting(ticket: state.nextTicket(), waiter: waiter, deadline: deadline, isServing: false))
        }
    }

    @Test func fresh_hasNothingToDo() throws {
        #expect(try Subject(isListening: false).step() == "nothing")
    }

    @Test func connection_waitsInTheBacklog_whileNobodyWantsIt() throws {
        let subject = try Subject()
        subject.state.machine.ready(.readable)
        #expect(subject.step() == "nothing")
        subject.listen(.connect)
        #expect(subject.step() == "accept")
    }

    @Test func connection_goesToWhoeverWaits_beforeTheListeners() throws {
        let subject = try Subject()
        subject.listen(.connect)
        subject.addWaiter()
        subject.state.machine.ready(.readable)
        #expect(subject.step() == "resume")
    }

    @Test func connections_thatAreTaken_doNotGoToListeners() throws {
        let subject = try Subject()
        subject.listen(.connect)
        subject.state.isTaken = true
        subject.state.machine.ready(.readable)
        #expect(subject.step() == "nothing")
    }

    @Test func budget_isKept() throws {
        let subject = try Subject()
        subject.listen(.connect)
        #expect(subject.step(mayAccept: false) == "nothing")
        subject.state.machine.ready(.readable)
        #expect(subject.step(mayAccept: false) == "yield")
        #expect(subject.step() == "accept")
    }

    /// Out of descriptors: told, paused, and tried again when the pause is over (promise 22).
    @Test func exhaustion_pauses_andGoesOn() throws {
        let subject = try Subject()
        subject.listen(.connect)
        subject.state.machine.ready(.readable)
        guard case .accept(_, let tick) = subject.state.step(mayAccept: true) else {
            Issue.record("nothing to accept")
            return
        }
        #expect(subject.state.finish(.tooManyOpenFiles, tick: tick) == false)
        #expect(subject.state.lastError == .system(.tooManyOpenFiles, .accept))
        #expect(subject.step() == "setTimer")
        #expect(subject.step() == "nothing")
        #expect(subject.state.expire(now: .now.advanced(by: .seconds(1))).isEmpty)
        #expect(subject.step() == "accept")
    }

    @Test func close_endsThoseWhoWait_andReleasesOnce() throws {
        let subject = try Subject()
        subject.addWaiter()
        subject.addWaiter()
        subject.listen(.close)
        subject.state.phase = .closing
        guard case .release(let number, let ended) = subject.state.step(mayAccept: true) else {
            Issue.record("not released")
            return
        }
        #expect(number != nil)
        #expect(ended.count == 2)
        #expect(subject.step() == "deliver")
        subject.state.outbox.endDelivery()
        for _ in 0..<3 { #expect(subject.step() == "nothing") }
    }

    @Test func close_beforeListening_releasesNothing() throws {
        let subject = try Subject(isListening: false)
        subject.state.phase = .closing
        guard case .release(nil, let ended) = subject.state.step(mayAccept: true) else {
            Issue.record("not released")
            return
        }
        #expect(ended.isEmpty)
    }

    @Test func abandoned_isClosed_onlyWhenNobodyIsLeft() throws {
        let subject = try Subject()
        subject.listen(.connect)
        subject.state.hasHandle = false
        #expect(subject.step() == "nothing")
        _ = subject.state.outbox.remove { _ in true }
        #expect(subject.step() == "release")
    }

    @Test func deadline_endsTheWait() throws {
        let subject = try Subject()
        let now = Instant.now
        subject.addWaiter(deadline: now.advanced(by: .seconds(1)))
        subject.addWaiter()
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: now).isEmpty)
        #expect(subject.state.expire(now: now.advanced(by: .seconds(2))).count == 1)
        #expect(subject.step() == "nothing")
    }
}
