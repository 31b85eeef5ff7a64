// The end of a datagram socket.
extension DatagramDriver {
    /// Sends what is queued, within the close time-out, and closes.
    package func close() async {
        _ = await Waiter.wait { close($0) }
    }

    /// The completion form.
    package func close(completion body: @escaping @Sendable () -> Void) {
        close(.handler { [self] _ in complete(body) })
    }

    private func close(_ waiter: Waiter) {
        let isDone = state.withLock { state in
            if state.phase == .closed { return true }
            state.close()
            state.closers.append(waiter)
            return false
        }
        if isDone { waiter.resume() } else { requestTurn() }
    }

    /// The program let go of the socket object.
    package func handleReleased() {
        let mustTurn = state.withLock { state in
            state.hasHandle = false
            return state.isRegistered
        }
        if mustTurn { requestTurn() }
    }
}
