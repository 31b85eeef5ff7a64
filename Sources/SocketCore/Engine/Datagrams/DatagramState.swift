/// Everything about a datagram socket that its lock guards.
struct DatagramState: ~Copyable {
    /// The stages of a datagram socket's life.
    enum Phase: UInt8, Sendable, Comparable {
        case fresh, bound, flushing, closed

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// A queued datagram's caller.
    struct Sender: Sendable {
        let ticket: Ticket
        let size: Int
        var waiting: Waiting<Waiter>?
        var isOver = false
        var failure: Failure?
        /// Given up while it was being written: how it ends, should the kernel not have taken it.
        var givenUp: Failure?
    }

    /// What the loop does next.
    enum Step: Sendable {
        case nothing
        case end([(Waiter, Failure?)])
        case register(Int32)
        case release(Int32?)
        case deliver(Outbox.Delivery)
        case flush(Int32)
        case takeErrors(Int32)
        case resume(Waiter)
        case read(Int32, tick: UInt32)
        case setTimer(Instant)
        case yield
    }

    var descriptor = SharedDescriptor()
    var phase = Phase.fresh
    var read = ReadMachine()
    var write = DatagramWriteMachine()
    var outbox = Outbox()
    private var kept: DatagramDriver.Datagram?
    var readers = WaiterQueue<Waiter>()
    var senders: [Sender] = []
    var closers: [Waiter] = []
    var options = KernelOptions()
    var memberships = MembershipMachine()
    var delivery = DeliveryContext.loop
    var local: SocketAddress?
    var lastError: Failure?
    var hasHandle = true
    var isRegistered = false
    var hasErrors = false
    var idleTimeout: Duration?
    var lastActivity = Instant.never
    var closeTimeout: Duration = .seconds(5)
    var timer = Instant.never
    private var closeDeadline = Instant.never
    private var isReleased = false
    private var hasEmittedClose = false
    private var lastTicket: UInt64 = 0

    mutating func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    /// Starts closing: queued datagrams go out, or the time limit ends them.
    mutating func close() {
        guard phase < .flushing else { return }
        phase = .flushing
        closeDeadline = .now.advanced(by: closeTimeout)
    }

    /// What to do next. `mayRead`: the turn's budget is not used up.
    mutating func step(mayRead: Bool) -> Step {
        if phase == .bound, !hasHandle, outbox.listeners.isEmpty, outbox.isIdle, readers.isEmpty, senders.isEmpty {
            close()
        }
        if phase == .flushing, !readers.isEmpty {
            var ended: [(Waiter, Failure?)] = []
            while let reader = readers.popFirst() { ended.append((reader.waiter, .aborted())) }
            return .end(ended)
        }
        if phase == .flushing, write.isFlushed || descriptor.number == nil { phase = .closed }
        if isReleased, !hasEmittedClose {
            hasEmittedClose = true
            outbox.emitClose(nil)
        }
        if phase == .closed, !isReleased {
            isReleased = true
            return .release(descriptor.number)
        }
        if phase == .bound, !isRegistered, let number = descriptor.number {
            isRegistered = true
            return .register(number)
        }
        if let delivery = outbox.beginDelivery() { return .deliver(delivery) }
        guard isRegistered, let number = descriptor.number else { return timerStep() }
        if hasErrors {
            hasErrors = false
            return .takeErrors(number)
        }
        if write.canFlush { return .flush(number) }
        return readStep(number, mayRead: mayRead) ?? timerStep()
    }

    private mutating func readStep(_ number: Int32, mayRead: Bool) -> Step? {
        guard phase == .bound else { return nil }
        let interest: ReadMachine.Interest
        if !readers.isEmpty {
            interest = .reader
        } else {
            guard outbox.hasListener(.message), outbox.isIdle else { return nil }
            interest = .listeners
        }
        guard mayRead else { return read.hasDemand(interest) ? .yield : nil }
        switch read.demand(interest) {
        case .serveReader: return readers.popFirst().map { .resume($0.waiter) }
        case .readForListeners(let tick):
            guard let datagram = takeKept() else { return .read(number, tick: tick) }
            read.relinquish()
            tell(datagram)
            return outbox.beginDelivery().map { .deliver($0) }
        case .nothing, .probe, .discard: return nil
        }
    }

    /// Queues a datagram for those who listen. Nobody does any more: it is kept for the next reader.
    mutating func tell(_ datagram: DatagramDriver.Datagram) {
        if outbox.hasListener(.message) {
            let event = EngineEvent.message(datagram.bytes, from: datagram.source, isTruncated: datagram.isTruncated)
            let listeners = outbox.hear(.message)
            outbox.append(.call { listeners.tell(event) })
        } else {
            kept = datagram
            read.keep(1, isUntried: true)
        }
    }

    /// The datagram that was read for listeners who had left.
    mutating func takeKept() -> DatagramDriver.Datagram? {
        read.keep(0, isUntried: false)
        return kept.take()
    }

    private mutating func timerStep() -> Step {
        var deadline = min(closeDeadline, readers.earliestDeadline)
        for sender in senders { if let waiting = sender.waiting { deadline = min(deadline, waiting.deadline) } }
        if let idleTimeout, phase == .bound { deadline = min(deadline, lastActivity.advanced(by: idleTimeout)) }
        guard deadline < timer, phase != .closed else { return .nothing }
        timer = deadline
        return .setTimer(deadline)
    }

    /// Handles what is due; returns those whose operations end.
    mutating func expire(now: Instant) -> [(Waiter, Failure?)] {
        timer = .never
        var ended: [(Waiter, Failure?)] = []
        for reader in readers.removeAll(where: { $0.deadline <= now }) {
            ended.append((reader.waiter, .timedOut()))
        }
        for sender in senders {
            guard let waiting = sender.waiting, waiting.deadline <= now,
                let failure = withdraw(sender.ticket, .timedOut())
            else { continue }
            ended.append((waiting.waiter, failure))
        }
        if let idleTimeout, phase == .bound, lastActivity.advanced(by: idleTimeout) <= now {
            // Told, not closed: silence is normal for a datagram socket.
            outbox.emit(.timeout)
            lastActivity = now
        }
        if closeDeadline <= now {
            closeDeadline = .never
            for entry in write.dropAll() {
                let failure = Failure.aborted(sent: 0, remaining: entry.bytes.count)
                if let waiter = endSender(entry.ticket, failure) { ended.append((waiter, failure)) }
            }
        }
        return ended
    }

    /// Something was sent or received.
    mutating func noteActivity() {
        if idleTimeout != nil { lastActivity = .now }
    }

    /// A queued datagram's send has ended: returns who waits for it, or keeps the result for one about to wait.
    mutating func endSender(_ ticket: Ticket, _ failure: Failure?) -> Waiter? {
        guard let index = senders.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        guard let waiting = senders[index].waiting else {
            senders[index].isOver = true
            senders[index].failure = failure
            return nil
        }
        senders.remove(at: index)
        return waiting.waiter
    }

    /// Gives up a queued datagram: how its caller's wait ends. Nil when it has ended meanwhile, or is just being written;
    /// then its own end, or `endBlocked`, is what its caller hears.
    mutating func withdraw(_ ticket: Ticket, _ failure: Failure) -> Failure? {
        guard let index = senders.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        switch write.withdraw(ticket) {
        case .removed:
            tellDrained()
            return failure.with(sent: 0, remaining: senders.remove(at: index).size)
        case .underWay:
            senders[index].givenUp = failure
            return nil
        case .unknown: return nil
        }
    }

    /// The kernel had no room for a datagram, which stays queued, unless it was given up meanwhile: then returns who is
    /// told so.
    mutating func endBlocked(_ ticket: Ticket) -> (waiter: Waiter, failure: Failure)? {
        guard let sender = senders.first(where: { $0.ticket == ticket }), let waiting = sender.waiting,
            let givenUp = sender.givenUp, let failure = withdraw(ticket, givenUp)
        else { return nil }
        return (waiting.waiter, failure)
    }

    /// The queue has become shorter, sent or given up.
    mutating func tellDrained() {
        if write.takeDrained() { outbox.emit(.drain) }
    }
}
