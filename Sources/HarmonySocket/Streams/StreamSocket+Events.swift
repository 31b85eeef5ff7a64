internal import SocketCore

extension StreamSocket {
    /// Adds a listener, behind those that the event has already. It hears what happens from now on.
    ///
    /// While a listener of `message` exists, what arrives goes to it, and pulling fails with `.invalidState`; added
    /// while a receive is pending, it takes effect when that receive ends. It is also told of what arrived before it
    /// was there.
    ///
    /// A connected socket with a listener stays alive until it closes; then it lets go of all listeners. One that is
    /// added to a closed socket hears nothing and is not kept. `off` takes what this call returns; to drop that removes
    /// nothing.
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

    /// Adds a listener that looks at the bytes of a chunk, or of a message, where they are: nothing is allocated for it.
    ///
    /// As `on(.message)`, but the bytes are there only during the call, and it runs on the socket's loop wherever the
    /// others are delivered (`deliver(on:)`), before them.
    ///
    /// ```swift
    /// tcp.on(.bytes) { bytes in print(bytes.byteCount) }
    /// ```
    @discardableResult
    public func on(
        _ event: SocketBytesEvent, _ listener: @escaping @Sendable (RawSpan) -> Void
    ) -> SocketListener {
        let ticket = stream.driver.on(.bytes) { event in
            if case .bytes(let lent) = event { listener(lent.bytes.bytes) }
        }
        return SocketListener(ticket: ticket, socket: ObjectIdentifier(stream.driver))
    }

    /// Removes all listeners that look at bytes where they are.
    public func off(_ event: SocketBytesEvent) { stream.driver.off(.bytes) }

    /// Lets the message listeners hear nothing until `resume()`.
    ///
    /// What arrives meanwhile waits in the kernel, so the peer is slowed down; nothing is lost. Other events go on, and
    /// so do sends. A delivery that is under way is not waited for.
    ///
    /// ```swift
    /// tcp.on(.message) { message in
    ///     tcp.pause()
    ///     print(message.message.count)
    ///     tcp.resume()
    /// }
    /// ```
    public func pause() { stream.driver.isPaused = true }

    /// Lets the message listeners hear again.
    public func resume() { stream.driver.isPaused = false }

    /// Whether `pause()` was called, and `resume()` not yet.
    public var isPaused: Bool { stream.driver.isPaused }

    /// Removes one listener; it hears nothing from the next event on. Does not wait for one that is running.
    public func off(_ listener: SocketListener) {
        guard listener.socket == ObjectIdentifier(stream.driver) else { return }
        stream.driver.off(listener.ticket)
    }

    /// Removes all listeners of an event.
    public func off<Payload>(_ event: SocketEvent<Self, Payload>) { stream.driver.off(event.kind) }

    private func add<Payload>(
        _ event: SocketEvent<Self, Payload>, once: Bool, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        let ticket = stream.driver.on(event.kind, once: once, event.bind(listener))
        return SocketListener(ticket: ticket, socket: ObjectIdentifier(stream.driver))
    }

    /// Chooses where listeners and completion handlers run: on the socket's loop by default. Called before the first
    /// listener is added.
    ///
    /// Elsewhere than on the loop, one delivery at a time is under way and the next read for listeners waits for it, so
    /// order and memory hold. Async calls return on the executor of their own task, wherever that is.
    public func deliver(on delivery: SocketDelivery) {
        stream.driver.changeSettings { $0.delivery = delivery.context }
    }
}
