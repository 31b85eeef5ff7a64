internal import HarmonySocket
internal import SocketCore

/// Sends one message in fragments. Touched on the loop only, by one caller at a time.
final class FragmentWriter: @unchecked Sendable {
    // Sendable: see above.
    private let driver: WebSocketDriver
    private let link: Link
    private let kind: WebSocketData.Kind
    private var isFirst = true
    private var validator = UTF8Validator()

    init(_ driver: WebSocketDriver, _ link: Link, _ kind: WebSocketData.Kind) {
        self.driver = driver
        self.link = link
        self.kind = kind
    }

    /// Hands the next fragment to the stream.
    func begin(_ part: [UInt8], isLast: Bool = false) throws(WebSocketError) -> StreamDriver.SendOutcome {
        guard driver.link === link, link.closing.isOpen else { throw WebSocketError(.closed) }
        if kind == .text {
            guard part.withUnsafeBytes({ validator.append($0) }), !isLast || validator.isComplete else {
                throw WebSocketError(.invalidArgument("bytes", "the text is not UTF-8"))
            }
        }
        let opcode = isFirst ? Opcode(kind) : .continuation
        let compressed = link.deflater.flatMap { deflater in
            part.withUnsafeBytes { deflater.compress($0, isLast: isLast) }
        }
        // Without a first compressed fragment the message is not compressed; zlib has memory for all or for none.
        let payload = compressed ?? part
        let header = link.header(
            opcode, isFinal: isLast, isCompressed: isFirst && compressed != nil, length: payload.count)
        isFirst = false
        return link.driver.beginSend(.taken(FrameWriter.frame(header, payload)))
    }

    /// Sends the next fragment, and returns when the kernel has taken it.
    func write(_ part: [UInt8], isLast: Bool = false) async throws(WebSocketError) {
        try await driver.end(try begin(part, isLast: isLast), link.driver, nil)
    }

    /// The last fragment is out: those who waited for it go on.
    func end() {
        link.isSendingFragments = false
        let heldBack = link.heldBack
        link.heldBack = []
        for call in heldBack { call() }
    }

    /// The message will never be whole, so the connection is of no use any more.
    func abandon() {
        driver.service { driver.beginClosing(ClosingMachine.Frame(code: .internalServerError)) }
    }
}

extension WebSocketDriver {
    /// Begins a message in fragments, after those that are under way. On the loop.
    func beginFragments(_ kind: WebSocketData.Kind) async throws(WebSocketError) -> FragmentWriter {
        while true {
            let link = try openLink().get()
            if !link.isSendingFragments {
                link.isSendingFragments = true
                return FragmentWriter(self, link, kind)
            }
            _ = await Waiter.wait { waiter in link.heldBack.append { waiter.resume() } }
        }
    }
}

/// Takes the fragments of one message: see `sendFragments`.
public struct WebSocketMessageWriter: Sendable {
    let driver: WebSocketDriver
    let writer: FragmentWriter

    /// Sends a fragment, and returns when the kernel has taken it. Of a text message the fragments together are UTF-8; a
    /// character may be split between two.
    ///
    /// - Throws: as `send`; `.invalidArgument` for bytes that are not UTF-8.
    public func write(_ bytes: [UInt8]) async throws(WebSocketError) {
        if bytes.isEmpty { return }
        if driver.loop.isCurrent { return try await writer.write(bytes) }
        try await driver.onLoop { [writer] () async throws(WebSocketError) in try await writer.write(bytes) }
    }

    /// Sends a fragment of text, and returns when the kernel has taken it.
    public func write(_ text: String) async throws(WebSocketError) { try await write(Array(text.utf8)) }
}

extension WebSocketEndpoint {
    /// Sends one message in fragments, as `body` writes them, and returns when the last is with the kernel.
    ///
    /// The message need never be whole in memory. Other messages wait until it is over; pings and close frames go between.
    /// The peer takes it for one message, and its limits count for all of it.
    ///
    /// ```swift
    /// try await webSocket.sendFragments(as: .text) { message in
    ///     for number in 0..<1000 { try await message.write("\(number)\n") }
    /// }
    /// ```
    ///
    /// - Throws: what `body` throws. The message can then never be whole, so the WebSocket is closed with the code 1011,
    ///   as it is when the text was not UTF-8. Otherwise as `send`.
    ///
    /// ## Cancellation
    /// `body` is cancelled like any code: a `write` that is cancelled throws.
    public func sendFragments(
        as kind: WebSocketData.Kind, _ body: (WebSocketMessageWriter) async throws -> Void
    ) async throws {
        let writer = try await driver.onLoop { [driver] () async throws(WebSocketError) in
            try await driver.beginFragments(kind)
        }
        do {
            try await body(WebSocketMessageWriter(driver: driver, writer: writer))
            try await driver.onLoop { () async throws(WebSocketError) in
                try await writer.write([], isLast: true)
                writer.end()
            }
        } catch {
            driver.post { writer.abandon() }
            throw error
        }
    }

    /// Sends one message in fragments: `next` is asked for each when the kernel has taken the one before, and says nil at
    /// the end. As the async form otherwise; the handlers run where listeners run.
    public func sendFragments(
        as kind: WebSocketData.Kind, next: @escaping @Sendable () -> [UInt8]?,
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        Task(executorPreference: eventLoop) { [driver] in
            do throws(WebSocketError) {
                try await driver.sendFragments(kind, next)
                driver.complete { completion(.success(())) }
            } catch {
                driver.complete { completion(.failure(error)) }
            }
        }
    }
}

extension WebSocketDriver {
    fileprivate func sendFragments(
        _ kind: WebSocketData.Kind, _ next: @escaping @Sendable () -> [UInt8]?
    ) async throws(WebSocketError) {
        try await onLoop { () async throws(WebSocketError) in
            let writer = try await beginFragments(kind)
            do throws(WebSocketError) {
                while let part = await told(next) ?? nil { try await writer.write(part) }
                try await writer.write([], isLast: true)
                writer.end()
            } catch {
                writer.abandon()
                throw error
            }
        }
    }

    /// What the program says, asked where its listeners run.
    private func told<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value? {
        let told = Lock<Value?>(nil)
        _ = await Waiter.wait { waiter in
            complete {
                let value = body()
                told.withLock { $0 = value }
                waiter.resume()
            }
        }
        return told.withLock { $0 }
    }
}
