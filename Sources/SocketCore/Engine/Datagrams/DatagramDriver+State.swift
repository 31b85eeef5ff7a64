// What a datagram socket says of itself, what can be set about it, and who listens.
extension DatagramDriver {
    /// The state at this moment.
    package var snapshot: StreamDriver.Snapshot {
        state.withLock { state in
            StreamDriver.Snapshot(
                isBound: state.phase == .bound || state.phase == .flushing, isClosed: state.phase == .closed,
                isConnected: state.phase == .bound && state.peer != nil)
        }
    }

    package var localAddress: SocketAddress? { state.withLock { $0.local } }
    package var peerAddress: SocketAddress? { state.withLock { $0.peer } }
    package var descriptorNumber: Int32? { state.withLock { $0.descriptor.number } }
    package var lastError: Failure? { state.withLock { $0.lastError } }

    /// Bytes of datagrams that the kernel has not taken yet.
    package var bufferedAmount: Int { state.withLock { $0.write.queuedBytes } }

    /// Datagrams that the kernel has not taken yet.
    package var bufferedCount: Int { state.withLock { $0.write.queuedCount } }

    /// What has gone through the socket, and bytes that wait.
    package var counts: (StreamCounts, queued: Int) { state.withLock { ($0.counts, $0.write.queuedBytes) } }

    /// Bytes above which nothing more is queued; nil is without limit.
    package var sendQueueLimit: Int? {
        get { state.withLock { $0.sendQueueLimit } }
        set { state.withLock { $0.sendQueueLimit = newValue } }
    }

    /// Bytes above which the send queue counts as full.
    package var highWaterMark: Int {
        get { state.withLock { $0.write.highWaterMark } }
        set { state.withLock { $0.write.highWaterMark = newValue } }
    }

    /// Sets options now or as soon as there is a descriptor.
    package func setOptions(_ options: KernelOptions) throws(Failure) {
        if state.withLock({ $0.phase > .bound }) { throw .closed }
        try setOptions(options) {
            state.withLock { $0.options = $0.options.overlaid(with: options) }
        }
    }

    /// The kernel's options.
    package func readOptions() throws(Failure) -> KernelOptions {
        let options = try state.withLock { state throws(Failure) in
            if state.phase == .closed { throw .closed }
            return state.options
        }
        // What the kernel does not tell is as it was set.
        return withDescriptor { options.overlaid(with: KernelOptions.read(from: $0)) } ?? options
    }

    /// Where listeners and completions run.
    package var delivery: DeliveryContext {
        get { state.withLock { $0.delivery } }
        set { state.withLock { $0.delivery = newValue } }
    }

    /// How long close() may flush.
    package var closeTimeout: Duration {
        get { state.withLock { $0.closeTimeout } }
        set { state.withLock { $0.closeTimeout = newValue } }
    }

    /// Nothing sent or received for so long is told as "timeout".
    package var idleTimeout: Duration? {
        get { state.withLock { $0.idleTimeout } }
        set {
            state.withLock { state in
                state.idleTimeout = newValue
                state.noteActivity()
            }
            requestTurn()
        }
    }

    /// Lends the descriptor to `body`; nil without calling it when there is none.
    package func withDescriptor<Result>(_ body: (Int32) -> Result) -> Result? {
        guard let number = state.withLock({ $0.descriptor.lend() }) else { return nil }
        defer { state.withLock { _ = $0.descriptor.giveBack() } }
        return body(number)
    }

    // MARK: Listeners

    /// Adds a listener; it hears what happens from now on.
    package func on(
        _ kind: EventKind, once: Bool = false, _ body: @escaping @Sendable (EngineEvent) -> Void
    ) -> Ticket {
        let (ticket, mustTurn) = state.withLock { state in
            let ticket = state.nextTicket()
            if state.phase != .closed {
                state.outbox.add(Listener(ticket: ticket, kind: kind, isOnce: once, body: body))
            }
            return (ticket, state.isRegistered)
        }
        if mustTurn { requestTurn() }
        return ticket
    }

    /// Removes one listener.
    package func off(_ ticket: Ticket) { off { $0.ticket == ticket } }

    /// Removes all listeners of an event.
    package func off(_ kind: EventKind) { off { $0.hears(kind) } }

    private func off(where isIncluded: (Listener) -> Bool) {
        let (before, mustTurn) = state.withLock { state in
            (state.outbox.remove(where: isIncluded), state.isRegistered && !state.hasHandle)
        }
        if mustTurn { requestTurn() }
        withExtendedLifetime(before) {}
    }

    /// Queues a completion behind the events that came before it.
    package func complete(_ body: @escaping @Sendable () -> Void) { complete(.call(body)) }

    func complete(_ item: Outbox.Item) {
        state.withLock { $0.outbox.append(item) }
        requestTurn()
    }

    /// Returns when everything that was queued for listeners has been told.
    package func deliverPending() async {
        let mustWait = state.withLock { !$0.outbox.isIdle }
        guard mustWait else { return }
        _ = await Waiter.wait { waiter in complete { waiter.resume() } }
    }
}
