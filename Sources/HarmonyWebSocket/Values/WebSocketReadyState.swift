/// How far a WebSocket is, with Pepper's numbers.
public enum WebSocketReadyState: Int, Sendable, Hashable, Codable, CaseIterable {
    /// `connect` was not called yet.
    case invalid = -1
    /// The connection is being made, or made again.
    case connecting = 0
    /// Messages can be sent.
    case open = 1
    /// A close frame was sent, or came; the end is awaited.
    case closing = 2
    /// The connection is closed, or could not be made.
    case closed = 3
}
