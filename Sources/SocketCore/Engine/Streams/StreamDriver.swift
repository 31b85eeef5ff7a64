/// Does what the machines of a stream socket decide: the system calls, the resumptions, the deliveries.
///
/// Every socket of the stream kind is one of these, from before it has a descriptor until after it has lost it. Any
/// thread may call it; its loop calls `ready`, `turn` and `deadlineReached`.
package final class StreamDriver: LoopClient, SocketDriver, Hashable {
    /// The loop that this socket belongs to for life.
    package let loop: EventLoop
    // Kept alive, and its threads with it, as long as one of its sockets is.
    let group: EventLoopGroup
    /// Who accepted it, and counts it until it has ended.
    private let listener: ListenerDriver?
    /// What it has as a local socket, if it is one.
    package let local: LocalStream?
    /// Nil when nobody observes it.
    package let observed: Observed?
    private let guardian = Guardian()
    // In here and not in a `Lock`: a connection is one object, and its first lines of memory are those that every
    // message touches. `withState` alone touches it.
    @exclusivity(unchecked) nonisolated(unsafe) private var guarded = StreamState()

    // On the loop only.
    nonisolated(unsafe) private var token: PollToken?
    nonisolated(unsafe) private var isServicing = false
    nonisolated(unsafe) package var isLeftOver = false
    // Neither local nor secure: what goes through it is recv(2) and send(2). Set before the socket is open, and not changed
    // again; among these, because it fits in, and each message touches them.
    @exclusivity(unchecked) nonisolated(unsafe) private(set) var isPlain: Bool
    // Of whoever has the turn to read: how large an array to read into; zero is none. See `arrive`.
    @exclusivity(unchecked) nonisolated(unsafe) var expected: UInt32 = 0
    /// The peer's address. Computed: other modules' reads of a stored property are checked for exclusive access.
    package var peer: SocketAddress { fixedPeer }
    // Set before the socket is open, and not changed again.
    @exclusivity(unchecked) nonisolated(unsafe) var fixedPeer = SocketAddress.none
    /// What a secure connection has beside. Set before the socket is open, and not changed again.
    @exclusivity(unchecked) nonisolated(unsafe) var security: StreamSecurity? {
        didSet { isPlain = false }
    }
    // Set before the serving task makes its first call.
    @exclusivity(unchecked) nonisolated(unsafe) package var servingTask = ServingTask.none

    /// What a read costs at least, in bytes: see `Allowance`.
    static let leastCost = 16 * 1024
    /// What a message costs that was read together with others, at least.
    static let leastMessageCost = 256

    /// What is left to the socket whose turn it is.
    struct Allowance {
        /// Bytes to read. A read counts as 16 KiB at least, so a turn makes 16 reads at most, and takes 256 KiB at most.
        var bytes = 256 * 1024
        /// Deliveries to make: each may start the next one, as a completion that sends again does, and such a chain must
        /// not keep the loop from its other sockets.
        var deliveries = 32
    }

    /// A socket without a connection, on a loop of `group`, or on this one of them.
    package init(
        group: EventLoopGroup, loop chosen: EventLoop? = nil, listener: ListenerDriver? = nil,
        local: LocalStream? = nil
    ) {
        self.group = group
        self.listener = listener
        self.local = local
        isPlain = local == nil
        observed = if let listener { listener.observed?.another() } else { group.observe() }
        loop = chosen ?? group.next()
        guard let local else { return }
        withState { state in
            state.read.readsMayBeShort = true
            state.write.keepsBounds = local.keepsBounds
        }
    }

    /// A socket for a connection that stands, neither read nor watched before `startWatching`.
    package convenience init(
        group: EventLoopGroup, adopting descriptor: consuming OwnedDescriptor, peer: SocketAddress,
        settings: StreamSettings.Shared, listener: ListenerDriver? = nil, local: LocalStream? = nil
    ) {
        self.init(group: group, listener: listener, local: local)
        fixedPeer = peer
        var descriptor: OwnedDescriptor? = consume descriptor
        withState { state in
            if let descriptor = descriptor.take() { state.descriptor.adopt(descriptor) }
            state.shared = settings
            _ = state.life.open()
            state.didOpen()
        }
    }

    /// Runs `body` alone with the state. It calls nothing that could call back: see `Lock.withLock`.
    @inline(__always)
    final func withState<Result: ~Copyable, Failure: Error>(
        _ body: (inout StreamState) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guardian.lock()
        defer { guardian.unlock() }
        return try body(&guarded)
    }

    package static func == (left: StreamDriver, right: StreamDriver) -> Bool { left === right }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    /// Lets the loop watch the socket: its first listeners, or its handler, are in place.
    package func startWatching() {
        withState { $0.isWatched = true }
        takeTurn()
    }

    /// The same, but only once the program uses the socket: adds a listener, receives, ends it.
    package func startWatchingWhenUsed() { withState { $0.isWatchedWhenUsed = true } }

    /// The program let go of the socket object.
    package func handleReleased() {
        let mustTurn = withState { state in
            state.hasHandle = false
            // A connection that was never watched is ended like any other: what it sent arrives, unread input or not.
            if state.life.phase == .open { state.isWatched = true }
            return (state.isRegistered || state.isWatched) && !state.isOver()
        }
        if mustTurn { requestTurn() }
    }

    // MARK: Turns

    /// Asks for a turn, unless one is under way that will see the change.
    func requestTurn() {
        if loop.isCurrent, isServicing { return }
        loop.schedule(self)
    }

    /// Takes a turn at once if the caller is on the loop; else asks for one. For callers that may be told of things in the
    /// middle of this, and do it once for a connection: a turn that is asked for lets others have theirs before.
    func takeTurn() {
        if loop.isCurrent { turn() } else { loop.schedule(self) }
    }

    package func ready(_ events: PollEvents) {
        if events.contains(.urgent) { takeUrgent() }
        let step = withState { state in
            state.read.ready(events)
            state.write.ready(events)
            return state.step(mayRead: true)
        }
        service(step)
    }

    /// Urgent data came: tells of it, if anybody listens.
    private func takeUrgent() {
        // Only the loop gives the descriptor back, so it cannot go away during the call.
        guard let number = withState({ $0.outbox.hasListener(.urgent) ? $0.descriptor.number : nil }) else {
            return
        }
        // It fails when the byte stays in the stream (SO_OOBINLINE).
        let byte = try? StreamCalls.receiveUrgent(number).get()
        withState { $0.outbox.emit(.urgent(byte)) }
        if byte != nil { rearm(.read) }
    }

    package func turn() {
        guard !isServicing else { return }
        service(withState { $0.step(mayRead: true) })
    }

    package func deadlineReached(now: Instant) {
        let (endings, unsentNumber) = withState { state in
            state.rareIfAny?.timer = nil
            state.rareIfAny?.timerDeadline = .never
            let (endings, mustCheckLinger) = state.expire(now: now)
            return (endings, mustCheckLinger ? state.descriptor.number : nil)
        }
        endings.perform()
        if let unsentNumber {
            // Only the loop gives the descriptor back, so it cannot go away during this call.
            let unsent = (try? StreamCalls.unsentCount(unsentNumber).get()) ?? 0
            withState { $0.didCheckLinger(unsent: unsent) }.perform()
        }
        turn()
    }

    /// Performs steps until there is nothing to do, or the turn's budget is used up.
    private func service(_ first: consuming StreamState.Step) {
        isServicing = true
        defer { isServicing = false }
        var step = first
        loop.allowance = Allowance()
        while true {
            switch step {
            case .nothing: return
            case .yield:
                withState { $0.write.beginTurn() }
                loop.yieldTurn(self)
                return
            case .end: withState { $0.takeRequest(peer: peer.family == nil ? nil : peer) }.perform()
            case .register(let number): register(number)
            case .release(let number, let isAbortive): release(number, isAbortive: isAbortive)
            case .deliver:
                guard loop.allowance.deliveries > 0 else {
                    loop.yieldTurn(self)
                    return
                }
                step = deliver(isOver: false)
                continue
            case .handOver: handOver()
            case .flush(let number): flush(number)
            case .shutDown(let number):
                if let cipher, mustWaitToFinish(number, cipher) { break }
                // ENOTCONN: the peer has reset the connection; the read side tells.
                _ = SocketCalls.finishOutput(number)
                withState { $0.didShutDown() }.perform()
            case .resumeReader: resumeReader()
            case .readForHandler(let number, let tick):
                step = readForHandler(number, tick)
                continue
            case .pullForHandler: pullForHandler()
            case .readForListeners(let number, let tick):
                step = readForListeners(number, tick)
                continue
            case .lendToListeners(let number, let tick):
                step = lendToListeners(number, tick)
                continue
            case .cutForListeners(let number):
                step = cutForListeners(number)
                continue
            case .probe(let number, let tick): probe(number, tick)
            case .discard(let number, let tick): discard(number, tick)
            case .setTimer(let deadline):
                setTimer(deadline)
            }
            step = withState { $0.step(mayRead: mayRead) }
        }
    }

    /// Whether this turn may go on reading.
    var mayRead: Bool { loop.allowance.bytes > 0 }

    /// This turn has read `count` bytes.
    func countRead(_ count: Int, atLeast least: Int = StreamDriver.leastCost) {
        loop.allowance.bytes -= max(count, least)
    }

    /// Tells on the loop what is in the outbox, as far as the turn's budget goes. `isOver`: a delivery that was made
    /// before has ended. Returns the next step.
    func deliver(isOver: Bool) -> StreamState.Step {
        var isOver = isOver
        var step = StreamState.Step.nothing
        while let delivery = withState({ state in
            if isOver { state.outbox.endDelivery() }
            if loop.allowance.deliveries > 0, state.isDeliveredOnLoop, let next = state.outbox.beginDelivery() {
                return next
            }
            step = state.step(mayRead: mayRead)
            return nil as Outbox.Delivery?
        }) {
            loop.allowance.deliveries -= 1
            perform(delivery)
            isOver = true
        }
        return step
    }

    /// Hands what is next in the outbox to the executor that the program chose. The next one follows when it is done.
    private func handOver() {
        if let delivery = withState({ $0.outbox.beginDelivery() }) { handOver(delivery) }
    }

    private func perform(_ delivery: Outbox.Delivery) {
        switch delivery.item {
        case .sent(let completion): completion.call(self, nil)
        case .notReceived(let completion, let failure): completion.call(self, .failure(failure))
        default: delivery.perform()
        }
    }

    func handOver(_ delivery: Outbox.Delivery) {
        let end: @Sendable () -> Void = { [self] in
            withState { $0.outbox.endDelivery() }
            loop.schedule(self)
        }
        switch withState({ $0.shared.values.delivery }) {
        case .executor(let run):
            run { [self] in
                perform(delivery)
                end()
            }
        case .loop:
            // Chosen just now: this one is told here, where it would have been handed over.
            perform(delivery)
            end()
        }
    }

    // MARK: Registration

    private func register(_ number: Int32) {
        switch loop.register(number, for: self) {
        case .success(let token): self.token = token
        case .failure(let error):
            withState { $0.life.close(.failed(.system(error, .epoll))) }
        }
    }

    /// Takes over the registration of the connection attempt that won.
    func adoptRegistration(_ token: PollToken) {
        self.token = token
        loop.transfer(token, to: self)
    }

    private func release(_ number: Int32?, isAbortive: Bool) {
        takeConnector()?.cancel()
        security?.cancel()
        if isAbortive, let number { _ = OptionCalls.makeCloseAbortive(number) }
        if let token { loop.deregister(number, token) }
        token = nil
        if let observed { tellClosed(observed, number) }
        // With its descriptor whoever detaches it has its path.
        if let local, !withState({ $0.rareIfAny?.detachment != nil }) { local.removePath() }
        let (endings, timer, isDetached) = withState { state in
            var endings = StreamState.Endings()
            let mustDetach = state.rareIfAny?.detachment != nil
            let isDetached = mustDetach && !state.descriptor.withhold()
            // The last user closes it: here, unless another thread is in the middle of a call.
            if !mustDetach { _ = state.descriptor.retire() }
            state.endFinishers(with: .aborted(), &endings)
            state.endClosers(&endings)
            return (endings, state.rareIfAny?.timer.take(), isDetached)
        }
        if let timer { loop.cancelTimer(timer) }
        if isDetached { surrender() }
        endings.perform()
        listener?.connectionEnded(self)
    }

    private func setTimer(_ deadline: Instant) {
        let timer = loop.setTimer(deadline, for: self)
        let former = withState { state in
            defer { state.rare.timer = timer }
            return state.rareIfAny?.timer
        }
        if let former { loop.cancelTimer(former) }
    }

    /// A level-triggered poller must be asked again for a direction that was cleared.
    func rearm(_ direction: Direction) {
        guard loop.isLevelTriggered else { return }
        loop.execute { [self] in
            if let token { loop.rearm(token, direction) }
        }
    }
}
