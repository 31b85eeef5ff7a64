import Testing

@testable import SocketCore

/// What the loop is told to do next, without any socket: the descriptor is a number that no call is made on.
@Suite struct ListenerStateTests {
    /// Never used, but given to somebody.
    private let connection = StreamDriver(group: EventLoopGroup(count: 1))

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

        // The macros of the tests cannot look into what is not copied.
        var mustTurn: Bool { state.mustTurn }
        func add(_ connection: StreamDriver) -> Bool { state.add(connection) }
        func remove(_ connection: StreamDriver) -> Bool { state.remove(connection) }
        func begin(_ connection: StreamDriver) -> Bool { state.beginHandshake(of: connection) }
        func end(_ connection: StreamDriver, isSecure: Bool) -> Bool {
            state.endHandshake(of: connection, isSecure: isSecure)
        }
        func lend() -> Int32? { state.descriptor.lend() }
        func withhold() -> Bool { state.descriptor.withhold() }
        func finish(_ turn: AcceptMachine.Turn, _ outcome: AcceptMachine.Outcome, _ error: SystemError? = nil) -> Bool {
            state.finish(turn, outcome, error).didClear
        }

        func listen(_ kind: EventKind) {
            state.outbox.add(Listener(ticket: state.nextTicket(), kind: kind, isOnce: false) { _ in })
        }

        func addTaker(deadline: Instant = .never) {
            state.takers.append(
                Waiting(ticket: state.nextTicket(), waiter: { _ in }, deadline: deadline, isServing: false))
        }

        func addDrainer(deadline: Instant = .never) {
            state.drainers.append(
                Waiting(ticket: state.nextTicket(), waiter: .handler { _ in }, deadline: deadline, isServing: false))
        }

        /// Lets the loop accept a connection that is there.
        func bring(_ connection: StreamDriver, sourceLocation: SourceLocation = #_sourceLocation) {
            state.machine.ready(.readable)
            guard case .look(_, let turn) = state.step(mayAccept: true) else {
                Issue.record("nothing is accepted", sourceLocation: sourceLocation)
                return
            }
            let isLate = state.add(connection)
            #expect(!isLate, sourceLocation: sourceLocation)
            state.inHand = connection
            let didClear = state.finish(turn, .connection, nil).didClear
            #expect(!didClear, sourceLocation: sourceLocation)
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
        #expect(subject.step() == "look")
    }

    @Test func connection_goesToWhoeverWaits_beforeTheListeners() throws {
        let subject = try Subject()
        subject.listen(.connect)
        subject.addTaker()
        subject.bring(connection)
        #expect(subject.step() == "handOver")
        subject.bring(connection)
        #expect(subject.step() == "introduce")
    }

    @Test func connection_goesToWhoeverWaits_inOrder() throws {
        let subject = try Subject()
        let order = Journal<Int>()
        for number in 1...3 {
            subject.state.takers.append(
                Waiting(
                    ticket: subject.state.nextTicket(), waiter: { _ in order.note(number) }, deadline: .never,
                    isServing: false))
        }
        for _ in 0..<3 {
            subject.bring(connection)
            guard case .handOver(let given, let taker) = subject.state.step(mayAccept: true) else { break }
            #expect(given === connection)
            taker(.success(given))
        }
        #expect(order.entries == [1, 2, 3])
    }

    /// Whoever was to have it may leave while it is being accepted; the next gets it, whether a call or a listener.
    @Test(arguments: ["a call that waits", "a call that asks", "a listener"])
    func connection_whoseTakerLeft_isForTheNext(_ next: String) throws {
        let subject = try Subject()
        subject.addTaker()
        subject.bring(connection)
        _ = subject.state.takers.popFirst()
        #expect(subject.step() == "nothing")
        switch next {
        case "a call that waits":
            subject.addTaker()
            #expect(subject.step() == "handOver")
        case "a call that asks":
            guard case .connection(let given) = subject.state.attempt(isEager: false) else {
                Issue.record("it has none")
                return
            }
            #expect(given === connection)
        default:
            subject.listen(.connect)
            #expect(subject.step() == "introduce")
        }
        #expect(subject.state.inHand == nil)
    }

    @Test func connection_inHand_isReleasedWithTheListener() throws {
        let subject = try Subject()
        subject.addTaker()
        subject.bring(connection)
        _ = subject.state.takers.popFirst()
        subject.state.phase = .closing
        guard case .release(_, _, let unwanted) = subject.state.step(mayAccept: true) else {
            Issue.record("not released")
            return
        }
        #expect(unwanted == [connection])
    }

    @Test func attempt_behindOthers_waits() throws {
        let subject = try Subject()
        subject.addTaker()
        subject.state.machine.ready(.readable)
        guard case .wait = subject.state.attempt(isEager: true) else {
            Issue.record("it overtakes")
            return
        }
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
        #expect(subject.step() == "look")
    }

    /// Out of descriptors: told, paused, and tried again when the pause is over (promise 22).
    @Test func exhaustion_pauses_andGoesOn() throws {
        let subject = try Subject()
        subject.listen(.connect)
        subject.state.machine.ready(.readable)
        guard case .look(_, let turn) = subject.state.step(mayAccept: true) else {
            Issue.record("nothing to accept")
            return
        }
        #expect(subject.finish(turn, .exhausted, .tooManyOpenFiles) == false)
        #expect(subject.state.lastError == .system(.tooManyOpenFiles, .accept))
        #expect(subject.step() == "setTimer")
        #expect(subject.step() == "nothing")
        #expect(subject.state.expire(now: .now.advanced(by: .seconds(1))).ended.isEmpty)
        #expect(subject.step() == "look")
    }

    @Test func close_endsThoseWhoWait_andReleasesOnce() throws {
        let subject = try Subject()
        subject.addTaker()
        subject.addTaker()
        subject.listen(.close)
        subject.state.phase = .closing
        guard case .release(let number, let ended, let unwanted) = subject.state.step(mayAccept: true) else {
            Issue.record("not released")
            return
        }
        #expect(number != nil)
        #expect(ended.count == 2)
        #expect(unwanted.isEmpty)
        #expect(subject.step() == "deliver")
        subject.state.outbox.endDelivery()
        for _ in 0..<3 { #expect(subject.step() == "nothing") }
    }

    @Test func close_beforeListening_releasesNothing() throws {
        let subject = try Subject(isListening: false)
        subject.state.phase = .closing
        guard case .release(nil, let ended, let unwanted) = subject.state.step(mayAccept: true) else {
            Issue.record("not released")
            return
        }
        #expect(ended.isEmpty)
        #expect(unwanted.isEmpty)
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
        subject.addTaker(deadline: now.advanced(by: .seconds(1)))
        subject.addTaker()
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: now).ended.isEmpty)
        #expect(subject.state.expire(now: now.advanced(by: .seconds(2))).ended.count == 1)
        #expect(subject.step() == "nothing")
    }

    // MARK: The limit

    @Test func overload_isTold_onceForACrowd() throws {
        let subject = try Subject()
        subject.addTaker()
        subject.listen(.overload)
        subject.state.machine.limit = 0
        subject.state.machine.ready(.readable)
        guard case .look(_, let turn) = subject.state.step(mayAccept: true) else {
            Issue.record("nobody looks")
            return
        }
        #expect(turn.purpose == .look)
        _ = subject.finish(turn, .connection)
        guard case .deliver(let delivery) = subject.state.step(mayAccept: true),
            case .event(.overload(open: 0, limit: 0, isRefused: false)) = delivery.item
        else {
            Issue.record("not told")
            return
        }
        subject.state.outbox.endDelivery()
        #expect(subject.step() == "nothing")
    }

    @Test func end_ofAConnection_isNews_onlyWhereItMakesRoom() throws {
        let subject = try Subject()
        subject.addTaker()
        subject.addTaker()
        subject.bring(connection)
        #expect(subject.step() == "handOver")
        #expect(!subject.remove(connection))
        subject.state.machine.limit = 1
        subject.bring(connection)
        #expect(subject.step() == "handOver")
        #expect(subject.remove(connection))
        #expect(subject.state.connections.isEmpty)
    }

    // MARK: Handshakes

    @Test func connection_thatIsSecure_goesToWhoeverWaits() throws {
        let subject = try Subject()
        subject.addTaker()
        #expect(subject.begin(connection))
        #expect(subject.step() == "nothing")
        #expect(subject.end(connection, isSecure: true))
        #expect(subject.step() == "handOver")
        #expect(subject.state.handshakes.isEmpty)
    }

    @Test func connection_thatDoesNotBecomeSecure_goesToNobody() throws {
        let subject = try Subject()
        subject.addTaker()
        #expect(subject.begin(connection))
        #expect(!subject.end(connection, isSecure: false))
        #expect(subject.step() == "nothing")
    }

    /// It may have been accepted by another thread just before the close: nobody would ever take it.
    @Test(arguments: ["in its handshake", "secure", "just accepted"])
    func connection_whenTheListenerCloses_isLeftToNobody(_ stage: String) throws {
        let subject = try Subject()
        if stage != "just accepted" { #expect(subject.begin(connection)) }
        if stage == "secure" { #expect(subject.end(connection, isSecure: true)) }
        subject.state.phase = .closing
        guard case .release(_, _, let unclaimed) = subject.state.step(mayAccept: true) else {
            Issue.record("not released")
            return
        }
        #expect(unclaimed == (stage == "just accepted" ? [] : [connection]))
        #expect(!subject.begin(connection))
        #expect(!subject.end(connection, isSecure: true))
        #expect(subject.step() == "nothing")
    }

    // MARK: Shutting down

    @Test func drainers_areTold_whenTheLastConnectionHasEnded() throws {
        let subject = try Subject()
        subject.addTaker()
        subject.bring(connection)
        #expect(subject.step() == "handOver")
        subject.addDrainer()
        subject.addDrainer()
        subject.state.phase = .closing
        #expect(subject.step() == "release")
        #expect(subject.step() == "nothing")
        #expect(subject.remove(connection))
        guard case .drained(let told) = subject.state.step(mayAccept: true) else {
            Issue.record("not told")
            return
        }
        #expect(told.count == 2)
        #expect(subject.step() == "nothing")
    }

    @Test func drainers_areTold_afterTheCloseEvent() throws {
        let subject = try Subject()
        subject.listen(.close)
        subject.addDrainer()
        subject.state.phase = .closing
        #expect(subject.step() == "release")
        #expect(subject.step() == "deliver")
        #expect(subject.step() == "nothing")
        subject.state.outbox.endDelivery()
        #expect(subject.step() == "drained")
    }

    /// Another thread's accept that began before the end may still bring a connection.
    @Test func drainers_waitForAnAcceptUnderWay() throws {
        let subject = try Subject()
        subject.state.machine.ready(.readable)
        guard case .turn(let turn, _) = subject.state.attempt(isEager: false) else {
            Issue.record("nothing to accept")
            return
        }
        subject.addDrainer()
        subject.state.phase = .closing
        #expect(subject.step() == "release")
        #expect(subject.step() == "nothing")
        _ = subject.state.descriptor.giveBack()
        #expect(!subject.finish(turn, .lost))
        #expect(subject.mustTurn)
        #expect(subject.step() == "drained")
    }

    @Test func drainers_whoseTimeIsOver_cutOffWhatIsLeft_andWhatComesLater() throws {
        let subject = try Subject()
        let now = Instant.now
        subject.addTaker()
        subject.bring(connection)
        #expect(subject.step() == "handOver")
        subject.addDrainer(deadline: now.advanced(by: .seconds(1)))
        subject.addDrainer(deadline: now.advanced(by: .seconds(2)))
        subject.state.phase = .closing
        #expect(subject.step() == "release")
        #expect(subject.step() == "setTimer")
        #expect(subject.state.expire(now: now).cutOff == nil)
        #expect(subject.step() == "setTimer")
        let due = subject.state.expire(now: now.advanced(by: .seconds(1)))
        #expect(due.cutOff?.count == 1)
        // It may end before the cut has been counted.
        #expect(!subject.remove(connection))
        #expect(subject.step() == "nothing")
        subject.state.didCutOff(1)
        #expect(subject.step() == "drained")
        #expect(subject.add(connection))
        #expect(subject.state.cutOffCount == 2)
    }

    // MARK: Detaching

    @Test func detach_whileACallUsesTheDescriptor_waitsForIt() throws {
        let subject = try Subject()
        #expect(subject.lend() != nil)
        subject.state.detacher = .handler { _ in }
        subject.state.phase = .closing
        #expect(subject.step() == "release")
        #expect(subject.withhold())
        #expect(subject.step() == "nothing")
        #expect(subject.lend() == nil)
        _ = subject.state.descriptor.giveBack()
        #expect(subject.mustTurn)
        #expect(subject.step() == "surrender")
    }
}
