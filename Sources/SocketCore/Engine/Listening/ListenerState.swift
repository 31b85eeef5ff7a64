/// Everything about a listening socket that its lock guards.
struct ListenerState: ~Copyable {
    /// The stages of a listener's life.
    enum Phase: Sendable {
        case fresh, listening, closing, closed
    }

    /// Takes a connection, or hears why there is none. Called outside of the lock.
    typealias Taker = @Sendable (Result<StreamDriver, Failure>) -> Void

    /// What the loop does next.
    enum Step: Sendable {
        case nothing
        case register(Int32)
        /// The takers get no connection any more, and these connections get no taker.
        case release(Int32?, [Taker], [StreamDriver])
        /// The last user has given the descriptor back that is to be detached.
        case surrender
        case deliver(Outbox.Delivery)
        /// A connection goes to the listeners of `connect`.
        case introduce(StreamDriver, to: [Listener])
        case handOver(StreamDriver, to: Taker)
        case look(Int32, AcceptMachine.Turn)
        /// Every connection has ended.
        case drained([Waiting<Waiter>])
        case setTimer(Instant)
        case yield
    }

    /// What somebody can have who asks for a connection.
    enum Attempt: Sendable {
        case connection(StreamDriver)
        /// To accept for himself, with a number that was lent.
        case turn(AcceptMachine.Turn, Int32)
        case wait
    }

    var descriptor = SharedDescriptor()
    var phase = Phase.fresh
    var machine = AcceptMachine()
    var outbox = Outbox()
    /// Those who wait for a connection, in order.
    var takers = WaiterQueue<Taker>()
    /// Accepted by the loop, and not given to anybody yet: only then is it decided who gets it, so that nobody who leaves
    /// takes it along.
    var inHand: StreamDriver?
    /// What makes connections secure before anybody gets them; nil: they are not.
    var security: (any CipherSource)?
    /// Those that are being made secure, how many at a time, and those that are secure and nobody's yet.
    var handshakes: [ObjectIdentifier: StreamDriver] = [:]
    var handshakeLimit = 1024
    var secured = Ring<StreamDriver>()
    /// The connections that have not ended.
    var connections: Set<StreamDriver> = []
    var closers: [Waiter] = []
    /// Those who wait until every connection has ended. When the time of one of them is over, the rest is cut off.
    var drainers = WaiterQueue<Waiter>()
    /// Time was over: a connection that still comes is cut off too.
    private var isCutOff = false
    /// A cut is under way, and its count not complete.
    private var isCutting = false
    private(set) var cutOffCount = 0
    /// Who waits for the descriptor, and then the descriptor.
    var detacher: Waiter?
    var detached: Int32?
    var options = KernelOptions()
    /// What accepted connections start with.
    var connectionSettings = StreamSettings.Shared.standard
    var delivery = DeliveryContext.loop
    var local: SocketAddress?
    /// What is to be removed when it no longer listens.
    var boundPath: BoundPath?
    /// How it will have come to its end.
    var ending = Ending.local
    var lastError: Failure?
    var hasHandle = true
    var isRegistered = false
    var isReleased = false
    var pauseEnd = Instant.never
    var timer = Instant.never
    /// `serve` takes the connections, and was cancelled.
    var isTaken = false
    var isServeCancelled = false
    private var lastTicket: UInt64 = 0
    private var hasEmittedClose = false

    mutating func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    // MARK: The decision

    /// What to do next. `mayAccept`: the turn's budget is not used up.
    mutating func step(mayAccept: Bool) -> Step {
        if phase == .listening, !hasHandle, outbox.listeners.isEmpty, outbox.isIdle, takers.isEmpty {
            phase = .closing
        }
        if isReleased, !hasEmittedClose {
            hasEmittedClose = true
            outbox.emitClose(nil)
        }
        if phase == .closing { return release() }
        if detacher != nil, descriptor.isReturned { return .surrender }
        if phase == .listening, !isRegistered, let number = descriptor.number {
            isRegistered = true
            return .register(number)
        }
        if let delivery = outbox.beginDelivery() { return .deliver(delivery) }
        if mustTellDrainers {
            return .drained(drainers.removeAll { _ in true })
        }
        return handOverStep() ?? acceptStep(mayAccept: mayAccept) ?? timerStep()
    }

    private mutating func release() -> Step {
        phase = .closed
        isReleased = true
        pauseEnd = .never
        timer = .never
        var unclaimed = Array(handshakes.values)
        if let connection = inHand.take() { unclaimed.append(connection) }
        while let connection = secured.popFirst() { unclaimed.append(connection) }
        handshakes = [:]
        return .release(descriptor.number, takers.removeAll { _ in true }.map(\.waiter), unclaimed)
    }

    /// A connection is about to be made secure. False when the listener has been closed since it was accepted: then nobody
    /// would ever take it.
    mutating func beginHandshake(of connection: StreamDriver) -> Bool {
        if isReleased { return false }
        handshakes[ObjectIdentifier(connection)] = connection
        return true
    }

    /// A handshake has ended. Returns whether its connection is wanted.
    mutating func endHandshake(of connection: StreamDriver, isSecure: Bool) -> Bool {
        // Gone from the table: the listener has been closed meanwhile.
        guard handshakes.removeValue(forKey: ObjectIdentifier(connection)) != nil, isSecure else { return false }
        secured.append(connection)
        return true
    }

    private var mayBeginHandshake: Bool { security == nil || handshakes.count < handshakeLimit }

    private var isForListener: Bool {
        takers.isEmpty && !isTaken && outbox.hasListener(.connect) && outbox.isIdle
    }

    private mutating func handOverStep() -> Step? {
        if inHand == nil { inHand = secured.popFirst() }
        if inHand == nil { return nil }
        if isForListener, let connection = inHand.take() {
            return .introduce(connection, to: outbox.beginTelling(.connect))
        }
        guard let taker = takers.popFirst(), let connection = inHand.take() else { return nil }
        return .handOver(connection, to: taker.waiter)
    }

    private mutating func acceptStep(mayAccept: Bool) -> Step? {
        guard phase == .listening, inHand == nil, let number = descriptor.number, isForListener || !takers.isEmpty,
            mayBeginHandshake, let turn = machine.takeTurn()
        else { return nil }
        guard mayAccept else {
            machine.relinquish(turn)
            return .yield
        }
        return .look(number, turn)
    }

    private mutating func timerStep() -> Step {
        let deadline = min(pauseEnd, takers.earliestDeadline, drainers.earliestDeadline)
        guard deadline < timer else { return .nothing }
        timer = deadline
        return .setTimer(deadline)
    }

    /// Whether the loop has something to do that calls on other threads may have caused.
    var mustTurn: Bool {
        !takers.isEmpty || isForListener || pauseEnd < timer || descriptor.isReturned || mustTellDrainers
    }

    // MARK: Accepting

    /// What somebody can have at once, before whom nobody waits.
    mutating func attempt(isEager: Bool) -> Attempt {
        guard takers.isEmpty else { return .wait }
        if let connection = inHand.take() ?? secured.popFirst() { return .connection(connection) }
        guard mayBeginHandshake, let turn = machine.admit(isEager: isEager) else { return .wait }
        guard let number = descriptor.lend() else {
            machine.relinquish(turn)
            return .wait
        }
        return .turn(turn, number)
    }

    /// Records what a turn brought. Returns whether readiness was cleared, and the event that followed, if one did.
    mutating func finish(
        _ turn: AcceptMachine.Turn, _ outcome: AcceptMachine.Outcome, _ error: SystemError?
    ) -> (didClear: Bool, event: EngineEvent?) {
        let verdict = machine.finish(turn, outcome)
        var event: EngineEvent?
        if let error, let pause = verdict.pause {
            pauseEnd = .now.advanced(by: pause)
            let failure = Failure.system(error, .accept)
            lastError = failure
            event = .error(failure, local)
        }
        if verdict.isOverload, let limit = machine.limit {
            event = .overload(open: machine.open, limit: limit, isRefused: turn.purpose == .refuse)
        }
        if let event { outbox.emit(event) }
        return (verdict.didClear, event)
    }

    /// Notes a connection that was accepted. Returns whether it came too late, and is to be cut off.
    mutating func add(_ connection: StreamDriver) -> Bool {
        connections.insert(connection)
        if isCutOff { cutOffCount += 1 }
        return isCutOff
    }

    /// A connection has ended. Returns whether the loop has something to do now.
    mutating func remove(_ connection: StreamDriver) -> Bool {
        connections.remove(connection)
        let hasRoomNow = machine.ended()
        return hasRoomNow && phase == .listening || mustTellDrainers
    }

    // MARK: Time

    /// What is due.
    struct Due: Sendable {
        var ended: [Taker] = []
        var cutOff: [StreamDriver]?
    }

    /// Handles what is due; the caller does the rest, and after a cut says how many it was.
    mutating func expire(now: Instant) -> Due {
        timer = .never
        if pauseEnd <= now {
            pauseEnd = .never
            machine.resume()
        }
        var due = Due(ended: takers.removeAll { $0.deadline <= now }.map(\.waiter))
        guard drainers.earliestDeadline <= now else { return due }
        // The last connection's end is what they wait for, now as before.
        let waiting = drainers.removeAll { _ in true }
        for drainer in waiting { drainers.append(drainer.withoutDeadline) }
        isCutOff = true
        isCutting = true
        due.cutOff = Array(connections)
        return due
    }

    /// A cut is over: so many connections were open still.
    mutating func didCutOff(_ count: Int) {
        isCutting = false
        cutOffCount += count
    }

    private var mustTellDrainers: Bool {
        !drainers.isEmpty && isReleased && machine.isDrained && !isCutting && outbox.isIdle
    }
}

extension Waiting {
    fileprivate var withoutDeadline: Waiting {
        Waiting(ticket: ticket, waiter: waiter, deadline: .never, isServing: isServing)
    }
}
