/// How long `close()` waits until the peer has taken what was sent, as OpenHarmony's socketLinger.
public struct SocketLinger: Sendable, Hashable, Codable {
    /// Whether close() waits, or resets. Off: it writes what is queued, and does not wait for the peer to take it.
    public var on: Bool

    /// How long: 0 to 65,535 ms. Zero makes every close drop what is queued and reset the connection, also one that
    /// happens by itself: behind the peer's end, or when nobody holds the socket any more.
    public var linger: Duration

    /// Makes a linger setting.
    public init(on: Bool, linger: Duration = .zero) {
        self.on = on
        self.linger = linger
    }
}

extension SocketLinger: CustomStringConvertible {
    /// `off`, `10.0 s`.
    public var description: String { on ? linger.rounded : "off" }
}
