/// Everything about a stream socket that its lock guards: the machines, and those who wait.
///
/// Questions about it are `mutating` functions and not properties where a hot path asks them: a property of a
/// noncopyable value this large is handed a copy of all of it.
///
/// `step()` is the socket's one decision: what the loop does next. Calls from other threads change the state and ask
/// for a turn; events from the kernel change the state and take one.
struct StreamState: ~Copyable {
    // What every message touches comes first and stays together: with thousands of connections each line of memory
    // costs a miss.
    var read = ReadMachine()
    var life = LifecycleMachine()
    /// The loop may watch the descriptor: its first listeners and handlers are in place.
    var isWatched = false
    var isRegistered = false
    private(set) var isReleased = false
    /// The program still holds the socket object.
    var hasHandle = true
    /// The message listeners hear nothing for now.
    var isPaused = false
    /// Receives and sends of tasks that did not have to wait, since the last that had to.
    var servedInARow: UInt8 = 0
    /// There may be a deadline to watch for.
    var mayExpire = false
    var descriptor = SharedDescriptor()
    // Rarely asked, but there is a gap for them.
    /// The next use of the socket starts watching it.
    var isWatchedWhenUsed = false
    /// The descriptor is closed so that the peer sees a reset.
    var wantsReset = false
    /// How the socket came to its end, or is about to; nil when nothing had begun.
    private(set) var ending: Ending?
    /// The call that met the error that ends the socket tells of it, so `error` need not.
    var wasFailureReported = false
    var serving = Serving.none
    private var hasEmittedEnd = false
    private var hasEmittedClose = false
    var shared = StreamSettings.Shared.standard
    var outbox = Outbox()
    var write = WriteMachine()
    /// What was read ahead: of whoever has the turn to read, as the framing is.
    var ahead: ReadAhead?
    var counts = StreamCounts()
    var readers = WaiterQueue<Reader>()
    private var lastTicket: UInt64 = 0
    var rareIfAny: Rare?

    private static let servedInARowLimit: UInt8 = 32

    mutating func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    /// The program uses the socket. Returns whether the loop must take a turn to start watching it.
    mutating func use() -> Bool {
        if isWatchedWhenUsed { isWatched = true }
        return isWatched && !isRegistered
    }

    /// A task was served without waiting. Returns whether it has had its share, and should let others have theirs.
    mutating func servedAtOnce() -> Bool {
        servedInARow += 1
        guard servedInARow >= StreamState.servedInARowLimit else { return false }
        servedInARow = 0
        return true
    }

    /// Whether a task of `serve` has it.
    enum Serving { case none, ongoing, cancelled }

    /// Whether everything has been done and told.
    mutating func isOver() -> Bool { isReleased && hasEmittedClose && outbox.isEmpty }

    // MARK: The decision

    /// What to do next. `mayRead`: the turn's budget is not used up.
    mutating func step(mayRead: Bool) -> Step {
        if isAtRest() { return .nothing }
        // Nearly always: a connection that nobody ends.
        if life.isSteady, isRegistered, hasHandle, !read.hasEnded, !write.isFinishing, let number = descriptor.number {
            return ioStep(number, mayRead: mayRead)
        }
        closeIfAbandoned()
        closeAfterEnd()
        if life.phase == .discarding || isReleased { emitClose() }
        if life.request != nil, !isFinishingForHandOver() { return .end }
        if life.phase == .closed, !isReleased {
            isReleased = true
            return .release(descriptor.number, isAbortive: wantsReset)
        }
        if isWatched, !isRegistered, life.phase != .fresh, life.phase != .closed, let number = descriptor.number {
            isRegistered = true
            return .register(number)
        }
        if outbox.canDeliver { return deliverStep }
        guard let number = descriptor.number, isRegistered else { return timerStep() }
        if write.canFlush { return .flush(number) }
        if let step = closingStep(number) { return step }
        return ioStep(number, mayRead: mayRead)
    }

    /// Whether a connection has nothing to do, by the quickest look: most events leave it so.
    @inline(__always)
    private mutating func isAtRest() -> Bool {
        read.isAtRest && life.isSteady && outbox.isEmpty && write.isAtRest && isRegistered && hasHandle
            && !mayExpire
    }

    /// What to do next with a connection that stays as it is.
    private mutating func ioStep(_ number: Int32, mayRead: Bool) -> Step {
        if write.hasMissedRoom, write.takeRoom() { outbox.emit(.drain) }
        if outbox.canDeliver { return deliverStep }
        let wantsFlush = write.wantsFlush
        if wantsFlush, write.canFlush { return .flush(number) }
        return readStep(number, mayRead: mayRead) ?? (wantsFlush ? yieldStep() : timerStep())
    }

    /// There is more to write than this turn may.
    @inline(never)
    private mutating func yieldStep() -> Step {
        let step = timerStep()
        if case .nothing = step { return .yield }
        return step
    }

    private var deliverStep: Step { isDeliveredOnLoop ? .deliver : .handOver }

    /// Whether listeners and completions run on the loop.
    var isDeliveredOnLoop: Bool { shared.values.delivery.isLoop }

    /// Who wants input now.
    var interest: ReadMachine.Interest {
        mutating get {
            if life.phase >= .flushing { return .discard }
            if !readers.isEmpty { return .reader }
            return wantsMessages ? .listeners : []
        }
    }

    /// Whether there are message listeners, and they are not paused.
    var wantsMessages: Bool { mutating get { !isPaused && outbox.hasMessageListener } }

    private mutating func readStep(_ number: Int32, mayRead: Bool) -> Step? {
        let interest = interest
        // The next read waits for the delivery under way: order and memory hold.
        if interest == .listeners, !outbox.isIdle { return nil }
        guard mayRead else { return read.hasDemand(interest) ? .yield : nil }
        switch read.demand(interest) {
        case .nothing: return nil
        case .serveReader(let tick):
            if readers.isFirst(where: { if case .task = $0 { true } else { false } }) { return .resumeReader }
            let isPlain = ahead == nil && framer == nil && readers.isFirst(where: \.isHandler) && !read.hasEnded
            return isPlain ? .readForHandler(number, tick: tick) : .pullForHandler
        case .readForListeners(let tick):
            if ahead != nil || framer != nil { return .cutForListeners(number) }
            if outbox.hasListener(.bytes) { return .lendToListeners(number, tick: tick) }
            return .readForListeners(number, tick: tick)
        case .probe(let tick): return .probe(number, tick: tick)
        case .discard(let tick): return .discard(number, tick: tick)
        }
    }

    private mutating func closingStep(_ number: Int32) -> Step? {
        if life.phase == .flushing, isOverBothWays() {
            life.advance(to: .closed)
            isReleased = true
            return .release(number, isAbortive: false)
        }
        // Also when finish() ended our direction before: a second shutdown(2) does nothing, and closing goes on.
        if write.mustShutDown || life.phase == .flushing && write.hasFinished {
            write.didShutDown()
            return .shutDown(number)
        }
        if life.phase == .discarding, read.hasEnded {
            life.advance(to: .closed)
            isReleased = true
            return .release(number, isAbortive: false)
        }
        return nil
    }

    /// The peer has ended, and nothing is unread: close(2) alone says all that shutdown(2) would. But linger waits until
    /// the peer has taken everything, whoever ended first.
    private mutating func isOverBothWays() -> Bool { read.hasEnded && write.isOver && shared.values.linger == nil }

    private mutating func timerStep() -> Step {
        guard mayExpire else { return .nothing }
        let deadline = earliestDeadline()
        if deadline == .never { mayExpire = false }
        guard isEarliest(deadline) else { return .nothing }
        rare.timerDeadline = deadline
        return .setTimer(deadline)
    }

    // MARK: Ending

    /// Asks for the end, whoever does: the program, or the socket by itself. With linger zero every close is abortive.
    mutating func close(_ request: LifecycleMachine.CloseRequest) {
        life.close(request == .flush && shared.values.linger == .zero ? .reset : request)
    }

    /// A socket that nobody holds, hears or waits for is closed.
    private mutating func closeIfAbandoned() {
        guard !hasHandle, life.isSteady, outbox.listeners.isEmpty, outbox.isIdle, readers.isEmpty,
            rareIfAny.map({ $0.senders.isEmpty && $0.finishers.isEmpty }) ?? true
        else { return }
        close(.flush)
    }

    /// With a message listener, and half-open not asked for, the peer's end is followed by ours: behind the listeners
    /// of "end", who may have an answer to send.
    private mutating func closeAfterEnd() {
        guard life.phase == .open, read.isExhausted, outbox.hasMessageListener, outbox.isIdle,
            !shared.values.allowsHalfOpen
        else { return }
        close(.flush)
    }

    /// Takes up what was asked for: the next stage begins, and these operations end. `peer` is for those who are told of
    /// an error.
    mutating func takeRequest(peer: SocketAddress? = nil) -> Endings {
        var endings = Endings()
        let isFresh = life.phase == .fresh
        guard let request = life.takeRequest() else { return endings }
        counts.closed = .now
        if !isFresh { ending = Ending(request, isPeers: read.hasEnded && !write.isFinishing) }
        let isConnecting = rareIfAny?.connecting != nil
        if isConnecting { endings.add(rare.connecting.take(), life.failure ?? .aborted()) }
        switch request {
        case .flush:
            endReaders(with: .aborted(), &endings)
            write.beginFinishing()
            // Mostly there is nothing to wait for.
            if !isRegistered || !isOverBothWays() {
                mayExpire = true
                rare.closeDeadline = .now.advanced(by: shared.values.linger ?? shared.values.closeTimeout)
            }
        case .reset:
            wantsReset = true
            endReaders(with: .aborted(), &endings)
            endSenders(&endings) { .aborted(sent: $0.sent, remaining: $0.remaining) }
            endFinishers(with: .aborted(), &endings)
        case .failed(let failure):
            rare.lastError = failure
            let wasReported = wasFailureReported || isConnecting || !readers.isEmpty || !rare.senders.isEmpty
            endReaders(with: failure, &endings)
            endSenders(&endings) { failure.with(sent: $0.sent, remaining: $0.remaining) }
            endFinishers(with: failure, &endings)
            if !wasReported, !failure.isQuiet { outbox.emit(.error(failure, peer)) }
        case .detach, .handOver: return endings
        }
        if case .wanted(let waiter)? = rareIfAny?.detachment {
            // It ended before it could be handed over.
            rare.detachment = nil
            endings.add(waiter, life.failure ?? .aborted())
        }
        return endings
    }

    private mutating func endReaders(with failure: @autoclosure () -> Failure, _ endings: inout Endings) {
        while let reader = readers.popFirst() { end(reader, with: failure(), &endings) }
    }

    /// A reader waits no longer. A handler hears so in the order of events.
    mutating func end(_ reader: Waiting<Reader>, with failure: Failure, _ endings: inout Endings) {
        switch reader.waiter {
        case .task(let waiter): endings.add(waiter, failure)
        case .handler(let completion): outbox.append(.notReceived(completion, failure))
        case .request(let pending): outbox.append(.notReceived(pending.completion, failure))
        }
    }

    private mutating func endSenders(_ endings: inout Endings, _ failure: (WriteMachine.Ended) -> Failure) {
        for ended in write.dropAll() {
            let failure = failure(ended)
            endings.add(endSender(ended.ticket, failure), failure)
        }
    }

    mutating func endFinishers(with failure: @autoclosure () -> Failure?, _ endings: inout Endings) {
        guard let rare = rareIfAny else { return }
        for waiter in rare.finishers { endings.add(waiter, failure()) }
        rare.finishers = []
    }

    /// A queued send has ended: returns who waits for it, or keeps the result for a caller that is about to wait.
    mutating func endSender(_ ticket: Ticket, _ failure: Failure?) -> Waiter? {
        guard let rare = rareIfAny, let index = rare.senders.firstIndex(where: { $0.ticket == ticket }) else {
            return nil
        }
        guard let waiting = rare.senders[index].waiting else {
            rare.senders[index].isOver = true
            rare.senders[index].failure = failure
            return nil
        }
        rare.senders.remove(at: index)
        return waiting.waiter
    }

    /// close() has done its part: those who wait for it hear so, then the listeners.
    mutating func endClosers(_ endings: inout Endings) {
        guard let rare = rareIfAny else { return }
        for waiter in rare.closers { endings.add(waiter) }
        rare.closers = []
    }

    /// The last event. Those who waited for close() have been told before.
    private mutating func emitClose() {
        guard !hasEmittedClose else { return }
        hasEmittedClose = true
        outbox.emitClose(life.failure)
    }

    /// The peer's direction is over and read.
    mutating func emitEnd() {
        guard !hasEmittedEnd else { return }
        hasEmittedEnd = true
        if life.phase == .open { outbox.emit(.end) }
    }

    // MARK: Time

    /// The earliest moment at which something must happen by itself.
    private mutating func earliestDeadline() -> Instant {
        if life.phase == .closed { return .never }
        var earliest = readers.earliestDeadline
        guard let rare = rareIfAny else { return earliest }
        earliest = min(earliest, rare.closeDeadline, rare.lingerDeadline)
        for sender in rare.senders { if let waiting = sender.waiting { earliest = min(earliest, waiting.deadline) } }
        if let idle = shared.values.idleTimeout, life.phase == .open, rare.lastActivity != .never {
            earliest = min(earliest, rare.lastActivity.advanced(by: idle))
        }
        return earliest
    }

    /// Whether the loop's timer would run out too late for this.
    func isEarliest(_ deadline: Instant) -> Bool { deadline != .never && deadline < rareIfAny?.timerDeadline ?? .never }

    /// Something was sent or received.
    mutating func noteActivity() {
        guard shared.values.idleTimeout != nil else { return }
        rare.lastActivity = .now
        mayExpire = true
    }

    /// Handles what is due. Returns whether the kernel's queue should be looked at, and whose operations end.
    mutating func expire(now: Instant) -> (endings: Endings, mustCheckLinger: Bool) {
        var endings = Endings()
        for reader in readers.removeAll(where: { $0.deadline <= now }) {
            end(reader, with: .timedOut(), &endings)
            read.retry()
        }
        guard let rare = rareIfAny else { return (endings, false) }
        for sender in rare.senders {
            guard let waiting = sender.waiting, waiting.deadline <= now else { continue }
            if let ended = withdraw(sender.ticket, .timedOut()) {
                endings.add(waiting.waiter, ended)
            }
        }
        if let idle = shared.values.idleTimeout, life.phase == .open, rare.lastActivity.advanced(by: idle) <= now {
            outbox.emit(.timeout)
            life.close(.failed(.timedOut()))
        }
        if rare.closeDeadline <= now {
            rare.closeDeadline = .never
            switch life.phase {
            case .flushing: life.close(.reset)
            case .lingering: rare.lingerDeadline = now
            case .discarding: life.advance(to: .closed)
            default: break
            }
        }
        return (endings, life.phase == .lingering && rare.lingerDeadline <= now)
    }

    /// Gives up a queued send. Nil when it has ended meanwhile, or is just being written; then its own end, or
    /// `settleGivenUp`, is what its caller hears.
    mutating func withdraw(_ ticket: Ticket, _ failure: Failure) -> Failure? {
        let ended: Failure
        switch write.withdraw(ticket) {
        case .removed(let remaining):
            ended = failure.with(sent: 0, remaining: remaining)
            tellDrained()
        case .detached(let sent, let remaining): ended = failure.with(sent: sent, remaining: remaining)
        case .underWay:
            if let index = rare.senders.firstIndex(where: { $0.ticket == ticket }) {
                rare.senders[index].givenUp = failure
                rare.hasGivenUp = true
            }
            return nil
        case .unknown: return nil
        }
        rare.senders.removeAll { $0.ticket == ticket }
        return ended
    }

    /// The queue has become shorter, sent or given up.
    mutating func tellDrained() {
        if write.takeDrained() { outbox.emit(.drain) }
    }

    /// A write of the loop is over: those who were given up during it hear how far they got.
    mutating func settleGivenUp(_ endings: inout Endings) {
        guard let rare = rareIfAny, rare.hasGivenUp else { return }
        rare.hasGivenUp = false
        for sender in rare.senders {
            guard let failure = sender.givenUp, let waiting = sender.waiting else { continue }
            if let ended = withdraw(sender.ticket, failure) { endings.add(waiting.waiter, ended) }
        }
    }

    // MARK: Stages of closing

    /// shutdown(2) is done.
    mutating func didShutDown() -> Endings {
        var endings = Endings()
        endFinishers(with: nil, &endings)
        if life.phase == .flushing {
            if let linger = shared.values.linger, linger > .zero {
                life.advance(to: .lingering)
                mayExpire = true
                rare.lingerDeadline = .now
            } else {
                beginDiscarding(&endings)
            }
        }
        return endings
    }

    /// The kernel's queue was looked at, or linger's time is over.
    mutating func didCheckLinger(unsent: Int) -> Endings {
        var endings = Endings()
        guard life.phase == .lingering else { return endings }
        if unsent == 0 || rare.closeDeadline == .never {
            rare.lingerDeadline = .never
            beginDiscarding(&endings)
        } else {
            rare.lingerDeadline = .now.advanced(by: .milliseconds(20))
        }
        return endings
    }

    private mutating func beginDiscarding(_ endings: inout Endings) {
        life.advance(to: .discarding)
        mayExpire = true
        rare.closeDeadline = .now.advanced(by: shared.values.closeTimeout)
        endClosers(&endings)
    }

    /// Stops discarding: the peer has had its chance.
    mutating func giveUpDiscarding() {
        if life.phase == .discarding { life.advance(to: .closed) }
    }

    /// Starts the idle clock of a new connection.
    mutating func didOpen() {
        counts.opened = .now
        write.open()
        noteActivity()
    }
}

extension Ending {
    /// `isPeers`: the peer had ended its direction, and we had not.
    fileprivate init(_ request: LifecycleMachine.CloseRequest, isPeers: Bool) {
        switch request {
        case .flush: self = isPeers ? .peer : .local
        case .reset: self = .reset
        case .failed: self = .failed
        case .detach, .handOver: self = .detached
        }
    }
}

extension Failure {
    /// The same failure of a send, with how far it had got.
    func with(sent: Int, remaining: Int) -> Failure {
        switch self {
        case .system(let error, let call, _, _): .system(error, call, sent: sent, remaining: remaining)
        case .timedOut: .timedOut(sent: sent, remaining: remaining)
        case .cancelled: .cancelled(sent: sent, remaining: remaining)
        case .aborted: .aborted(sent: sent, remaining: remaining)
        case .fileCut: .fileCut(sent: sent, remaining: remaining)
        case .cipher(let failure, _, _): .cipher(failure, sent: sent, remaining: remaining)
        default: self
        }
    }

    /// Told by an event of its own, so not by `error`.
    var isQuiet: Bool {
        if case .timedOut = self { true } else { false }
    }
}
