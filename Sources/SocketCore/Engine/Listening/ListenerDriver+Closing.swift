// The ends of a listener: now, with all of its connections, or in somebody else's hands.
extension ListenerDriver {
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

    // MARK: With its connections

    /// Stops listening, and waits until every connection has ended. When time is over it cuts off what is left. Returns
    /// how many connections were ever cut off.
    package func shutdown(timeout: Duration?) async throws(Failure) -> Int {
        let deadline = Instant.after(timeout)
        let ticket = state.withLock { $0.nextTicket() }
        let failure = await Waiter.wait { waiter in
            shutdown(ticket, deadline, waiter)
        } onCancel: { [self] in
            state.withLock { $0.drainers.remove(ticket) }?.waiter.resume(.cancelled())
        }
        if let failure { throw failure }
        return state.withLock { $0.cutOffCount }
    }

    /// The completion form.
    package func shutdown(timeout: Duration?, completion body: @escaping @Sendable (Int) -> Void) {
        let waiter = Waiter.handler { [self] _ in
            let count = state.withLock { $0.cutOffCount }
            complete { body(count) }
        }
        shutdown(state.withLock { $0.nextTicket() }, .after(timeout), waiter)
    }

    private func shutdown(_ ticket: Ticket, _ deadline: Instant, _ waiter: Waiter) {
        state.withLock { state in
            if state.phase != .closed { state.phase = .closing }
            state.drainers.append(Waiting(ticket: ticket, waiter: waiter, deadline: deadline, isServing: false))
        }
        requestTurn()
    }

    // MARK: Detaching

    /// Stops accepting, and gives the descriptor to the caller, who owns it from here on; it goes on listening.
    package func detach() async throws(Failure) -> Int32 {
        if let failure = await Waiter.wait({ detach($0) }) { throw failure }
        return try takeDetached()
    }

    /// The completion form.
    package func detach(completion body: @escaping @Sendable (Result<Int32, Failure>) -> Void) {
        detach(
            .handler { [self] failure in
                let result = Result { () throws(Failure) in
                    if let failure { throw failure }
                    return try takeDetached()
                }
                complete { body(result) }
            })
    }

    private func detach(_ waiter: Waiter) {
        let refusal: Failure? = state.withLock { state in
            guard state.phase == .listening else { return state.phase == .fresh ? .invalidState(.notBound) : .closed }
            state.phase = .closing
            state.ending = .detached
            state.detacher = waiter
            return nil
        }
        if let refusal { waiter.resume(refusal) } else { requestTurn() }
    }

    private func takeDetached() throws(Failure) -> Int32 {
        guard let number = state.withLock({ $0.detached.take() }) else { throw .closed }
        return number
    }
}
