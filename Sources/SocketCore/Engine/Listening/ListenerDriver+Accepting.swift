// Taking connections: one accept after the other, for whoever asks.
extension ListenerDriver {
    /// Claims the connections for `serve`, until `giveBack`.
    package func take() throws(Failure) {
        try state.withLock { state throws(Failure) in
            try state.checkListening()
            try state.checkUntaken()
            state.isTaken = true
            state.isServeCancelled = false
        }
    }

    /// Ends the claim.
    package func giveBack() {
        state.withLock { $0.isTaken = false }
        // A listener that came meanwhile takes effect now.
        requestTurn()
    }

    // One cancellation handler, that of `serve`, ends the waits of all handlers. So no connection's task needs one of its
    // own, neither for all of its life nor for each wait: that would cost memory and time on every connection for something
    // that happens once.

    /// The calling task begins to serve `connection`, which is watched from here on.
    package func beginServing(_ connection: StreamDriver) {
        connection.beginServing()
        // Whoever cancels sets this first, and then looks for those that are served.
        if state.withLock({ $0.isServeCancelled }) { connection.cancelServing() }
        connection.takeTurn()
    }

    /// The connection's handler has ended. Closes it, by itself; a `close` that follows need not wait, mostly.
    package func endServing(_ connection: StreamDriver) { connection.endServing() }

    /// Ends the waits of every handler, now and from here on.
    package func cancelServing() {
        let connections = state.withLock { state in
            state.isServeCancelled = true
            return state.connections
        }
        for connection in connections { connection.cancelServing() }
    }

    /// The next connection, neither read nor watched yet. `isTaker`: the caller has claimed the connections.
    package func accept(isTaker: Bool = false, timeout: Duration? = nil) async throws(Failure) -> StreamDriver {
        let deadline = Instant.after(timeout)
        if let connection = try tryAccept(isTaker: isTaker, isEager: timeout.isZero) { return connection }
        let ticket = state.withLock { $0.nextTicket() }
        let taken = Lock<StreamDriver?>(nil)
        let failure = await Waiter.wait { waiter in
            enqueue(ticket, deadline) { result in
                switch result {
                case .success(let connection):
                    taken.withLock { $0 = connection }
                    waiter.resume()
                case .failure(let failure): waiter.resume(failure)
                }
            }
        } onCancel: { [self] in
            cancel(ticket)
        }
        guard let connection = taken.withLock({ $0 }) else { throw failure ?? .aborted() }
        return connection
    }

    /// The completion form.
    package func accept(
        timeout: Duration?, _ body: @escaping @Sendable (Result<StreamDriver, Failure>) -> Void
    ) {
        let deadline = Instant.after(timeout)
        let taker: ListenerState.Taker = { [self] result in complete { body(result) } }
        do throws(Failure) {
            if let connection = try tryAccept(isTaker: false, isEager: timeout.isZero) {
                return taker(.success(connection))
            }
        } catch {
            return taker(.failure(error))
        }
        enqueue(state.withLock { $0.nextTicket() }, deadline, taker)
    }

    /// Accepts at once, if that is possible and nobody waits already; nil when it is not. `isEager`: there will be no
    /// second try, so the backlog is looked at even if the poller has reported nothing, and nobody being there is
    /// `.timedOut`.
    private func tryAccept(isTaker: Bool, isEager: Bool) throws(Failure) -> StreamDriver? {
        var mayLookUnasked = isEager
        while true {
            let attempt = try state.withLock { state throws(Failure) -> ListenerState.Attempt in
                try state.checkListening()
                if !isTaker { try state.checkUntaken() }
                return state.attempt(isEager: mayLookUnasked)
            }
            switch attempt {
            case .connection(let connection): return connection
            case .wait:
                if isEager { throw .timedOut() }
                return nil
            case .turn(let turn, let number):
                switch accept(number, turn, isForCaller: true) {
                case .success(let connection?): return connection
                case .success(nil): break
                case .failure(let error): mayLookUnasked = mayLookUnasked && AcceptMachine.Outcome(error) == .lost
                }
            }
        }
    }

    private func enqueue(_ ticket: Ticket, _ deadline: Instant, _ taker: @escaping ListenerState.Taker) {
        let isOpen = state.withLock { state in
            guard state.phase == .listening else { return false }
            state.takers.append(Waiting(ticket: ticket, waiter: taker, deadline: deadline, isServing: false))
            return true
        }
        if isOpen { requestTurn() } else { taker(.failure(.aborted())) }
    }

    private func cancel(_ ticket: Ticket) {
        let taker = state.withLock { $0.takers.remove(ticket) }
        taker?.waiter(.failure(.cancelled()))
    }
}

extension ListenerState {
    fileprivate func checkListening() throws(Failure) {
        switch phase {
        case .listening: return
        case .fresh: throw .invalidState(.notBound)
        case .closing, .closed: throw .closed
        }
    }

    /// Connections go to `serve`, to listeners, or to those who pull them.
    fileprivate func checkUntaken() throws(Failure) {
        if isTaken || outbox.hasListener(.connect) { throw .invalidState(.taken) }
    }
}

extension Duration? {
    /// A time-out that does not wait.
    fileprivate var isZero: Bool { map { $0 <= .zero } ?? false }
}
