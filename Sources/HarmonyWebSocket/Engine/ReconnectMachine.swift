/// Decides whether a lost connection is made again, and after how long.
struct ReconnectMachine: Sendable, Hashable {
    let policy: WebSocketReconnectPolicy
    /// How many attempts were made since the connection was lost.
    private(set) var attempts = 0

    init(_ policy: WebSocketReconnectPolicy) { self.policy = policy }

    /// The connection is there.
    mutating func succeeded() { attempts = 0 }

    /// The connection was lost, or an attempt failed: how long to wait before the next one, nil to give up.
    /// `random` is between 0 and 1.
    mutating func failed(random: Double) -> Duration? {
        if let most = policy.maxAttempts, attempts >= most { return nil }
        var delay = policy.initialDelay
        for _ in 0..<min(attempts, 64) where delay < policy.maxDelay { delay = delay * policy.multiplier }
        delay = min(delay, policy.maxDelay)
        attempts += 1
        return delay * (1 - policy.jitter * random)
    }

    /// Whether a connection that ended in this way is made again.
    func wants(after info: WebSocketCloseInfo) -> Bool {
        if case .violation = info.error?.failure { return false }
        return !info.wasClean || policy.closeCodes.contains(info.code)
    }
}
