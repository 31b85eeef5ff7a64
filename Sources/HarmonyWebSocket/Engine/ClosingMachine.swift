internal import HarmonySocket

/// The way to the end of a WebSocket (RFC 6455, section 7): both sides send a close frame, and the server ends the
/// connection first.
struct ClosingMachine: Sendable, Hashable {
    /// A close frame: nothing without a code.
    struct Frame: Sendable, Hashable {
        var code: WebSocketCloseCode?
        var reason = ""

        /// The payload.
        var payload: [UInt8] {
            guard let code else { return [] }
            return [UInt8(truncatingIfNeeded: code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]
                + reason.utf8
        }
    }

    /// What to do.
    enum Action: Sendable, Hashable {
        case nothing
        /// Send it, and await the peer's for no longer than the close time-out.
        case send(Frame)
        /// Send it, and end the connection behind it.
        case sendAndEnd(Frame)
        /// Send it; the peer ends the connection. No longer than the close time-out is waited for that.
        case sendAndAwaitEnd(Frame)
        /// End the connection, behind what is queued.
        case end
        /// The peer ends the connection. No longer than the close time-out is waited for that.
        case awaitEnd
        /// The peer did not do its part in time.
        case giveUp
    }

    /// Who ends the connection when both close frames are out.
    let isServer: Bool
    private(set) var sent: Frame?
    private(set) var received: Frame?
    /// What the peer did wrong, or did not do.
    private(set) var failure: WebSocketError?
    private var isEnding = false

    init(isServer: Bool) { self.isServer = isServer }

    /// Whether messages may be sent.
    var isOpen: Bool { sent == nil && received == nil && !isEnding }

    /// Whether what comes is of no interest any more: the close frame was the peer's last word, or it is not understood.
    var ignoresInput: Bool { received != nil || failure != nil || isEnding }

    /// The program closes. Only the first close counts.
    mutating func close(_ frame: Frame) -> Action {
        guard isOpen else { return .nothing }
        sent = frame
        return .send(frame)
    }

    /// The peer's close frame came; it is answered with the same code.
    mutating func receive(_ frame: Frame) -> Action {
        guard received == nil, !isEnding else { return .nothing }
        received = frame
        if sent == nil {
            let answer = Frame(code: frame.code)
            sent = answer
            if isServer {
                isEnding = true
                return .sendAndEnd(answer)
            }
            return .sendAndAwaitEnd(answer)
        }
        if isServer {
            isEnding = true
            return .end
        }
        return .awaitEnd
    }

    /// The peer did what it may not, or does not answer: it is told, and the connection ends without its consent.
    mutating func fail(_ failure: WebSocketError, _ code: WebSocketCloseCode, _ reason: String) -> Action {
        guard !isEnding, self.failure == nil else { return .nothing }
        self.failure = failure
        isEnding = true
        if sent != nil { return .end }
        let frame = Frame(code: code, reason: reason)
        sent = frame
        return .sendAndEnd(frame)
    }

    /// The close time-out is over.
    mutating func expire() -> Action {
        guard !isEnding, sent != nil else { return .nothing }
        isEnding = true
        if received == nil { failure = WebSocketError(.closeTimedOut) }
        return .giveUp
    }

    /// How it ended, now that the connection is gone; `cause`: what broke it.
    func info(_ cause: SocketError?) -> WebSocketCloseInfo {
        guard let received else {
            return WebSocketCloseInfo(
                code: .abnormalClosure, reason: "", wasClean: false,
                error: failure ?? WebSocketError(.connectionLost(cause)))
        }
        return WebSocketCloseInfo(
            code: received.code ?? .noStatusReceived, reason: received.reason, wasClean: failure == nil, error: failure)
    }
}
