/// The name of an event of `Socket`, a WebSocket of a client or of a server, whose listeners receive a `Payload`.
///
/// Listeners run on the WebSocket's loop, one at a time, in the order of what happened, unless it delivers somewhere else
/// (`deliver(on:)`). They may call anything, `on`, `off` and `close` included.
public struct WebSocketEvent<Socket, Payload>: Sendable {
    typealias Binding = @Sendable (@escaping @Sendable (Payload) -> Void) -> @Sendable (Occurrence) -> Void

    let kind: Occurrence.Kind
    let bind: Binding

    init(_ kind: Occurrence.Kind, bind: @escaping Binding) {
        self.kind = kind
        self.bind = bind
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == WebSocketOpenInfo {
    /// The handshake is done, and messages can be sent. Of clients; after a reconnect again.
    public static var open: WebSocketEvent {
        WebSocketEvent(.open) { listener in
            { if case .open(let info) = $0 { listener(info) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == WebSocketHeaders {
    /// The header of the server's answer came, just before `open`. Of clients.
    public static var headerReceive: WebSocketEvent {
        WebSocketEvent(.headerReceive) { listener in
            { if case .headerReceive(let headers) = $0 { listener(headers) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == WebSocketData {
    /// A message came, whole.
    public static var message: WebSocketEvent {
        WebSocketEvent(.message) { listener in
            { if case .message(let data) = $0 { listener(data) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == Void {
    /// A message is over: after each `message`.
    public static var dataEnd: WebSocketEvent {
        WebSocketEvent(.dataEnd) { listener in
            { if case .dataEnd = $0 { listener(()) } }
        }
    }

    /// The send queue, once above the stream's high-water mark, has fallen to half of it.
    public static var drain: WebSocketEvent {
        WebSocketEvent(.drain) { listener in
            { if case .drain = $0 { listener(()) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == [UInt8] {
    /// The peer asked whether we are there, and was answered; what its ping carried.
    public static var ping: WebSocketEvent {
        WebSocketEvent(.ping) { listener in
            { if case .ping(let payload) = $0 { listener(payload) } }
        }
    }

    /// The peer answered a ping, or said unasked that it is there; what its pong carried.
    public static var pong: WebSocketEvent {
        WebSocketEvent(.pong) { listener in
            { if case .pong(let payload) = $0 { listener(payload) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == WebSocketReconnectInfo {
    /// The connection was lost, or an attempt to make it again failed; the next attempt follows after the delay. Of clients
    /// with a reconnect policy.
    public static var reconnecting: WebSocketEvent {
        WebSocketEvent(.reconnecting) { listener in
            { if case .reconnecting(let info) = $0 { listener(info) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == WebSocketCloseInfo {
    /// The WebSocket is closed: once, last of all, whoever closed it, and after the completion of close().
    public static var close: WebSocketEvent {
        WebSocketEvent(.close) { listener in
            { if case .close(let info) = $0 { listener(info) } }
        }
    }
}

extension WebSocketEvent where Socket: WebSocketEndpoint, Payload == WebSocketError {
    /// Something failed that no pending call could report; `close` follows.
    public static var error: WebSocketEvent {
        WebSocketEvent(.error) { listener in
            { if case .error(let error) = $0 { listener(error) } }
        }
    }
}
