/// A listening socket: accepts when somebody wants connections, and hands them out.
package final class ListenerDriver: LoopClient, SocketDriver {
    package let loop: EventLoop
    let group: EventLoopGroup
    private let makeFace: @Sendable (StreamDriver) -> any AnyObject & Sendable
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
    package init(group: EventLoopGroup, makeFace: @escaping @Sendable (StreamDriver) -> any AnyObject & Sendable) {
        self.group = group
        self.makeFace = makeFace
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
        let ended = state.withLock { $0.expire(now: now) }
        for waiting in ended { waiting.waiter.resume(.timedOut()) }
        turn()
    }

    private func service(_ first: ListenerState.Step) {
        isServicing = true
        defer { isServicing = false }
        var step = first
        var accepted = 0
        while true {
            switch step {
            case .nothing: return
            case .yield:
                loop.yieldTurn(self)
                return
            case .register(let number): register(number)
            case .release(let number, let ended): release(number, ended)
            case .deliver(let delivery): deliver(delivery)
            case .resume(let waiter):
                accepted += 1
                waiter.resume()
            case .accept(let number, let tick):
                accepted += 1
                acceptForListeners(number, tick)
            case .setTimer(let deadline):
                if let timer { loop.cancelTimer(timer) }
                timer = loop.setTimer(deadline, for: self)
            }
            step = state.withLock { $0.step(mayAccept: accepted < ListenerDriver.acceptBudget) }
        }
    }

    private func register(_ number: Int32) {
        switch loop.register(number, for: self) {
        case .success(let token): self.token = token
        case .failure(let error):
            state.withLock { state in
                state.lastError = .system(error, .epoll)
                state.outbox.emit(.error(.system(error, .epoll), state.local))
                state.phase = .closing
            }
        }
    }

    private func release(_ number: Int32?, _ ended: [Waiter]) {
        if let token { loop.deregister(number, token) }
        token = nil
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        let closers = state.withLock { state in
            _ = state.descriptor.retire()
            defer { state.closers = [] }
            return state.closers
        }
        for waiter in ended { waiter.resume(.aborted()) }
        for waiter in closers { waiter.resume() }
    }

    private func deliver(_ delivery: Outbox.Delivery) {
        let context = state.withLock { $0.delivery }
        switch context {
        case .loop:
            perform(delivery)
            state.withLock { $0.outbox.endDelivery() }
        case .executor(let run):
            run { [self] in
                perform(delivery)
                state.withLock { $0.outbox.endDelivery() }
                loop.schedule(self)
            }
        }
    }

    private func perform(_ delivery: Outbox.Delivery) {
        delivery.perform()
        // Only now, with its listeners in place, is the connection watched: it misses no event.
        if case .event(.accepted(let connection, _)) = delivery.item { connection.startWatching() }
    }

    // MARK: Accepting

    private func acceptForListeners(_ number: Int32, _ tick: UInt32) {
        var peer = SocketAddress(v4: 0)
        let result = SocketCalls.accept(number, from: &peer)
        switch consume result {
        case .success(let descriptor):
            let connection = makeConnection(descriptor, peer)
            let face = makeFace(connection)
            let didClear = state.withLock { state in
                let didClear = state.finish(nil, tick: tick)
                state.outbox.emit(.accepted(connection, face: face))
                return didClear
            }
            if didClear { rearm() }
        case .failure(let error):
            if state.withLock({ $0.finish(error, tick: tick) }) { rearm() }
        }
    }

    func makeConnection(_ descriptor: consuming OwnedDescriptor, _ peer: SocketAddress) -> StreamDriver {
        let settings = state.withLock { $0.connectionSettings }
        return StreamDriver(group: group, adopting: descriptor, peer: peer, settings: settings)
    }

    /// A level-triggered poller must be asked again.
    func rearm() {
        guard loop.isLevelTriggered else { return }
        loop.execute { [self] in
            if let token { loop.rearm(token, .read) }
        }
    }
}
