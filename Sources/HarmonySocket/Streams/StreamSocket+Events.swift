internal import SocketCore

extension StreamSocket {
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

    /// Chooses where listeners and completion handlers run: on the socket's loop by default. Called before the first
    /// listener is added.
    ///
    /// Elsewhere than on the loop, one delivery at a time is under way and the next read for listeners waits for it, so
    /// order and memory hold. Async calls return on the executor of their own task, wherever that is.
    public func deliver(on delivery: SocketDelivery) {
        stream.driver.changeSettings { $0.delivery = delivery.context }
    }
}
