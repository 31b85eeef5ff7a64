internal import SocketCore

extension SocketError: CustomStringConvertible {
    /// One line: what was tried, on which address, and why it failed.
    public var description: String {
        var text = operation.rawValue
        if let address { text += " \(operation.preposition) \(address)" }
        text += ": \(message)"
        if sent > 0 || remaining > 0 { text += " (\(sent) bytes sent, \(remaining) not)" }
        return text
    }

    /// Why it failed, without what was tried.
    public var message: String {
        switch failure {
        case .closed: "the socket is closed"
        case .aborted: "the socket was closed meanwhile"
        case .cancelled: "the task was cancelled"
        case .timedOut: "timed out"
        case .notConnected: "the socket is not connected"
        case .alreadyConnected: "the socket is connected or connecting already"
        case .alreadyBound: "the socket has an address already"
        case .invalidState(let reason): reason.rawValue
        case .invalidArgument(let argument): "\(argument.field): \(argument.problem)"
        case .unknownHost(let name): "no host is called \(name)"
        case .resolver(let name, let message): "looking up \(name) failed: \(message)"
        case .system(let error, _, _, _): "\(error.message) (\(error.name))"
        case .handler(let thrown): "the handler threw \(thrown)"
        case .connect(let attempts): SocketError.text(of: attempts)
        }
    }

    private static func text(of attempts: [ConnectAttempt]) -> String {
        let parts = attempts.map { "\($0.error.message) (\($0.error.name))" }
        guard attempts.count > 1 else { return parts.first ?? "" }
        return zip(attempts, parts).map { "\($0.address) \($1)" }.joined(separator: "; ")
    }
}

/// What was tried when an operation failed.
public enum SocketOperation: String, Sendable, Hashable, CaseIterable {
    /// Giving a socket an address.
    case bind
    /// Reaching a peer.
    case connect
    /// Waiting for peers.
    case listen
    /// Taking a connection.
    case accept
    /// Sending bytes or a datagram.
    case send
    /// Receiving bytes or a datagram.
    case receive
    /// Ending our direction.
    case finish
    /// Closing.
    case close
    /// Setting options.
    case setOptions = "set options"
    /// Reading options.
    case getOptions = "get options"
    /// Asking for an address.
    case getAddress = "get address"
    /// Serving a connection.
    case serve
    /// Letting a server's connections come to their end.
    case shutdown
    /// Taking a descriptor over.
    case adopt
    /// Giving a descriptor up.
    case detach

    /// The operation that a failure can only be of; nil where it can be of several.
    init?(_ failure: Failure) {
        switch failure {
        case .connect, .unknownHost, .resolver: self = .connect
        case .handler: self = .serve
        case .system(_, let call, _, _):
            switch call {
            case .accept: self = .accept
            case .bind: self = .bind
            case .connect, .resolve: self = .connect
            case .listen: self = .listen
            case .receive, .receiveMessage: self = .receive
            case .send, .sendTo: self = .send
            case .setOption: self = .setOptions
            default: return nil
            }
        default: return nil
        }
    }

    var preposition: String {
        switch self {
        case .connect, .send: "to"
        case .receive: "from"
        default: "on"
        }
    }
}

/// One address that a connect tried.
public struct ConnectAttemptInfo: Sendable, Hashable, CustomStringConvertible {
    /// The address, with its port.
    public let address: NetAddress
    /// What the system answered.
    public let error: SystemErrorInfo
    /// How long the attempt took.
    public let duration: Duration

    init(_ attempt: ConnectAttempt) {
        address = NetAddress(attempt.address)
        error = SystemErrorInfo(attempt.error, call: "connect")
        duration = attempt.duration
    }

    /// `127.0.0.1:1: connection refused (ECONNREFUSED) after 0.1 ms`.
    public var description: String { "\(address): \(error) after \(duration)" }
}
