/// A listening socket: accepts when somebody wants connections, and hands them out.
package final class ListenerDriver: LoopClient, SocketDriver {
    package let loop: EventLoop
    let group: EventLoopGroup
    private let makeFace: @Sendable (StreamDriver) -> any AnyObject & Sendable
    /// The kind of its connections, if it is a local socket.
    package let localKind: SocketCalls.Kind?
    /// Nil when nobody observes it, and so none of its connections.
    package let observed: Observed?
    let state = Lock(ListenerState())

    // On the loop only.
    nonisolated(unsafe) private var token: PollToken?
    nonisolated(unsafe) private var timer: TimerHandle?
    nonisolated(unsafe) private var isServicing = false
    nonisolated(unsafe) package var isLeftOver = false

    /// How many connections one turn may accept.
    private static let acceptBudget = 64

    /// A listener on one loop of `group`, whose connections are spread over all of them. `makeFace` makes the public
    /// object of a connection that goes to listeners.
    package init(
        group: EventLoopGroup, localKind: SocketCalls.Kind? = nil,
        makeFace: @escaping @Sendable (StreamDriver) -> any AnyObject & Sendable
    ) {
        self.group = group
        self.localKind = localKind
        self.makeFace = makeFace
        observed = group.observe()
        loop = group.next()
    }

    // MARK: Turns

    func requestTurn() {
        if loop.isCurrent, isServicing { return }
        loop.schedule(self)
    }

    package func ready(_ events: PollEvents) {
        let step = state.withLock { state in
            state.machine.ready(events)
            return state.step(mayAccept: true)
        }
        service(step)
    }

    package func turn() {
        guard !isServicing else { return }
        service(state.withLock { $0.step(mayAccept: true) })
    }

    package func deadlineReached(now: Instant) {
        timer = nil
        let due = state.withLock { $0.expire(now: now) }
        for taker in due.ended { taker(.failure(.timedOut())) }
        if let connections = due.cutOff {
            let count = connections.count { $0.cutOff() }
            state.withLock { $0.didCutOff(count) }
        }
        turn()
    }

    private func service(_ first: ListenerState.Step) {
        isServicing = true
        defer { isServicing = false }
        var step = first
        var looks = 0
        while true {
            switch step {
            case .nothing: return
            case .yield:
                loop.yieldTurn(self)
                return
            case .register(let number): register(number)
            case .release(let number, let takers, let unclaimed): release(number, takers, unclaimed)
            case .surrender: surrender()
            case .deliver(let delivery): tell(.delivery(delivery))
            case .introduce(let connection, let listeners):
                tell(.connection(connection, face: makeFace(connection), to: listeners))
            case .handOver(let connection, let taker): taker(.success(connection))
            case .look(let number, let turn):
                looks += 1
                look(number, turn)
            case .drained(let drainers): for drainer in drainers { drainer.waiter.resume() }
            case .setTimer(let deadline):
                if let timer { loop.cancelTimer(timer) }
                timer = loop.setTimer(deadline, for: self)
            }
            step = state.withLock { $0.step(mayAccept: looks < ListenerDriver.acceptBudget) }
        }
    }

    private func register(_ number: Int32) {
        switch loop.register(number, for: self) {
        case .success(let token): self.token = token
        case .failure(let error):
            let event = state.withLock { state in
                let event = EngineEvent.error(.system(error, .epoll), state.local)
                state.lastError = .system(error, .epoll)
                state.outbox.emit(event)
                state.phase = .closing
                state.ending = .failed
                return event
            }
            if let observed { tell(observed, event) }
        }
    }

    private func release(_ number: Int32?, _ takers: [ListenerState.Taker], _ unclaimed: [StreamDriver]) {
        if let token { loop.deregister(number, token) }
        token = nil
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        if let observed, number != nil { tellClosed(observed) }
        state.withLock { $0.detacher == nil ? $0.boundPath.take() : nil }?.remove()
        let (isDetached, closers) = state.withLock { state in
            defer { state.closers = [] }
            // With its descriptor whoever detaches it has its path.
            if state.detacher != nil { return (!state.descriptor.withhold(), state.closers) }
            _ = state.descriptor.retire()
            return (false, state.closers)
        }
        if isDetached { surrender() }
        // As those in the backlog fare.
        for connection in unclaimed { connection.end(.reset) }
        for taker in takers { taker(.failure(.aborted())) }
        for waiter in closers { waiter.resume() }
    }

    /// Gives the descriptor, which nobody uses any more, to whoever asked for it.
    private func surrender() {
        let waiter = state.withLock { state in
            if let descriptor = state.descriptor.surrender() { state.detached = descriptor.relinquish() }
            return state.detacher.take()
        }
        waiter?.resume()
    }

    // MARK: Telling

    /// Something to tell.
    private enum News: Sendable {
        case delivery(Outbox.Delivery)
        case connection(StreamDriver, face: any AnyObject & Sendable, to: [Listener])

        func tell() {
            switch self {
            case .delivery(let delivery): delivery.perform()
            case .connection(let connection, let face, let listeners):
                listeners.tell(.accepted(connection, face: face))
                // Only now, with its listeners in place, is the connection watched: it misses no event.
                connection.startWatching()
            }
        }
    }

    /// Performs the delivery that was begun, where the program wants it.
    private func tell(_ news: News) {
        switch state.withLock({ $0.delivery }) {
        case .loop:
            news.tell()
            state.withLock { $0.outbox.endDelivery() }
        case .executor(let run):
            run { [self] in
                news.tell()
                state.withLock { $0.outbox.endDelivery() }
                loop.schedule(self)
            }
        }
    }

    // MARK: Accepting

    /// A look at the backlog, on the loop.
    private func look(_ number: Int32, _ turn: AcceptMachine.Turn) {
        switch turn.purpose {
        case .accept: _ = accept(number, turn, isForCaller: false)
        case .refuse: refuse(number, turn)
        case .look: finish(turn, SocketCalls.isReadable(number) ? .connection : .wouldBlock)
        }
    }

    private func refuse(_ number: Int32, _ turn: AcceptMachine.Turn) {
        var peer = SocketAddress.none
        switch SocketCalls.accept(number, from: &peer) {
        case .success(let descriptor):
            _ = OptionCalls.makeCloseAbortive(descriptor.number)
            observed?.tell(.refused(peer), local: localAddress, peer: peer)
            finish(turn, .connection)
        case .failure(let error): finish(turn, AcceptMachine.Outcome(error), error)
        }
    }

    /// Accepts a connection: for a caller on any thread, to whom `number` was lent; or, on the loop, to have it in hand.
    /// Nil: it must become secure first, and the loop hands it out then.
    func accept(_ number: Int32, _ turn: AcceptMachine.Turn, isForCaller: Bool) -> SystemResult<StreamDriver?> {
        var peer = SocketAddress.none
        switch SocketCalls.accept(number, from: &peer) {
        case .success(let descriptor):
            let (settings, security) = state.withLock { ($0.connectionSettings, $0.security) }
            if let security {
                secure(descriptor, peer, settings, security) { connection in
                    finish(turn, connection == nil ? .lost : .connection, isLent: isForCaller) { state in
                        connection.map { state.add($0) } ?? false
                    }
                }
                return .success(nil)
            }
            let connection = StreamDriver(
                group: group, adopting: descriptor, peer: peer, settings: settings, listener: self,
                local: localKind.map(LocalStream.init))
            if let observed { connection.tellOpened(.accepted(by: observed.number)) }
            let isLate = finish(turn, .connection, isLent: isForCaller) { state in
                if !isForCaller { state.inHand = connection }
                return state.add(connection)
            }
            if isLate { connection.end(.reset) }
            return .success(connection)
        case .failure(let error):
            finish(turn, AcceptMachine.Outcome(error), error, isLent: isForCaller)
            return .failure(error)
        }
    }

    /// A turn is over. Returns what `note` did.
    @discardableResult
    private func finish(
        _ turn: AcceptMachine.Turn, _ outcome: AcceptMachine.Outcome, _ error: SystemError? = nil, isLent: Bool = false,
        _ note: (inout ListenerState) -> Bool = { _ in false }
    ) -> Bool {
        let (noted, didClear, event, mustTurn) = state.withLock { state in
            if isLent { _ = state.descriptor.giveBack() }
            let noted = note(&state)
            let (didClear, event) = state.finish(turn, outcome, error)
            return (noted, didClear, event, state.mustTurn)
        }
        if let observed, let event { tell(observed, event) }
        if didClear { rearm() }
        if mustTurn { requestTurn() }
        return noted
    }

    /// A connection has ended, and its descriptor is given back.
    func connectionEnded(_ connection: StreamDriver) {
        if state.withLock({ $0.remove(connection) }) { requestTurn() }
    }

    /// A level-triggered poller must be asked again.
    func rearm() {
        guard loop.isLevelTriggered else { return }
        loop.execute { [self] in
            if let token { loop.rearm(token, .read) }
        }
    }
}
