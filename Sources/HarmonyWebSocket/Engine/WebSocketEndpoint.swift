public import HarmonySocket

/// What the WebSockets of clients and of servers can do: send, receive, tell of events, end.
///
/// `WebSocket` and `WebSocketConnection` are such. One object serves all three styles at once: async calls, calls with a
/// completion handler, and listeners. Any thread may call anything at any time.
public protocol WebSocketEndpoint: AnyObject, Sendable {
    /// The engine's part. Of no use outside of the library.
    var webSocket: WebSocketHandle { get }
}

/// The engine's part of a WebSocket. Opaque.
public struct WebSocketHandle: Sendable {
    let driver: WebSocketDriver
}

extension WebSocketEndpoint {
    var driver: WebSocketDriver { webSocket.driver }
}

// MARK: State

extension WebSocketEndpoint {
    /// How far it is, with Pepper's numbers. Any thread, any time.
    public var readyState: WebSocketReadyState { driver.withState { $0.readyState } }

    /// The URL that it was connected to; of a server's connection the one that the client asked for. Empty before.
    public var url: String { driver.withState { $0.url } }

    /// The subprotocol that was agreed on; empty without one.
    public var `protocol`: String { driver.withState { $0.openInfo?.protocol ?? "" } }

    /// The extensions in use, as the server named them; empty without any.
    public var extensions: String { driver.withState { $0.openInfo?.extensions ?? "" } }

    /// Bytes of messages and frames that the kernel has not taken yet.
    public var bufferedAmount: Int {
        let (mailed, stream) = driver.withState { ($0.mailedBytes, $0.stream) }
        return mailed + (stream?.bufferedAmount ?? 0)
    }

    /// Whether the send queue has been above the high-water mark, 64 KiB, and `drain` is still to come: time to stop
    /// sending, or taking messages that would be answered.
    public var needsDrain: Bool { driver.withState { $0.stream }?.needsDrain ?? false }

    /// The code of the peer's close frame; nil before the WebSocket is closed.
    public var closeCode: WebSocketCloseCode? { driver.withState { $0.closeInfo?.code } }

    /// The reason in the peer's close frame; empty without one.
    public var closeReason: String { driver.withState { $0.closeInfo?.reason ?? "" } }

    /// Whether the WebSocket was closed by close frames of both sides.
    public var closeWasClean: Bool { driver.withState { $0.closeInfo?.wasClean ?? false } }

    /// The error that ended it, if one did.
    public var lastError: WebSocketError? { driver.withState { $0.lastError } }

    /// The loop that it belongs to: where its listeners run, and an executor for tasks that use it much.
    public var eventLoop: SocketEventLoop { SocketEventLoop.face(of: driver.loop) }
}

// MARK: Events

extension WebSocketEndpoint {
    /// Adds a listener, behind those that the event has already. It hears what happens from now on.
    ///
    /// While a listener of `message` exists, messages go to it, and pulling fails with `.invalidState`; added while a
    /// receive is pending, it takes effect when that receive ends. It is also told of a message that came before it.
    ///
    /// An open WebSocket with a listener stays alive until it closes; then it lets go of all listeners. `off` takes what
    /// this call returns; to drop that removes nothing.
    ///
    /// ```swift
    /// let listener = webSocket.on(.message) { print($0.text ?? "\($0.bytes.count) bytes") }
    /// webSocket.on(.close) { print("closed:", $0.code, $0.reason) }
    /// webSocket.off(listener)
    /// ```
    @discardableResult
    public func on<Payload>(
        _ event: WebSocketEvent<Self, Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        add(event, once: false, listener)
    }

    /// Adds a listener that does not want the payload.
    @discardableResult
    public func on<Payload>(
        _ event: WebSocketEvent<Self, Payload>, _ listener: @escaping @Sendable () -> Void
    ) -> SocketListener {
        add(event, once: false) { _ in listener() }
    }

    /// Adds a listener for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: WebSocketEvent<Self, Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        add(event, once: true, listener)
    }

    /// Adds a listener, which does not want the payload, for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: WebSocketEvent<Self, Payload>, _ listener: @escaping @Sendable () -> Void
    ) -> SocketListener {
        add(event, once: true) { _ in listener() }
    }

    /// Removes one listener; it hears nothing from the next event on. Does not wait for one that is running.
    public func off(_ listener: SocketListener) {
        guard listener.socket == ObjectIdentifier(driver) else { return }
        driver.off { $0.ticket == listener.ticket }
    }

    /// Removes all listeners of an event.
    public func off<Payload>(_ event: WebSocketEvent<Self, Payload>) { driver.off { $0.kind == event.kind } }

    private func add<Payload>(
        _ event: WebSocketEvent<Self, Payload>, once: Bool, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        let ticket = driver.on(event.kind, once: once, event.bind(listener))
        return SocketListener(ticket: ticket, socket: ObjectIdentifier(driver))
    }

    /// Chooses where listeners and completion handlers run: on the WebSocket's loop by default. Called before the first
    /// listener is added.
    ///
    /// Elsewhere than on the loop, one delivery at a time is under way and the next message waits for it, so order and
    /// memory hold.
    public func deliver(on delivery: SocketDelivery) { driver.withState { $0.delivery = delivery.context } }

    /// Lets the message listeners hear nothing until `resume()`. One message is read ahead; what follows waits in the
    /// kernel, so the peer is slowed down, and nothing is lost.
    public func pause() { driver.withState { $0.isPaused = true } }

    /// Lets the message listeners hear again.
    public func resume() {
        driver.withState { $0.isPaused = false }
        driver.requestTurn()
    }

    /// Whether `pause()` was called, and `resume()` not yet.
    public var isPaused: Bool { driver.withState { $0.isPaused } }
}
