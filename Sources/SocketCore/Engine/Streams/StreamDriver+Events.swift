// Listeners and completions.
extension StreamDriver {
    /// Adds a listener; it hears what happens from now on.
    package func on(
        _ kind: EventKind, once: Bool = false, _ body: @escaping @Sendable (EngineEvent) -> Void
    ) -> Ticket {
        let (ticket, mustTurn) = withState { state in
            let ticket = state.nextTicket()
            // A closed socket has told its last: keeping the listener would keep what it captures.
            if !state.life.isClosed {
                state.outbox.add(Listener(ticket: ticket, kind: kind, isOnce: once, body: body))
            }
            return (ticket, state.use() || state.isRegistered)
        }
        if mustTurn { requestTurn() }
        return ticket
    }

    /// Removes one listener.
    package func off(_ ticket: Ticket) { off { $0.ticket == ticket } }

    /// Removes all listeners of an event.
    package func off(_ kind: EventKind) { off { $0.hears(kind) } }

    private func off(where isIncluded: (Listener) -> Bool) {
        let (before, mustTurn) = withState { state in
            (state.outbox.remove(where: isIncluded), state.isRegistered && !state.hasHandle)
        }
        if mustTurn { requestTurn() }
        withExtendedLifetime(before) {}
    }

    /// Queues a completion behind the events that came before it.
    package func complete(_ body: @escaping @Sendable () -> Void) {
        withState { $0.outbox.append(.call(body)) }
        requestTurn()
    }

    /// Queues an event, and returns when its listeners, if there are any, have been told.
    package func emit(_ event: EngineEvent) async {
        let mustWait = withState { state in
            guard state.outbox.hasListener(event.kind) else { return false }
            state.outbox.emit(event)
            return true
        }
        guard mustWait else { return }
        _ = await Waiter.wait { waiter in complete { waiter.resume() } }
    }

    /// Queues an event.
    package func post(_ event: EngineEvent) {
        withState { $0.outbox.emit(event) }
        requestTurn()
    }
}
