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
        case .membership(let argument, let error): "\(argument.field): \(argument.problem) (\(error.name))"
        case .queueFull(let limit): "the send queue is full: it may hold \(limit) bytes"
        case .tooLong(let limit): "the message is longer than \(limit) bytes"
        case .incomplete(let count): "the peer ended within a message, of which \(count) bytes had come"
        case .fileCut: "the file became shorter while it was sent"
        case .malformed(let reason): "what came is no message: \(reason)"
        case .descriptorsLost: "descriptors came that there was no room for; they are closed"
        case .unknownHost(let name): "no host is called \(name)"
        case .resolver(let name, let message): "looking up \(name) failed: \(message)"
        case .system(let error, _, _, _): SocketError.text(of: error)
        case .option(let option, let error): SocketError.text(of: error, option)
        case .optionTooLate(let option): "\(option.rawValue): can only be set before bind, listen and connect"
        case .handler(let thrown): "the handler threw \(thrown)"
        case .cipher(let failure, _, _): failure.reason
        case .connect(let attempts): SocketError.text(of: attempts)
        case .lookUpTimedOut(let name, let attempts):
            "timed out while \(name) was looked up"
                + (attempts.isEmpty ? "" : "; until then: \(SocketError.text(of: attempts))")
        }
    }

    private static func text(of error: SystemError, _ option: KernelOption? = nil) -> String {
        (option.map { "\($0.rawValue): " } ?? "") + "\(error.message) (\(error.name))"
    }

    /// The reasons, each with the addresses that it holds for: many dead addresses are dead in few ways. The port is the
    /// same for all, and said elsewhere.
    private static func text(of attempts: [ConnectAttempt]) -> String {
        var reasons: [(text: String, hosts: [String])] = []
        for attempt in attempts {
            let text = text(of: attempt.error, attempt.setup?.option)
            let index = reasons.firstIndex { $0.text == text } ?? reasons.endIndex
            if index == reasons.endIndex { reasons.append((text, [])) }
            reasons[index].hosts.append(attempt.address.host)
        }
        if attempts.count == 1, let only = reasons.first { return only.text }
        let parts = reasons.map { "\($0.text) at \($0.hosts.joined(separator: ", "))" }
        return "\(attempts.count) addresses failed: " + parts.joined(separator: "; ")
    }
}

/// What was tried when an operation failed.
public enum SocketOperation: String, Sendable, Hashable, CaseIterable {
    /// Giving a socket an address.
    case bind
    /// Asking a `SystemResolver` for the addresses of a name.
    case resolve = "look-up"
    /// Reaching a peer.
    case connect
    /// Waiting for peers.
    case listen
    /// Taking a connection.
    case accept
    /// Making a connection secure.
    case handshake = "TLS handshake"
    /// Sending bytes or a datagram.
    case send
    /// Receiving bytes or a datagram.
    case receive
    /// Moving bytes between two sockets.
    case relay
    /// Ending our direction.
    case finish
    /// Closing.
    case close
    /// Setting options.
    case setOptions = "set options"
    /// Setting, or making, a framing.
    case setFraming = "set framing"
    /// Reading options.
    case getOptions = "get options"
    /// Asking for an address.
    case getAddress = "get address"
    /// Asking what the kernel knows of a connection.
    case getInfo = "get info"
    /// Asking who the peer of a local socket is.
    case getCredentials = "get credentials"
    /// Making two sockets that are connected to each other.
    case makePair = "make a pair"
    /// Joining a multicast group.
    case join
    /// Leaving a multicast group.
    case leave
    /// Listing network interfaces.
    case listInterfaces = "list interfaces"
    /// Watching network interfaces.
    case watchInterfaces = "watch interfaces"
    /// Serving a connection.
    case serve
    /// Letting a server's connections come to their end.
    case shutdown
    /// Taking a descriptor over.
    case adopt
    /// Giving a descriptor up.
    case detach
    /// Waiting for a descriptor that is not a socket's.
    case wait

    /// The operation that a failure can only be of; nil where it can be of several.
    init?(_ failure: Failure) {
        switch failure {
        case .connect, .lookUpTimedOut, .unknownHost, .resolver: self = .connect
        case .option, .optionTooLate: self = .setOptions
        case .handler: self = .serve
        case .cipher(let failure, _, _):
            switch failure.kind {
            case .handshake, .verification, .timeout, .unconnected: self = .handshake
            case .receiving, .truncation: self = .receive
            case .sending: self = .send
            }
        case .system(_, let call, _, _):
            switch call {
            case .accept: self = .accept
            case .bind, .chmod, .unlink: self = .bind
            case .connect, .resolve: self = .connect
            case .listen: self = .listen
            case .receive, .receiveMessage, .splice: self = .receive
            case .send, .sendFile, .sendMessage, .sendTo: self = .send
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
        case .handshake: "with"
        case .resolve: "of"
        default: "on"
        }
    }
}

/// One address that a connect tried.
public struct ConnectAttemptInfo: Sendable, Hashable, CustomStringConvertible {
    /// The address, with its port.
    public let address: NetAddress
    /// What the system answered, to connect(2) or to a call that prepared it.
    public let error: SystemErrorInfo
    /// How long the attempt took.
    public let duration: Duration

    init(_ attempt: ConnectAttempt) {
        address = NetAddress(attempt.address)
        error = SystemErrorInfo(attempt)
        duration = attempt.duration
    }

    /// `127.0.0.1:1: connection refused (ECONNREFUSED) after 0.1 ms`.
    public var description: String { "\(address): \(error) after \(duration.rounded)" }
}
