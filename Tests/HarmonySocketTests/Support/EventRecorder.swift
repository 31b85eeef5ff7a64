import Testing

/// Collects what happens, in order and from any thread, and wakes those who wait for a condition of it.
final class EventRecorder<Event: Sendable>: Sendable {
    private struct Waiter {
        let number: Int
        let condition: @Sendable ([Event]) -> Bool
        let outcome: Outcome<[Event]>
    }

    private struct State {
        var events: [Event] = []
        var waiters: [Waiter] = []
    }

    private let state = TestLock(State())

    /// What has been recorded.
    var events: [Event] { state.withLock { $0.events } }
    /// How much has been recorded.
    var count: Int { state.withLock { $0.events.count } }

    /// Adds an event behind the others.
    func record(_ event: Event) {
        let (events, ready) = state.withLock { state in
            state.events.append(event)
            let events = state.events
            let ready = state.waiters.filter { $0.condition(events) }
            if !ready.isEmpty { state.waiters.removeAll { $0.condition(events) } }
            return (events, ready)
        }
        for waiter in ready { waiter.outcome.set(.success(events)) }
    }

    /// Waits until `condition` holds of what was recorded, and returns that.
    @discardableResult
    func wait(
        _ limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
        until condition: @escaping @Sendable ([Event]) -> Bool
    ) async throws -> [Event] {
        let outcome = Outcome<[Event]>()
        let known: [Event]? = state.withLock { state in
            if condition(state.events) { return state.events }
            state.waiters.append(Waiter(number: state.waiters.count, condition: condition, outcome: outcome))
            return nil
        }
        if let known { return known }
        return try await within(limit, "an event, after \(events)", sourceLocation: sourceLocation) {
            try await outcome.value
        }
    }

    /// Waits until at least `count` events were recorded, and returns all.
    @discardableResult
    func wait(
        count: Int, _ limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [Event] {
        try await wait(limit, sourceLocation: sourceLocation) { $0.count >= count }
    }
}

extension EventRecorder where Event: Equatable {
    /// Waits until `event` was recorded, and returns all.
    @discardableResult
    func wait(
        for event: Event, _ limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [Event] {
        try await wait(limit, sourceLocation: sourceLocation) { $0.contains(event) }
    }
}
