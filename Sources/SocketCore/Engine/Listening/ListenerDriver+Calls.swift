// What a program asks of a listener.
extension ListenerDriver {
    // MARK: Listening

    /// Opens, prepares, binds and listens. Does not block.
    package func listen(on address: SocketAddress, backlog: Int) throws(Failure) {
        var options = try state.withLock { state throws(Failure) in
            try state.checkFresh()
            return state.options
        }
        // On, unless told otherwise: an address that a past connection still holds is no hindrance.
        options[.reuseAddress] = options[.reuseAddress] ?? 1
        let descriptor: OwnedDescriptor
        switch SocketCalls.open(address.family ?? .v4, .stream, options, bindTo: address) {
        case .success(let opened): descriptor = opened
        case .failure(let error): throw Failure(error)
        }
        if case .failure(let error) = SocketCalls.listen(descriptor.number, backlog: backlog) {
            throw .system(error, .listen)
        }
        let local = try? SocketCalls.localAddress(descriptor.number).get()
        var owned: OwnedDescriptor? = consume descriptor
        try state.withLock { state throws(Failure) in
            // Checked again: another listen or a close may have come between.
            try state.checkFresh()
            if let descriptor = owned.take() { state.descriptor.adopt(descriptor) }
            state.local = local
            state.phase = .listening
            state.outbox.emit(.listening)
        }
        requestTurn()
    }

    // MARK: Taking connections

    /// Claims the connections for `serve` or `connections`, until `release`.
    package func take() throws(Failure) {
        try state.withLock { state throws(Failure) in
            if state.phase == .closing || state.phase == .closed { throw .closed }
            if state.phase == .fresh { throw .invalidState(.notBound) }
            if state.isTaken || state.outbox.hasListener(.connect) { throw .invalidState(.taken) }
            state.isTaken = true
        }
    }

    /// Ends the claim.
    package func giveBack() {
        state.withLock { $0.isTaken = false }
        // A listener that came meanwhile takes effect now.
        requestTurn()
    }

    /// The next connection, neither read nor watched yet. `isTaker`: the caller has claimed the connections.
    package func accept(isTaker: Bool = false, timeout: Duration? = nil) async throws(Failure) -> StreamDriver {
        try state.withLock { state throws(Failure) in
            guard state.phase == .listening, !isTaker else { return }
            if state.isTaken || state.outbox.hasListener(.connect) { throw .invalidState(.taken) }
        }
        var isNext = false
        let deadline = Instant.after(timeout)
        while true {
            switch try admit(isNext: isNext) {
            case nil:
                try await waitToAccept(deadline)
                isNext = true
            case .some((let number, let tick)):
                isNext = false
                if let connection = acceptOnce(number, tick) { return connection }
            }
        }
    }

    private func admit(isNext: Bool) throws(Failure) -> (Int32, UInt32)? {
        try state.withLock { state throws(Failure) in
            guard state.phase == .listening else {
                if isNext { state.machine.relinquish() }
                throw state.phase == .fresh ? .invalidState(.notBound) : .closed
            }
            guard case .accept(let tick) = state.machine.admit(isNext: isNext, isQueueEmpty: state.waiters.isEmpty),
                let number = state.descriptor.lend()
            else { return nil }
            return (number, tick)
        }
    }

    private func acceptOnce(_ number: Int32, _ tick: UInt32) -> StreamDriver? {
        var peer = SocketAddress(v4: 0)
        switch SocketCalls.accept(number, from: &peer) {
        case .success(let descriptor):
            let connection = makeConnection(descriptor, peer)
            end(nil, tick)
            return connection
        case .failure(let error):
            end(error, tick)
            return nil
        }
    }

    private func end(_ error: SystemError?, _ tick: UInt32) {
        let (didClear, mustTurn) = state.withLock { state in
            _ = state.descriptor.giveBack()
            return (state.finish(error, tick: tick), !state.waiters.isEmpty || state.pauseEnd < state.timer)
        }
        if didClear { rearm() }
        if mustTurn { requestTurn() }
    }

    private func waitToAccept(_ deadline: Instant) async throws(Failure) {
        let ticket = state.withLock { $0.nextTicket() }
        let failure = await Waiter.wait { waiter in
            enqueue(waiter, ticket, deadline)
        } onCancel: { [self] in
            cancel(ticket)
        }
        if let failure { throw failure }
    }

    private func enqueue(_ waiter: Waiter, _ ticket: Ticket, _ deadline: Instant) {
        let isOpen = state.withLock { state in
            guard state.phase == .listening else { return false }
            state.waiters.append(Waiting(ticket: ticket, waiter: waiter, deadline: deadline, isServing: false))
            return true
        }
        if isOpen { requestTurn() } else { waiter.resume(.closed) }
    }

    private func cancel(_ ticket: Ticket) {
        let waiting = state.withLock { $0.waiters.remove(ticket) }
        waiting?.waiter.resume(.cancelled())
    }

    // MARK: Closing

    /// Stops listening and frees the port. Accepted connections stay.
    package func close() async {
        _ = await Waiter.wait { close($0) }
    }

    /// The completion form.
    package func close(completion body: @escaping @Sendable () -> Void) {
        close(.handler { [self] _ in complete(body) })
    }

    private func close(_ waiter: Waiter) {
        let isDone = state.withLock { state in
            if state.phase == .closed, state.isReleased { return true }
            if state.phase != .closed { state.phase = .closing }
            state.closers.append(waiter)
            return false
        }
        if isDone { waiter.resume() } else { requestTurn() }
    }

    /// The program let go of the server object.
    package func handleReleased() {
        let mustTurn = state.withLock { state in
            state.hasHandle = false
            return state.isRegistered
        }
        if mustTurn { requestTurn() }
    }

    // MARK: Listeners

    /// Adds a listener.
    package func on(
        _ kind: EventKind, once: Bool = false, _ body: @escaping @Sendable (EngineEvent) -> Void
    ) -> Ticket {
        let ticket = state.withLock { state in
            let ticket = state.nextTicket()
            if state.phase != .closed {
                state.outbox.add(Listener(ticket: ticket, kind: kind, isOnce: once, body: body))
            }
            return ticket
        }
        requestTurn()
        return ticket
    }

    /// Removes one listener.
    package func off(_ ticket: Ticket) { off { $0.ticket == ticket } }

    /// Removes all listeners of an event.
    package func off(_ kind: EventKind) { off { $0.kind == kind } }

    private func off(where isIncluded: (Listener) -> Bool) {
        withExtendedLifetime(state.withLock { $0.outbox.remove(where: isIncluded) }) {}
        requestTurn()
    }

    /// Queues a completion behind the events that came before it.
    package func complete(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.outbox.append(.call(body)) }
        requestTurn()
    }

    /// Tells of an error that no call could report.
    package func report(_ failure: Failure, _ address: SocketAddress?) {
        state.withLock { state in
            state.lastError = failure
            state.outbox.emit(.error(failure, address))
        }
        requestTurn()
    }

    /// Returns when everything that was queued for listeners has been told.
    package func deliverPending() async {
        let mustWait = state.withLock { !$0.outbox.isIdle }
        guard mustWait else { return }
        _ = await Waiter.wait { waiter in complete { waiter.resume() } }
    }

    // MARK: State

    /// Whether it listens, and whether it is closed.
    package var snapshot: StreamDriver.Snapshot {
        state.withLock { state in
            StreamDriver.Snapshot(
                isBound: state.phase == .listening, isClosed: state.phase == .closed, isConnected: false)
        }
    }

    package var localAddress: SocketAddress? { state.withLock { $0.local } }
    package var descriptorNumber: Int32? { state.withLock { $0.descriptor.number } }
    package var lastError: Failure? { state.withLock { $0.lastError } }

    /// Sets options of the listener now or as soon as it listens, which accepted connections inherit, and with `change`
    /// what they start with beside.
    package func setOptions(
        _ options: KernelOptions, _ change: (inout StreamSettings) -> Void
    ) throws(Failure) {
        if state.withLock({ $0.phase == .closing || $0.phase == .closed }) { throw .closed }
        try setOptions(options) {
            state.withLock { state in
                state.options = state.options.overlaid(with: options)
                var values = state.connectionSettings.values
                change(&values)
                state.connectionSettings = StreamSettings.Shared(values)
            }
        }
    }

    /// The listener's options, and what accepted connections start with.
    package func readOptions() throws(Failure) -> (KernelOptions, StreamSettings) {
        let (options, settings) = try state.withLock { state throws(Failure) in
            if state.phase == .closed { throw .closed }
            return (state.options, state.connectionSettings.values)
        }
        return (withDescriptor { KernelOptions.read(from: $0) } ?? options, settings)
    }

    /// Where listeners and completions run.
    package var delivery: DeliveryContext {
        get { state.withLock { $0.delivery } }
        set { state.withLock { $0.delivery = newValue } }
    }

    /// Lends the descriptor to `body`; nil without calling it when there is none.
    package func withDescriptor<Result>(_ body: (Int32) -> Result) -> Result? {
        guard let number = state.withLock({ $0.descriptor.lend() }) else { return nil }
        defer { state.withLock { _ = $0.descriptor.giveBack() } }
        return body(number)
    }
}

extension ListenerState {
    /// Whether a listen would fit.
    fileprivate mutating func checkFresh() throws(Failure) {
        switch phase {
        case .fresh: return
        case .listening: throw .alreadyBound
        case .closing, .closed: throw .closed
        }
    }
}
