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
    /// Adds a listener, behind those that the event has already.
    ///
    /// Connections are accepted while a `connect` listener exists, or somebody pulls them. One that is added while
    /// `serve` runs, or while an `accept` or a step of `connections` waits, takes effect when that has ended.
    @discardableResult
    public func on<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        add(event, once: false, listener)
    }

    /// Adds a listener that does not want the payload.
    @discardableResult
    public func on<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable () -> Void
    ) -> SocketListener {
        add(event, once: false) { _ in listener() }
    }

    /// Adds a listener for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        add(event, once: true, listener)
    }

    /// Adds a listener, which does not want the payload, for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable () -> Void
    ) -> SocketListener {
        add(event, once: true) { _ in listener() }
    }

    /// Removes one listener; it hears nothing from the next event on.
    public func off(_ listener: SocketListener) {
        guard listener.socket == ObjectIdentifier(driver) else { return }
        driver.off(listener.ticket)
    }

    /// Removes all listeners of an event.
    public func off<Payload>(_ event: SocketEvent<Self, Payload>) { driver.off(event.kind) }

    private func add<Payload>(
        _ event: SocketEvent<Self, Payload>, once: Bool, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        let ticket = driver.on(event.kind, once: once, event.bind(listener))
        return SocketListener(ticket: ticket, socket: ObjectIdentifier(driver))
    }

    /// Chooses where listeners and completion handlers of the server run. Called before the first listener is added.
    public func deliver(on delivery: SocketDelivery) { driver.delivery = delivery.context }
}
