internal import SocketCore

extension SocketEvent where Socket: StreamServer, Payload == Socket.Connection {
    /// A connection was accepted. It is neither read nor watched before the listeners have returned, so this is the
    /// place to add its own.
    public static var connect: SocketEvent {
        SocketEvent(.connect) { listener in
            { event in
                guard case .accepted(_, let face) = event, let connection = face as? Socket.Connection else { return }
                listener(connection)
            }
        }
    }
}

extension SocketEvent where Socket: StreamServer, Payload == Void {
    /// listen() succeeded.
    public static var listening: SocketEvent { SocketEvent(.listening) }

    /// The server no longer listens. Once, last of all.
    public static var close: SocketEvent { SocketEvent(.close) }
}

extension SocketEvent where Socket: StreamServer, Payload == SocketError {
    /// Accepting failed, as when the process has no descriptor left (the server pauses, 10 ms to 1 s, and goes on), or
    /// a handler of `serve` threw. Then the error's address is the peer's.
    public static var error: SocketEvent { makeError(.accept) }
}

extension StreamServer {
    /// Chooses where listeners and completion handlers of the server run. Called before the first listener is added.
    public func deliver(on delivery: SocketDelivery) { driver.delivery = delivery.context }
}
