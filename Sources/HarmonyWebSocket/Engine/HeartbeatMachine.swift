internal import SocketCore

/// Decides when to ask a silent peer whether it is there, and when to believe that it is not.
///
/// Anything that a peer sends shows that it is there. While we do not read, because the program does not take its
/// messages, nothing is asked: an answer could not be seen.
struct HeartbeatMachine: Sendable, Hashable {
    enum Action: Sendable, Hashable {
        case nothing
        case ping
        /// The peer is gone.
        case fail
    }

    let interval: Duration
    let timeout: Duration
    /// When to look again.
    private(set) var deadline: Instant
    private var isAwaitingPong = false

    /// `interval`: how long a peer may be silent before it is asked. `timeout`: how long it has to answer.
    init(interval: Duration, timeout: Duration, now: Instant) {
        self.interval = interval
        self.timeout = timeout
        deadline = now.advanced(by: interval)
    }

    /// Something came from the peer; `now` is asked for only when it matters.
    mutating func heard(_ now: @autoclosure () -> Instant) {
        guard isAwaitingPong else {
            wasHeard = true
            return
        }
        isAwaitingPong = false
        wasHeard = false
        deadline = now().advanced(by: interval)
    }
    // Noted without looking at the clock: something came since the deadline was set.
    private var wasHeard = false

    /// The deadline may have come. `isReading`: an answer would be seen.
    mutating func expire(_ now: Instant, isReading: Bool) -> Action {
        guard now >= deadline else { return .nothing }
        if wasHeard || !isReading {
            wasHeard = false
            deadline = now.advanced(by: isAwaitingPong ? timeout : interval)
            return .nothing
        }
        if isAwaitingPong { return .fail }
        isAwaitingPong = true
        deadline = now.advanced(by: timeout)
        return .ping
    }
}
