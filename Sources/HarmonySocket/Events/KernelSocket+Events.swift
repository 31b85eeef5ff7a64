internal import SocketCore

extension KernelSocket {
    /// Adds a listener, behind those that the event has already. It hears what happens from now on.
    ///
    /// `off` takes what this call returns; to drop that removes nothing. One that is added to a closed socket hears nothing
    /// and is not kept. What arrives or comes goes to listeners or to those who pull, not to both:
    ///
    /// - Streams and datagram sockets: while a listener of `message` exists, pulling fails with `.invalidState`. One that
    ///   is added while a receive is pending takes effect when that ends. On a stream it is also told of what arrived
    ///   before it was there, and keeps a connected socket alive until that closes and lets go of all listeners.
    /// - Servers: connections are accepted while a listener of `connect` exists, or somebody pulls them. One that is added
    ///   while `serve` runs, or while an `accept` or a step of `connections` waits, takes effect when that has ended.
    ///
    /// ```swift
    /// let listener = tcp.on(.message) { print($0.text ?? "", $0.remoteInfo) }
    /// tcp.on(.close) { print("closed") }
    /// tcp.off(listener)
    /// ```
    @discardableResult
    public func on<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        add(event.kind, once: false, event.bind(listener))
    }

    /// Adds a listener of messages: as the call for all events, only quicker.
    @discardableResult
    public func on(
        _ event: SocketEvent<Self, SocketMessageInfo>, _ listener: @escaping @Sendable (SocketMessageInfo) -> Void
    ) -> SocketListener {
        // The payload's type is known here: two closures less for each connection, and two calls for each message.
        add(event.kind, once: false, SocketMessageInfo.listener(listener))
    }

    /// Adds a listener that does not want the payload.
    @discardableResult
    public func on<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable () -> Void
    ) -> SocketListener {
        add(event.kind, once: false, event.bind { _ in listener() })
    }

    /// Adds a listener for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        add(event.kind, once: true, event.bind(listener))
    }

    /// Adds a listener, which does not want the payload, for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: SocketEvent<Self, Payload>, _ listener: @escaping @Sendable () -> Void
    ) -> SocketListener {
        add(event.kind, once: true, event.bind { _ in listener() })
    }

    /// Removes one listener; it hears nothing from the next event on. Does not wait for one that is running.
    public func off(_ listener: SocketListener) {
        let driver = kernel.driver
        guard listener.socket == ObjectIdentifier(driver) else { return }
        driver.off(listener.ticket)
    }

    /// Removes all listeners of an event.
    public func off<Payload>(_ event: SocketEvent<Self, Payload>) { kernel.driver.off(event.kind) }

    private func add(
        _ kind: EventKind, once: Bool, _ body: @escaping @Sendable (EngineEvent) -> Void
    ) -> SocketListener {
        let driver = kernel.driver
        return SocketListener(ticket: driver.on(kind, once: once, body), socket: ObjectIdentifier(driver))
    }
}
