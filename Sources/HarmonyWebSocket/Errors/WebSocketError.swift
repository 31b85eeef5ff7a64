public import HarmonySocket

/// Why an operation of a WebSocket failed.
///
/// ```swift
/// do {
///     try await WebSocket().connect("ws://127.0.0.1:1/")
/// } catch {
///     print(error)                         // connect to 127.0.0.1:1: connection refused (ECONNREFUSED)
///     print(error.kind, error.code)        // socket 2302999
///     print(error.socketError?.kind as Any)
/// }
/// ```
public struct WebSocketError: Error, Sendable, Hashable {
    /// What kind of failure this is: the part of an error that a program decides by.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The URL is none of a WebSocket.
        case invalidURL
        /// A value that cannot be: `field` names it.
        case invalidArgument
        /// `connect` was called before, or the server was started.
        case alreadyConnected
        /// There is no connection yet, or none at the moment.
        case notConnected
        /// The WebSocket is closed, or being closed.
        case closed
        /// The call does not go with what the WebSocket is doing now.
        case invalidState
        /// The task was cancelled.
        case cancelled
        /// The time-out of the call ran out.
        case timedOut
        /// The connection below failed: see `socketError`.
        case socket
        /// The peer's handshake makes no sense.
        case handshakeFailed
        /// The server answered the handshake with another status than 101: see `status` and `headers`.
        case rejected
        /// The peer broke the protocol, or exceeded a limit: see `closeCode`.
        case protocolViolation
        /// The connection ended without a close frame.
        case connectionLost
        /// The peer did not answer a ping in time.
        case pongTimedOut
        /// The peer did not answer our close frame in time.
        case closeTimedOut
        /// A handler of `serve` threw an error of its own.
        case handlerFailed
    }

    indirect enum Failure: Sendable, Hashable {
        case invalidURL(String, String)
        case invalidArgument(String, String)
        case alreadyConnected
        case notConnected
        case closed
        case invalidState(String)
        case cancelled
        case timedOut
        case socket(SocketError)
        case handshake(String)
        case rejected(Int, String, WebSocketHeaders)
        case violation(Violation)
        case connectionLost(SocketError?)
        case pongTimedOut
        case closeTimedOut
        case unknownConnection
        case handler(String)
    }

    let failure: Failure

    init(_ failure: Failure) {
        // The same failures have the same names, whichever layer met them.
        if case .socket(let error) = failure {
            switch error.kind {
            case .cancelled: self.failure = .cancelled
            case .timedOut: self.failure = .timedOut
            default: self.failure = failure
            }
        } else {
            self.failure = failure
        }
    }

    /// What kind of failure this is.
    public var kind: Kind {
        switch failure {
        case .invalidURL: .invalidURL
        case .invalidArgument: .invalidArgument
        case .alreadyConnected: .alreadyConnected
        case .notConnected, .unknownConnection: .notConnected
        case .closed: .closed
        case .invalidState: .invalidState
        case .cancelled: .cancelled
        case .timedOut: .timedOut
        case .socket: .socket
        case .handshake: .handshakeFailed
        case .rejected: .rejected
        case .violation: .protocolViolation
        case .connectionLost: .connectionLost
        case .pongTimedOut: .pongTimedOut
        case .closeTimedOut: .closeTimedOut
        case .handler: .handlerFailed
        }
    }

    /// OpenHarmony's number: 401 for a bad argument, 2302001 for a bad URL, 2302003 when there is a connection already,
    /// 2302006 for a connection that the server does not have, 2302004 for an address that is not this machine's, 2302007
    /// for a port that is taken, 200 for a connection that failed or was lost, and 2302999 for everything else.
    public var code: Int {
        switch failure {
        case .invalidArgument: 401
        case .invalidURL: 2_302_001
        case .alreadyConnected: 2_302_003
        case .unknownConnection: 2_302_006
        case .socket(let error):
            switch error.kind {
            case .addressInUse: 2_302_007
            case .addressNotAvailable: 2_302_004
            case .permissionDenied: 201
            default: 2_302_999
            }
        case .handshake, .rejected, .connectionLost, .pongTimedOut: 200
        default: 2_302_999
        }
    }

    /// What the connection below answered, when it was the one that failed.
    public var socketError: SocketError? {
        switch failure {
        case .socket(let error): error
        case .connectionLost(let error): error
        default: nil
        }
    }

    /// Whether connecting failed because the connection did not become secure. A server of TLS 1.3 refuses a client's
    /// certificate only after the client's end of the handshake, so what TLS says before the WebSocket is open counts too.
    var isOfTLSHandshake: Bool {
        switch socketError?.kind {
        case .tlsFailed, .certificateRejected, .truncated: true
        default: false
        }
    }

    /// The name of the rejected field or parameter of an `invalidArgument`.
    public var field: String? {
        if case .invalidArgument(let field, _) = failure { field } else { nil }
    }

    /// The status with which a server rejected the handshake.
    public var status: Int? {
        if case .rejected(let status, _, _) = failure { status } else { nil }
    }

    /// The header fields with which a server rejected the handshake; otherwise none.
    public var headers: WebSocketHeaders {
        if case .rejected(_, _, let headers) = failure { headers } else { WebSocketHeaders() }
    }

    /// The close code that we sent to a peer that broke the protocol.
    public var closeCode: WebSocketCloseCode? {
        if case .violation(let violation) = failure { violation.code } else { nil }
    }
}

extension WebSocketError: CustomStringConvertible {
    /// One line: what went wrong.
    public var description: String {
        switch failure {
        case .invalidURL(let url, let problem): "the URL \(url): \(problem)"
        case .invalidArgument(let field, let problem): "\(field): \(problem)"
        case .alreadyConnected: "the WebSocket is connected or connecting already"
        case .notConnected: "the WebSocket is not connected"
        case .closed: "the WebSocket is closed"
        case .invalidState(let reason): reason
        case .cancelled: "the task was cancelled"
        case .timedOut: "timed out"
        case .socket(let error): error.description
        case .handshake(let problem): "the handshake failed: \(problem)"
        case .rejected(let status, let reason, _):
            "the server answered \(status)" + (reason.isEmpty ? "" : " \(reason)")
        case .violation(let violation):
            "the peer broke the protocol: \(violation.problem); closed with \(violation.code)"
        case .connectionLost(let error): "the connection was lost" + (error.map { ": \($0)" } ?? "")
        case .pongTimedOut: "the peer did not answer a ping in time"
        case .closeTimedOut: "the peer did not answer the close frame in time"
        case .unknownConnection: "the connection is not one of this server's"
        case .handler(let thrown): "the handler threw \(thrown)"
        }
    }
}
