package import SocketCore

/// The name of an event of `Socket` whose listeners receive a `Payload`.
///
/// Listeners run on the socket's loop, one at a time, in the order of what happened, unless the socket delivers
/// somewhere else (`deliver(on:)`). They may call anything, `on`, `off` and `close` included.
public struct SocketEvent<Socket, Payload>: Sendable {
    /// A listener of the engine's events that calls a listener of this one's payload.
    package typealias Binding = @Sendable (@escaping @Sendable (Payload) -> Void) -> @Sendable (EngineEvent) -> Void

    let kind: EventKind
    // Made where the payload's type is known, so that no event pays for generic code.
    let bind: Binding

    package init(_ kind: EventKind, bind: @escaping Binding) {
        self.kind = kind
        self.bind = bind
    }
}

/// The name of the event whose listeners look at what arrives where it is.
public struct SocketBytesEvent: Sendable {
    /// Bytes arrived, and are there during the call.
    public static let bytes = SocketBytesEvent()
}

/// One registered listener: what `on` returns and `off` takes. Dropping it leaves the listener in place.
public struct SocketListener: Sendable, Hashable {
    package let ticket: Ticket
    package let socket: ObjectIdentifier

    package init(ticket: Ticket, socket: ObjectIdentifier) {
        self.ticket = ticket
        self.socket = socket
    }
}

extension SocketEvent where Payload == Void {
    package init(_ kind: EventKind) {
        self.init(kind) { listener in { _ in listener(()) } }
    }
}

extension SocketEvent where Payload == SocketMessageInfo {
    static func makeMessage() -> SocketEvent { SocketEvent(.message, bind: SocketMessageInfo.listener) }
}

extension SocketMessageInfo {
    /// A listener of the engine's events that calls a listener of messages.
    static func listener(
        _ listener: @escaping @Sendable (SocketMessageInfo) -> Void
    ) -> @Sendable (EngineEvent) -> Void {
        { event in
            guard case .message(let bytes, let source, let details) = event else { return }
            listener(SocketMessageInfo(bytes, from: source, details: details))
        }
    }
}

extension SocketEvent where Payload == SocketCloseInfo {
    static func makeClose() -> SocketEvent {
        SocketEvent(.close) { listener in
            { event in
                guard case .close(let failure) = event else { return }
                listener(SocketCloseInfo(error: failure.map { SocketError(told: $0, .receive, nil) }))
            }
        }
    }
}

extension SocketEvent where Payload == SocketError {
    static func makeError(_ operation: SocketOperation) -> SocketEvent {
        SocketEvent(.error) { listener in
            { event in
                guard case .error(let failure, let address) = event else { return }
                listener(SocketError(told: failure, operation, address?.description))
            }
        }
    }
}

extension SocketEvent where Socket: StreamSocket, Payload == SocketMessageInfo {
    /// Bytes arrived: a chunk of the stream, at most 65,536 bytes. Its size means nothing.
    public static var message: SocketEvent { makeMessage() }
}

extension SocketEvent where Socket: StreamSocket, Payload == UInt8? {
    /// The peer sent a byte of urgent data (tcp(7)): that byte, or nil when it is in the stream, as `oobInline` says;
    /// then it is told until the byte is read, perhaps more than once.
    public static var urgent: SocketEvent {
        SocketEvent(.urgent) { listener in
            { event in
                guard case .urgent(let byte) = event else { return }
                listener(byte)
            }
        }
    }
}

extension SocketEvent where Socket: StreamSocket, Payload == SocketCloseInfo {
    /// The socket is closed: once, last of all, whoever closed it, and after the completion of close().
    public static var close: SocketEvent { makeClose() }
}

extension SocketEvent where Socket: StreamSocket, Payload == SocketError {
    /// Something failed that no pending call could report.
    public static var error: SocketEvent { makeError(.receive) }
}

extension SocketEvent where Socket: StreamSocket, Payload == Void {
    /// The peer ended its direction, and all its data was read. With a message listener close() follows by itself,
    /// unless `allowsHalfOpen` is set: what the listeners send goes out before it, what is sent later needs that.
    public static var end: SocketEvent { SocketEvent(.end) }

    /// The send queue, once above its high-water mark, has fallen to half of it.
    public static var drain: SocketEvent { SocketEvent(.drain) }

    /// Nothing was sent or received for as long as `socketTimeout` says; the socket closes.
    public static var timeout: SocketEvent { SocketEvent(.timeout) }
}

extension SocketEvent where Socket == TCPSocket, Payload == Void {
    /// bind() succeeded.
    public static var listening: SocketEvent { SocketEvent(.listening) }

    /// connect() succeeded.
    public static var connect: SocketEvent { SocketEvent(.connect) }
}
