// The ends of a stream socket: ours, both, now, or by cancellation.
extension StreamDriver {
    /// Ends our direction after what is queued; reading goes on. Returns when shutdown(2) was called.
    package func finish() async throws(Failure) {
        try await waitOnLoop { body in finish(body) }
    }

    /// The completion form.
    package func finish(completion body: @escaping @Sendable (Result<Void, Failure>) -> Void) {
        finish(.handler { [self] result in complete { body(result) } })
    }

    private func finish(_ waiter: Waiter<Void>) {
        let result: Result<Void, Failure>? = state.withLock { state in
            if state.life.isClosing { return .failure(.closed) }
            guard state.life.phase == .open else { return .failure(.notConnected) }
            if state.write.hasFinished { return .success(()) }
            state.write.beginFinishing()
            state.finishers.append(waiter)
            _ = state.use()
            return nil
        }
        if let result { waiter.resume(result) } else { requestTurn() }
    }

    /// Flushes, ends our direction, and completes; the peer's end is awaited in the background.
    package func close() async {
        try? await waitOnLoop { body in close(.flush, body) }
    }

    /// The completion form.
    package func close(completion body: @escaping @Sendable () -> Void) {
        close(.flush, .handler { [self] _ in complete(body) })
    }

    /// Drops everything; the peer sees a reset.
    package func reset() async {
        try? await waitOnLoop { body in close(.reset, body) }
    }

    /// The completion form.
    package func reset(completion body: @escaping @Sendable () -> Void) {
        close(.reset, .handler { [self] _ in complete(body) })
    }

    /// Ends the socket without anybody waiting for it.
    package func end(_ request: LifecycleMachine.CloseRequest) {
        state.withLock { $0.life.close(request) }
        requestTurn()
    }

    private func close(_ request: LifecycleMachine.CloseRequest, _ waiter: Waiter<Void>) {
        let isDone = state.withLock { state in
            if state.life.isClosed, state.life.request == nil { return true }
            _ = state.use()
            state.life.close(request == .flush && state.shared.values.linger == .zero ? .reset : request)
            state.closers.append(waiter)
            return false
        }
        if isDone { waiter.resume(.success(())) } else { requestTurn() }
    }

    /// Suspends until a waiter that the loop ends is ended. Not cancellable: what it waits for has its own time limit.
    private func waitOnLoop(_ body: (Waiter<Void>) -> Void) async throws(Failure) {
        try await Waiter.wait(body)
    }

    // MARK: The serving task

    /// The task that serves this socket was cancelled: its waits end, now and from here on.
    package func cancelServing() {
        var endings = StreamState.Endings()
        state.withLock { state in
            state.isServingCancelled = true
            for reader in state.readers.removeAll(where: \.isServing) {
                state.end(reader, with: .cancelled(), &endings)
            }
            for sender in state.senders {
                guard let waiting = sender.waiting, waiting.isServing,
                    let failure = state.withdraw(sender.ticket, { .cancelled(sent: $0, remaining: $1) })
                else { continue }
                endings.waiting.append((waiting.waiter, .failure(failure)))
            }
        }
        endings.perform()
        requestTurn()
    }
}
