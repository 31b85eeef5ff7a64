// The ends of a stream socket: ours, both, now, or by cancellation.
extension StreamDriver {
    /// Ends our direction after what is queued; reading goes on. Returns when shutdown(2) was called.
    package func finish() async throws(Failure) {
        if let failure = await Waiter.wait({ finish($0) }) { throw failure }
    }

    /// The completion form.
    package func finish(completion body: @escaping @Sendable (Result<Void, Failure>) -> Void) {
        finish(.handler { [self] failure in complete { body(Result(failure)) } })
    }

    private func finish(_ waiter: Waiter) {
        let (isOver, failure): (Bool, Failure?) = withState { state in
            if state.life.isClosing { return (true, .closed) }
            guard state.life.phase == .open else { return (true, .notConnected) }
            if state.write.hasFinished { return (true, nil) }
            state.write.beginFinishing()
            state.rare.finishers.append(waiter)
            _ = state.use()
            return (false, nil)
        }
        if isOver { waiter.resume(failure) } else { requestTurn() }
    }

    /// Flushes, ends our direction, and completes; the peer's end is awaited in the background.
    package func close() async {
        _ = await Waiter.wait { close(.flush, $0) }
    }

    /// The completion form.
    package func close(completion body: @escaping @Sendable () -> Void) {
        close(.flush, .handler { [self] _ in complete(body) })
    }

    /// Drops everything; the peer sees a reset.
    package func reset() async {
        _ = await Waiter.wait { close(.reset, $0) }
    }

    /// The completion form.
    package func reset(completion body: @escaping @Sendable () -> Void) {
        close(.reset, .handler { [self] _ in complete(body) })
    }

    /// Ends the socket without anybody waiting for it.
    package func end(_ request: LifecycleMachine.CloseRequest) {
        withState { $0.close(request) }
        requestTurn()
    }

    /// Ends at once what is left of the socket. Returns whether it was still open: whether anything was cut off.
    func cutOff() -> Bool {
        let wasOpen = withState { state in
            // close() has completed, and its background has had its chance.
            state.giveUpDiscarding()
            defer { state.life.close(.reset) }
            return !state.life.isClosed
        }
        requestTurn()
        return wasOpen
    }

    private func close(_ request: LifecycleMachine.CloseRequest, _ waiter: Waiter) {
        let isDone = withState { state in
            if state.life.isClosed, state.life.request == nil { return true }
            _ = state.use()
            state.close(request)
            state.rare.closers.append(waiter)
            return false
        }
        if isDone { waiter.resume() } else { requestTurn() }
    }

    // MARK: The serving task

    /// The calling task begins to serve this socket, which is watched from here on.
    func beginServing() {
        servingTask = .current
        withState { state in
            state.serving = .ongoing
            state.isWatched = true
        }
    }

    /// That task has done its work: the connection is closed, after what it sent.
    func endServing() {
        servingTask = .none
        withState { $0.close(.flush) }
        takeTurn()
    }

    /// That task was cancelled: its waits end, now and from here on.
    func cancelServing() {
        var endings = StreamState.Endings()
        withState { state in
            guard state.serving == .ongoing else { return }
            state.serving = .cancelled
            for reader in state.readers.removeAll(where: \.isServing) {
                state.end(reader, with: .cancelled(), &endings)
            }
            for sender in state.rareIfAny?.senders ?? [] {
                guard let waiting = sender.waiting, waiting.isServing,
                    let failure = state.withdraw(sender.ticket, .cancelled())
                else { continue }
                endings.add(waiting.waiter, failure)
            }
        }
        endings.perform()
        requestTurn()
    }
}
