/// Everything about a listening socket that its lock guards.
struct ListenerState: ~Copyable {
    /// The stages of a listener's life.
    enum Phase: Sendable {
        case fresh, listening, closing, closed
    }

    /// What the loop does next.
    enum Step: Sendable {
        case nothing
        case register(Int32)
        case release(Int32?, [Waiter])
        case deliver(Outbox.Delivery)
        case resume(Waiter)
        case accept(Int32, tick: UInt32)
        case setTimer(Instant)
        case yield
    }

    var descriptor = SharedDescriptor()
    var phase = Phase.fresh
    var machine = AcceptMachine()
    var outbox = Outbox()
    var waiters = WaiterQueue<Waiter>()
    var closers: [Waiter] = []
    var options = KernelOptions()
    /// What accepted connections start with.
    var connectionSettings = StreamSettings.Shared.standard
    var delivery = DeliveryContext.loop
    var local: SocketAddress?
    var lastError: Failure?
    var hasHandle = true
    var isRegistered = false
    var isReleased = false
    var pauseEnd = Instant.never
    var timer = Instant.never
    /// `serve` or `connections` takes the connections.
    var isTaken = false
    private var lastTicket: UInt64 = 0
    private var hasEmittedClose = false

    mutating func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    /// What to do next. `mayAccept`: the turn's budget is not used up.
    mutating func step(mayAccept: Bool) -> Step {
        if phase == .listening, !hasHandle, outbox.listeners.isEmpty, outbox.isIdle, waiters.isEmpty {
            phase = .closing
        }
        if isReleased, !hasEmittedClose {
            hasEmittedClose = true
            outbox.emitClose(nil)
        }
        if phase == .closing {
            phase = .closed
            isReleased = true
            var ended: [Waiter] = []
            while let waiting = waiters.popFirst() { ended.append(waiting.waiter) }
            return .release(descriptor.number, ended)
        }
        if phase == .listening, !isRegistered, let number = descriptor.number {
            isRegistered = true
            return .register(number)
        }
        if let delivery = outbox.beginDelivery() { return .deliver(delivery) }
        guard phase == .listening, let number = descriptor.number else { return .nothing }
        return acceptStep(number, mayAccept: mayAccept) ?? timerStep()
    }

    private mutating func acceptStep(_ number: Int32, mayAccept: Bool) -> Step? {
        let isForListener = waiters.isEmpty && !isTaken && outbox.hasListener(.connect) && outbox.isIdle
        guard isForListener || !waiters.isEmpty, let tick = machine.takeTurn() else { return nil }
        guard mayAccept else {
            machine.relinquish()
            return .yield
        }
        if let waiting = waiters.popFirst() { return .resume(waiting.waiter) }
        return .accept(number, tick: tick)
    }

    private mutating func timerStep() -> Step {
        let deadline = min(pauseEnd, waiters.earliestDeadline)
        guard deadline < timer else { return .nothing }
        timer = deadline
        return .setTimer(deadline)
    }

    /// Records what an accept brought. Returns whether readiness was cleared.
    mutating func finish(_ error: SystemError?, tick: UInt32) -> Bool {
        let (didClear, pause) = machine.finish(error.map(AcceptMachine.Outcome.init) ?? .accepted, tick: tick)
        if let error, let pause {
            pauseEnd = .now.advanced(by: pause)
            let failure = Failure.system(error, .accept)
            lastError = failure
            outbox.emit(.error(failure, local))
        }
        return didClear
    }

    /// Handles what is due; returns those whose time is over.
    mutating func expire(now: Instant) -> [Waiting<Waiter>] {
        timer = .never
        if pauseEnd <= now {
            pauseEnd = .never
            machine.resume()
        }
        return waiters.removeAll { $0.deadline <= now }
    }
}
