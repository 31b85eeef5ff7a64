// What a program asks of a listener.
extension ListenerDriver {
    // MARK: Listening

    /// A listener for a socket that listens already. When this throws, `number` stays the caller's.
    package convenience init(
        group: EventLoopGroup, adopting number: Int32, isLocal: Bool = false,
        makeFace: @escaping @Sendable (StreamDriver) -> any AnyObject & Sendable
    ) throws(Failure) {
        let kind = try Adoption.prepareListener(number, isLocal: isLocal)
        self.init(group: group, localKind: isLocal ? kind : nil, makeFace: makeFace)
        state.withLock { state in
            state.begin(with: OwnedDescriptor(adopting: number), try? SocketCalls.localAddress(number).get())
        }
        tellListening()
        requestTurn()
    }

    /// Opens, prepares, binds and listens. Does not block. `wishes`: of a local socket.
    package func listen(
        on address: SocketAddress, backlog: Int, _ wishes: PathOptions = PathOptions()
    ) throws(Failure) {
        var path: BoundPath?
        do throws(Failure) {
            try listen(on: address, backlog: backlog, wishes, &path)
        } catch {
            path?.remove()
            throw error
        }
    }

    private func listen(
        on address: SocketAddress, backlog: Int, _ wishes: PathOptions, _ path: inout BoundPath?
    ) throws(Failure) {
        let options = try state.withLock { state throws(Failure) in
            try state.checkFresh()
            return state.options
        }
        let descriptor: OwnedDescriptor
        switch open(address, options, wishes, &path) {
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
            if let descriptor = owned.take() { state.begin(with: descriptor, local) }
            state.boundPath = path
            state.outbox.emit(.listening)
        }
        tellListening()
        requestTurn()
    }

    private func open(
        _ address: SocketAddress, _ wanted: KernelOptions, _ wishes: PathOptions, _ path: inout BoundPath?
    ) -> Result<OwnedDescriptor, SetupError> {
        if let localKind { return SocketCalls.openLocal(localKind, wanted, bindTo: address, wishes, path: &path) }
        var options = wanted
        // On, unless told otherwise: an address that a past connection still holds is no hindrance.
        options[.reuseAddress] = options[.reuseAddress] ?? 1
        // An IPv6 wildcard serves IPv4 too, however the system is set up (ipv6(7), IPV6_V6ONLY).
        if address.family == .v6 { options[.ipv6Only] = options[.ipv6Only] ?? 0 }
        return SocketCalls.open(address.family ?? .v4, .stream, options, bindTo: address)
    }

    // MARK: Listeners

    /// Adds a listener.
    package func on(
        _ kind: EventKind, once: Bool = false, _ body: @escaping @Sendable (EngineEvent) -> Void
    ) -> Ticket {
        let (ticket, mustTurn) = state.withLock { state in
            let ticket = state.nextTicket()
            if state.phase != .closed {
                state.outbox.add(Listener(ticket: ticket, kind: kind, isOnce: once, body: body))
            }
            return (ticket, state.phase != .fresh)
        }
        if mustTurn { requestTurn() }
        return ticket
    }

    /// Removes one listener.
    package func off(_ ticket: Ticket) { off { $0.ticket == ticket } }

    /// Removes all listeners of an event.
    package func off(_ kind: EventKind) { off { $0.hears(kind) } }

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
        observed?.tell(.error(failure, address), local: localAddress)
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

    /// How many connections may be open; nil is any number.
    package var connectionLimit: Int? {
        get { state.withLock { $0.machine.limit } }
        set {
            state.withLock { $0.machine.limit = newValue }
            requestTurn()
        }
    }

    /// What becomes of peers beyond the limit.
    package var excess: AcceptMachine.Excess {
        get { state.withLock { $0.machine.excess } }
        set {
            state.withLock { $0.machine.excess = newValue }
            requestTurn()
        }
    }

    /// How many of its connections have not ended.
    package var connectionCount: Int { state.withLock { $0.machine.open } }

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
        defer {
            let mustTurn = state.withLock { state in
                _ = state.descriptor.giveBack()
                return state.descriptor.isReturned
            }
            if mustTurn { requestTurn() }
        }
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

    /// From here on it listens.
    mutating func begin(with descriptor: consuming OwnedDescriptor, _ local: SocketAddress?) {
        self.descriptor.adopt(descriptor)
        self.local = local
        phase = .listening
    }
}
