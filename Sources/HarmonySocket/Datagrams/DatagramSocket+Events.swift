internal import SocketCore

extension SocketEvent where Socket: DatagramSocket, Payload == SocketMessageInfo {
    /// A datagram arrived. Once for each, empty ones too.
    ///
    /// Several are taken from the kernel with one call, where it can, and told one after the other; what the listeners send
    /// from this socket, when they run on its loop, goes out together when the last of them has been told, and so does what
    /// other threads send from it meanwhile.
    public static var message: SocketEvent { makeMessage() }
}

extension SocketEvent where Socket: DatagramSocket, Payload == Void {
    /// The socket has an address: bind() succeeded, or the first send did without it.
    public static var listening: SocketEvent { SocketEvent(.listening) }

    /// connect() succeeded.
    public static var connect: SocketEvent { SocketEvent(.connect) }

    /// The socket is closed. Once, last of all.
    public static var close: SocketEvent { SocketEvent(.close) }

    /// The send queue, once above its high-water mark, has fallen to half of it.
    public static var drain: SocketEvent { SocketEvent(.drain) }

    /// Nothing was sent or received for as long as `socketTimeout` says. The socket stays open.
    public static var timeout: SocketEvent { SocketEvent(.timeout) }
}

extension SocketEvent where Socket: DatagramSocket, Payload == SocketError {
    /// Something failed that no call could report, as an ICMP refusal; the error's address is the destination that it
    /// concerns (on Linux; elsewhere there is none). The socket stays open.
    public static var error: SocketEvent { makeError(.send) }
}

extension DatagramSocket {
    /// Adds a listener, behind those that the event has already. While a listener of `message` exists, pulling fails
    /// with `.invalidState`.
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

    /// Chooses where listeners and completion handlers of the socket run. Called before the first listener is added.
    public func deliver(on delivery: SocketDelivery) { driver.delivery = delivery.context }
}
