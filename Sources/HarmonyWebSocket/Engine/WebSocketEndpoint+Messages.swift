internal import HarmonySocket
internal import SocketCore

// MARK: Sending

extension WebSocketEndpoint {
    /// Sends a message, and returns when the kernel has taken every byte of its frame.
    ///
    /// Messages go out in call order and never interleave. A `timeout` of nil waits without end; zero sends what goes at
    /// once.
    ///
    /// ```swift
    /// try await webSocket.send(.binary([1, 2, 3]), timeout: .seconds(10))
    /// ```
    ///
    /// - Throws: `.notConnected` before the WebSocket is open, and while it reconnects; `.closed` after a close frame went
    ///   either way; `.timedOut`; `.cancelled`; `.socket` when the connection below is gone.
    ///
    /// ## Events
    /// `drain`, when the queue had been above the high-water mark and has fallen to half of it.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out send of which no byte had gone out is removed, unless it was compressed: later messages
    /// refer to it, so it goes out all the same. Of one that had begun the rest goes out too.
    public func send(_ data: WebSocketData, timeout: Duration? = nil) async throws(WebSocketError) {
        let (driver, message) = (driver, OutgoingMessage(data))
        if driver.loop.isCurrent {
            driver.takeMail()
            let start = driver.begin(message)
            if case .begun(.sent(mustYield: false), _) = start { return }
            return try await driver.send(message, start, timeout: timeout)
        }
        try await driver.onLoop { () async throws(WebSocketError) in
            try await driver.send(message, driver.begin(message), timeout: timeout)
        }
    }

    /// Sends a text message. As `send(_: WebSocketData)`.
    public func send(_ text: String, timeout: Duration? = nil) async throws(WebSocketError) {
        try await send(.text(text), timeout: timeout)
    }

    /// Sends a binary message. As `send(_: WebSocketData)`.
    public func send(_ bytes: [UInt8], timeout: Duration? = nil) async throws(WebSocketError) {
        try await send(.binary(bytes), timeout: timeout)
    }

    /// Sends a message; the handler is told when the kernel has taken its frame, or why not.
    public func send(
        _ data: WebSocketData, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        let driver = driver
        if driver.loop.isCurrent {
            return driver.service {
                driver.takeMail()
                driver.send(OutgoingMessage(data), timeout: timeout, completion)
            }
        }
        driver.post(bytes: data.bytes.count) {
            driver.send(OutgoingMessage(data), timeout: timeout, completion)
        }
    }

    /// Sends a text message; the handler is told when the kernel has taken its frame, or why not.
    public func send(
        _ text: String, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        send(.text(text), timeout: timeout, completion: completion)
    }

    /// Sends a binary message; the handler is told when the kernel has taken its frame, or why not.
    public func send(
        _ bytes: [UInt8], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        send(.binary(bytes), timeout: timeout, completion: completion)
    }

    /// Sends a message that nobody waits for. Returns whether to go on: false, when the queue is full, asks the program to
    /// stop until `drain`.
    ///
    /// The message goes out in order with all others, now or from the queue, whatever is returned. For listeners it is the
    /// cheapest way to send. When it fails `error` tells why, and true is returned, since no `drain` will come.
    ///
    /// ```swift
    /// webSocket.on(.message) { message in
    ///     guard !webSocket.write(message) else { return }
    ///     webSocket.pause()
    ///     webSocket.once(.drain) { webSocket.resume() }
    /// }
    /// ```
    ///
    /// ## Events
    /// `drain`, when the queue had been above the high-water mark and has fallen to half of it; `error`.
    @discardableResult
    public func write(_ data: WebSocketData) -> Bool {
        let driver = driver
        guard driver.loop.isCurrent else {
            driver.post(bytes: data.bytes.count) { _ = driver.write(OutgoingMessage(data)) }
            return !needsDrain
        }
        var mayGoOn = true
        driver.service {
            driver.takeMail()
            mayGoOn = driver.write(OutgoingMessage(data))
        }
        return mayGoOn
    }

    /// Sends a text message that nobody waits for. As `write(_: WebSocketData)`.
    @discardableResult
    public func write(_ text: String) -> Bool { write(.text(text)) }

    /// Sends a binary message that nobody waits for. As `write(_: WebSocketData)`.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Bool { write(.binary(bytes)) }

    /// Asks the peer whether it is there. Its answer is told by `pong`.
    ///
    /// `pingInterval` of the options does this by itself, and ends a connection whose peer does not answer.
    ///
    /// ```swift
    /// webSocket.on(.pong) { print("answered:", $0) }
    /// try await webSocket.ping([1, 2])
    /// ```
    ///
    /// - Throws: `.invalidArgument` for a payload of more than 125 bytes; what `send` throws otherwise.
    ///
    /// ## Cancellation
    /// Not cancellable: it returns when the kernel has taken the frame, or the connection has ended.
    public func ping(_ payload: [UInt8] = []) async throws(WebSocketError) {
        let ended = Lock<Result<Void, WebSocketError>?>(nil)
        _ = await Waiter.wait { waiter in
            ping(payload) { result in
                ended.withLock { $0 = result }
                waiter.resume()
            }
        }
        try ended.withLock { $0 }?.get()
    }

    /// Asks the peer whether it is there; the handler is told when the kernel has taken the frame, or why not.
    public func ping(
        _ payload: [UInt8] = [], completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        guard payload.count <= FrameHeader.maxControlLength else {
            let error = WebSocketError(.invalidArgument("payload", "\(payload.count) bytes are more than 125"))
            return driver.complete { completion(.failure(error)) }
        }
        driver.post { [driver] in driver.ping(payload, completion) }
    }
}

// MARK: Receiving

extension WebSocketEndpoint {
    /// The next message; nil when the WebSocket was closed.
    ///
    /// Nothing but one message is read ahead: a program that does not receive slows its peer down. Pings that stand behind
    /// a message that nobody takes are answered when it was taken. Several receives are served in order. A `timeout` of
    /// nil waits without end; zero does not wait.
    ///
    /// ```swift
    /// while let message = try await webSocket.receive(timeout: .seconds(30)) {
    ///     print(message.text ?? "\(message.bytes.count) bytes")
    /// }
    /// ```
    ///
    /// - Throws: `.timedOut`; `.cancelled`; `.notConnected` before connect; `.invalidState` while a message listener
    ///   exists; what ended the connection, when that was neither side's close frame: `.connectionLost`,
    ///   `.protocolViolation`, `.pongTimedOut`.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the WebSocket open, and its messages to the next reader.
    public func receive(timeout: Duration? = nil) async throws(WebSocketError) -> WebSocketData? {
        try await driver.receive(.after(timeout), isEager: timeout.map { $0 <= .zero } ?? false)
    }

    /// The next message, or nil at the end; as the async form.
    public func receive(
        timeout: Duration? = nil, completion: @escaping @Sendable (Result<WebSocketData?, WebSocketError>) -> Void
    ) {
        driver.receive(.after(timeout), completion)
    }

    /// The messages, until the WebSocket is closed. Nothing but one is read ahead: a slow loop slows the peer down.
    ///
    /// Throws what `receive` throws.
    ///
    /// ```swift
    /// for try await message in webSocket.messages {
    ///     try await webSocket.send(message)
    /// }
    /// ```
    public var messages: WebSocketMessages { WebSocketMessages(handle: webSocket) }
}

extension WebSocketDriver {
    /// One receive.
    @inline(__always)
    func receive(
        _ deadline: Instant, isEager: Bool, isolation: isolated (any Actor)? = #isolation
    ) async throws(WebSocketError) -> WebSocketData? {
        var outcome = tryReceive(isNext: false)
        while case .wait = outcome {
            if isEager { throw WebSocketError(.timedOut) }
            let failure: Failure?
            if servingTask.isCurrent {
                // Suspended right here: each async function in between would cost a look for the right executor.
                failure = await withUnsafeContinuation { enqueueServing($0, deadline) }
            } else {
                failure = await waitToReceive(deadline)
            }
            if let failure {
                throw WebSocketError(.socket(SocketError(failure, .receive)))
            }
            outcome = tryReceive(isNext: true)
        }
        switch outcome {
        case .data(let data): return data
        case .ended, .wait: return nil
        case .failed(let error): throw error
        }
    }
}

/// The messages of a WebSocket, until it is closed.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`, and leaves the WebSocket and its messages to the next reader.
public struct WebSocketMessages: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = WebSocketData
    /// What iterating throws.
    public typealias Failure = WebSocketError

    let handle: WebSocketHandle

    /// Starts an iteration. Two iterations of one WebSocket share its messages.
    public func makeAsyncIterator() -> Iterator { Iterator(handle: handle) }

    /// Takes one message after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let handle: WebSocketHandle

        /// The next message; nil when the WebSocket was closed. Waits and fails as `receive` does.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(WebSocketError) -> WebSocketData? {
            try await handle.driver.receive(.never, isEager: false, isolation: actor)
        }
    }
}
