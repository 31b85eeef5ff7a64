/// How a WebSocket ended, the payload of `close`: OpenHarmony's CloseResult, with what Pepper and browsers know.
public struct WebSocketCloseInfo: Sendable, Hashable {
    /// The peer's code; `.noStatusReceived` when its close frame had none, `.abnormalClosure` when there was no frame.
    public let code: WebSocketCloseCode
    /// The peer's reason; empty without one.
    public let reason: String
    /// Whether both sides sent a close frame, and nothing went wrong.
    public let wasClean: Bool
    /// What ended the connection, when no close frame did.
    public let error: WebSocketError?
}

/// Why we close, as OpenHarmony's WebSocketCloseOptions.
public struct WebSocketCloseOptions: Sendable, Hashable {
    /// The code; nil sends none, and then there is no reason either.
    public var code: WebSocketCloseCode?
    /// At most 123 bytes of UTF-8, for people who read logs.
    public var reason: String

    /// A code, 1000 unless said otherwise, and a reason.
    public init(code: WebSocketCloseCode? = .normalClosure, reason: String = "") {
        self.code = code
        self.reason = reason
    }

    /// The close frame; throws what cannot be sent.
    func frame() throws(WebSocketError) -> ClosingMachine.Frame {
        guard let code else {
            guard reason.isEmpty else {
                throw WebSocketError(.invalidArgument("reason", "a close frame without a code has no reason"))
            }
            return ClosingMachine.Frame(code: nil)
        }
        guard code.canBeSent else {
            throw WebSocketError(.invalidArgument("code", "\(code.rawValue) cannot be sent"))
        }
        guard reason.utf8.count <= FrameHeader.maxControlLength - 2 else {
            throw WebSocketError(.invalidArgument("reason", "\(reason.utf8.count) bytes are more than 123"))
        }
        return ClosingMachine.Frame(code: code, reason: reason)
    }
}

/// What the opening handshake agreed on, the payload of `open`: OpenHarmony's OpenResult and WebSocketOpenInfo.
public struct WebSocketOpenInfo: Sendable, Hashable {
    /// The status of the answer: 101.
    public let status: Int
    /// The words behind the status.
    public let message: String
    /// The subprotocol that the server chose; empty without one.
    public let `protocol`: String
    /// The extensions that are in use, as the server named them; empty without any.
    public let extensions: String
    /// The header fields of the server's answer.
    public let headers: WebSocketHeaders
}

/// A WebSocket lost its connection and makes it again: the payload of `reconnecting`.
public struct WebSocketReconnectInfo: Sendable, Hashable {
    /// 1 for the first attempt since the connection was lost.
    public let attempt: Int
    /// How long it waits before that attempt.
    public let delay: Duration
    /// How the connection ended, or why the last attempt failed.
    public let error: WebSocketError?
}
