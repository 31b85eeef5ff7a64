/// Tells the program how far something is: now and then, and one report at a time.
package final class ProgressMeter<Amount: Sendable>: Sendable {
    private struct State: ~Copyable {
        var body: (@Sendable (Amount) -> Void)?
        var isTelling = false
        var next: Instant
    }

    /// The least time between two reports.
    package static var interval: Duration { .milliseconds(100) }

    private let state: Lock<State>

    package init(_ body: @escaping @Sendable (Amount) -> Void) {
        state = Lock(State(body: body, next: .now.advanced(by: ProgressMeter.interval)))
    }

    /// Whether it is time for a report. If so, `tell` follows.
    package func isDue() -> Bool {
        let now = Instant.now
        return state.withLock { state in
            guard state.body != nil, !state.isTelling, now >= state.next else { return false }
            state.isTelling = true
            return true
        }
    }

    /// Makes a report that was due.
    package func tell(_ amount: Amount) {
        let body = state.withLock { $0.body }
        body?(amount)
        state.withLock { state in
            state.isTelling = false
            state.next = .now.advanced(by: ProgressMeter.interval)
        }
    }

    /// Makes the last report, if there is something to say, and lets go of whom it was made to.
    package func end(_ amount: Amount?) {
        let body = state.withLock { $0.body.take() }
        if let amount { body?(amount) }
    }
}
