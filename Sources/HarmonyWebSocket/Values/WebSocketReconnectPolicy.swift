/// How a client makes its connection again when that was lost.
///
/// The delays grow from `initialDelay` by `multiplier` up to `maxDelay`, and each is shortened by chance, by at most
/// `jitter`, so that the clients of a server that restarts do not come back all at once.
///
/// ```swift
/// var options = WebSocketOptions()
/// options.reconnect = WebSocketReconnectPolicy(initialDelay: .milliseconds(200), maxAttempts: 10)
/// ```
public struct WebSocketReconnectPolicy: Sendable, Hashable {
    /// The delay before the first attempt; 500 ms unless said otherwise.
    public var initialDelay: Duration
    /// The longest delay; 30 s unless said otherwise.
    public var maxDelay: Duration
    /// What each delay is multiplied with to get the next; 2 unless said otherwise, at least 1.
    public var multiplier: Double
    /// Which part of a delay may be left out, 0...1; 0.5 unless said otherwise.
    public var jitter: Double
    /// How many attempts are made in a row; nil is without end.
    public var maxAttempts: Int?
    /// Codes of the server's close frame after which the client comes back: going away, restart, try again later.
    public var closeCodes: Set<WebSocketCloseCode>

    /// A policy; what is not given has its default.
    public init(
        initialDelay: Duration = .milliseconds(500), maxDelay: Duration = .seconds(30), multiplier: Double = 2,
        jitter: Double = 0.5, maxAttempts: Int? = nil,
        closeCodes: Set<WebSocketCloseCode> = [.goingAway, .serviceRestart, .tryAgainLater]
    ) {
        self.initialDelay = initialDelay
        self.maxDelay = maxDelay
        self.multiplier = multiplier
        self.jitter = jitter
        self.maxAttempts = maxAttempts
        self.closeCodes = closeCodes
    }

    /// The field that cannot be, and why; nil when all can.
    var problem: (field: String, problem: String)? {
        if initialDelay < .zero { return ("initialDelay", "it is negative") }
        if maxDelay < initialDelay { return ("maxDelay", "it is less than initialDelay") }
        if !(multiplier >= 1) { return ("multiplier", "\(multiplier) is less than 1") }
        if !(0...1).contains(jitter) { return ("jitter", "\(jitter) is not within 0...1") }
        if let maxAttempts, maxAttempts < 0 { return ("maxAttempts", "\(maxAttempts) is negative") }
        return nil
    }
}
