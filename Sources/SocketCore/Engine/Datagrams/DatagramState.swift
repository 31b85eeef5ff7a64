/// Everything about a datagram socket that its lock guards.
struct DatagramState: ~Copyable {
    /// The stages of a datagram socket's life.
    enum Phase: UInt8, Sendable, Comparable {
        case fresh, bound, flushing, closed

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// Somebody who waits for a datagram.
    struct Reader: Sendable {
        enum Who: Sendable {
            /// Told that it is its turn; reads for itself.
            case task(Waiter)
            /// Handed what the loop has read for it.
            case handler(DatagramsCompletion)
        }

        let who: Who
        let wish: DatagramDriver.Wish

        var isHandler: Bool { if case .handler = who { true } else { false } }
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
        /// The first who waits is a handler, and has the turn.
        case serveHandler(Int32)
        case read(Int32, slots: Int, tick: UInt32)
        case tell([Datagram])
        case setTimer(Instant)
        case yield
    }

    var descriptor = SharedDescriptor()
    var phase = Phase.fresh
    var read = ReadMachine()
    var write = DatagramWriteMachine()
    var outbox = Outbox()
    /// Datagrams that were taken from the kernel and have no reader yet: a call may bring several.
    private var kept = Ring<Datagram>()
    /// How many receive slots a batch fills at most: see `adaptSlots`.
    private(set) var slots = 8
    var readers = WaiterQueue<Reader>()
    var senders: [Sender] = []
    var closers: [Waiter] = []
    var options = KernelOptions()
    var memberships = MembershipMachine()
    var delivery = DeliveryContext.loop
    var local: SocketAddress?
    /// What is to be removed at the end.
    var boundPath: BoundPath?
    /// A local receiver whose queue is full tells nobody but those who are connected to it when there is room (unix(7)).
    var mayNotBeTold = false
    /// When to try again because of that.
    private var retryAt = Instant.never
    var peer: SocketAddress?
    /// Our address before connect(2) narrowed it.
    var localBeforeConnect: SocketAddress?
    /// connect(2) or its undoing is under way.
    var isConnecting = false
    /// The kernel can cut a datagram up into several.
    var maySegment = false
    var counts = StreamCounts()
    var lastError: Failure?
    /// What the peer of a connected socket caused, for the next reader.
    var pendingError: Failure?
    var hasHandle = true
    var isRegistered = false
    var hasErrors = false
    var idleTimeout: Duration?
    var lastActivity = Instant.never
    var closeTimeout: Duration = .seconds(5)
    var sendQueueLimit: Int?
    var timer = Instant.never
    private var closeDeadline = Instant.never
    private var isReleased = false
    private var hasEmittedClose = false
    private var lastTicket: UInt64 = 0
    private var servedInARow = 0
    private static let servedInARowLimit = 64

    mutating func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    /// Counts what a task was served without having to wait. Returns whether it has had its share of the loop.
    mutating func servedAtOnce() -> Bool {
        servedInARow += 1
        guard servedInARow >= DatagramState.servedInARowLimit else { return false }
        servedInARow = 0
        return true
    }

    /// Starts closing: queued datagrams go out, or the time limit ends them.
    mutating func close() {
        guard phase < .flushing else { return }
        phase = .flushing
        closeDeadline = .now.advanced(by: closeTimeout)
    }

    /// What to do next. `mayRead`: the turn's budget is not used up.
    mutating func step(mayRead: Bool) -> Step {
        if phase == .bound, !hasHandle, outbox.listeners.isEmpty, outbox.isIdle, readers.isEmpty, senders.isEmpty,
            write.isFlushed
        {
            close()
        }
        if phase == .flushing, !readers.isEmpty {
            var ended: [(Waiter, Failure?)] = []
            while let reader = readers.popFirst() {
                if let waiter = end(reader.waiter, .aborted()) { ended.append((waiter, .aborted())) }
            }
            if !ended.isEmpty { return .end(ended) }
        }
        if phase == .flushing, write.isFlushed || descriptor.number == nil {
            phase = .closed
            counts.closed = .now
            kept = Ring()
        }
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
        if isRegistered, write.canFlush, let number = descriptor.number { return .flush(number) }
        if let delivery = outbox.beginDelivery() { return .deliver(delivery) }
        guard isRegistered, let number = descriptor.number else { return timerStep() }
        if hasErrors {
            hasErrors = false
            return .takeErrors(number)
        }
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
        case .serveReader:
            if readers.isFirst(where: \.isHandler) { return .serveHandler(number) }
            if case .task(let waiter)? = readers.popFirst()?.waiter.who { return .resume(waiter) }
            return nil
        case .readForListeners(let tick):
            return kept.isEmpty ? .read(number, slots: slots, tick: tick) : .tell(takeKept(kept.count))
        case .nothing, .probe, .discard: return nil
        }
    }

    // MARK: Telling

    /// Begins to tell listeners of datagrams: whoever has the turn to read keeps it, and where listeners run on the loop,
    /// what they send goes out together. `endTelling` follows.
    mutating func beginTelling() {
        outbox.beginDirectDelivery()
        if delivery.isLoop { write.hold() }
    }

    /// Those who hear the next datagram; nil when it is not to be told.
    mutating func hearMessage() -> [Listener]? {
        phase == .bound && outbox.hasListener(.message) ? outbox.hear(.message) : nil
    }

    /// The listeners have been told, but for `rest`, which nobody wanted to hear: it is kept for the next reader.
    mutating func endTelling(_ rest: ArraySlice<Datagram>) {
        outbox.endDelivery()
        write.release()
        read.relinquish()
        keep(rest)
    }

    /// Keeps datagrams for the next reader, behind those that are kept already.
    mutating func keep(_ datagrams: ArraySlice<Datagram>) {
        guard phase == .bound else { return }
        for datagram in datagrams { kept.append(datagram) }
        read.keep(kept.count, isUntried: true)
    }

    /// Takes out the oldest datagram that was kept, for somebody who is the only one to want it and has not been served
    /// too often.
    mutating func takeNextKept() -> Datagram? {
        guard !kept.isEmpty, readers.isEmpty, !read.isReading, !outbox.hasListener(.message),
            servedInARow < DatagramState.servedInARowLimit
        else { return nil }
        servedInARow += 1
        let datagram = kept.popFirst()
        kept.shrink()
        read.keep(kept.count, isUntried: true)
        return datagram
    }

    /// Takes out the oldest datagrams that were kept.
    mutating func takeKept(_ most: Int) -> [Datagram] {
        if kept.isEmpty { return [] }
        var taken: [Datagram] = []
        while taken.count < most, let datagram = kept.popFirst() { taken.append(datagram) }
        kept.shrink()
        read.keep(kept.count, isUntried: true)
        return taken
    }

    /// Fills more slots next time where that saves calls, and fewer where each brings a train of datagrams: so many bytes at
    /// once would only be too much for the caches, and for what malloc(3) keeps.
    mutating func adaptSlots(filled: Int, _ bytes: Int) {
        if bytes > 96 * 1024 {
            slots = max(1, slots / 2)
        } else if filled >= slots, bytes < 32 * 1024 {
            slots = min(DatagramCalls.receiveLimit, slots * 2)
        }
    }

    // MARK: Time

    /// The kernel had no room.
    mutating func noteBlocked() {
        if mayNotBeTold, peer == nil { retryAt = .now.advanced(by: .milliseconds(2)) }
    }

    private mutating func timerStep() -> Step {
        var deadline = min(closeDeadline, readers.earliestDeadline, retryAt)
        for sender in senders { if let waiting = sender.waiting { deadline = min(deadline, waiting.deadline) } }
        if let idleTimeout, phase == .bound { deadline = min(deadline, lastActivity.advanced(by: idleTimeout)) }
        guard deadline < timer, phase != .closed else { return .nothing }
        timer = deadline
        return .setTimer(deadline)
    }

    /// Handles what is due; returns those whose operations end.
    mutating func expire(now: Instant) -> [(Waiter, Failure?)] {
        timer = .never
        if retryAt <= now {
            retryAt = .never
            write.ready(.writable)
        }
        var ended: [(Waiter, Failure?)] = []
        for reader in readers.removeAll(where: { $0.deadline <= now }) {
            if let waiter = end(reader.waiter, .timedOut()) { ended.append((waiter, .timedOut())) }
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
            ended += end(write.queuedCount, .aborted)
        }
        return ended
    }

    /// Something was sent or received.
    mutating func noteActivity() {
        if idleTimeout != nil { lastActivity = .now }
    }

    // MARK: Errors

    /// Keeps an error that the network reports, and tells of it: whoever waits to hear from the peer of a connected socket
    /// ends with it, or else the `error` event has it, or, when nobody listens to that, the next reader. Returns who ends.
    mutating func tellRefusal(_ failure: Failure, _ address: SocketAddress?) -> Waiter? {
        lastError = failure
        if peer != nil, !outbox.hasListener(.message) {
            if let reader = readers.popFirst(where: \.wish.hearsErrors) { return end(reader.waiter, failure) }
            if !outbox.hasListener(.error) { pendingError = failure }
        }
        outbox.emit(.error(failure, address))
        return nil
    }

    /// Ends the wait of somebody who was taken out of the queue. Returns the task's waiter, for the caller to resume.
    private mutating func end(_ reader: Reader, _ failure: Failure) -> Waiter? {
        switch reader.who {
        case .task(let waiter): return waiter
        case .handler(let completion):
            outbox.append(.notReceivedDatagrams(completion, failure))
            return nil
        }
    }
}
