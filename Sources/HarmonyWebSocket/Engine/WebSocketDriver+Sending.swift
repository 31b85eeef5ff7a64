internal import HarmonySocket
internal import SocketCore

// From messages to bytes, on the loop: what goes out does so in the order in which it was compressed.
extension WebSocketDriver {
    /// How far a send came.
    enum SendStart {
        /// The frame is with the stream.
        case begun(StreamDriver.SendOutcome, StreamDriver)
        /// Another message is sent in fragments: after that.
        case held(Link)
        case failed(WebSocketError)
    }

    /// Frames of at most so many bytes are made on the stack: the kernel takes them from there.
    private static let mostOnStack = 1024
    /// Payloads of at least so many bytes are sent from where they are, behind a header of their own.
    private static let leastUncopied = 4096

    /// Hands a whole message to the stream.
    func begin(_ message: OutgoingMessage) -> SendStart {
        switch openLink() {
        case .failure(let error): return .failed(error)
        case .success(let link) where link.isSendingFragments: return .held(link)
        case .success(let link): return .begun(beginSend(message, link), link.driver)
        }
    }

    @inline(__always)
    private func beginSend(
        _ message: OutgoingMessage, _ link: Link, isAwaited: Bool = true
    ) -> StreamDriver.SendOutcome {
        let data = message.data
        guard message.plain == nil, link.deflater == nil || data.bytes.count < link.compression?.threshold ?? 0,
            data.bytes.count <= WebSocketDriver.mostOnStack - FrameHeader.maxSize
        else { return link.driver.beginSend(source(message, link), isAwaited: isAwaited) }
        let header = link.header(Opcode(data.kind), length: data.bytes.count)
        return withUnsafeTemporaryAllocation(byteCount: WebSocketDriver.mostOnStack, alignment: 16) { room in
            let count = data.bytes.withUnsafeBytes { FrameWriter.write(header, $0, to: room) }
            return link.driver.beginSend(
                .borrowed(UnsafeRawBufferPointer(rebasing: room[..<count])), isAwaited: isAwaited)
        }
    }

    /// Sends a message that nobody waits for. On the loop. False when the queue is full, and `drain` will tell.
    func write(_ message: OutgoingMessage) -> Bool {
        let link: Link
        switch openLink() {
        case .success(let open): link = open
        case .failure(let error):
            emit(.error(error))
            return true
        }
        if link.isSendingFragments {
            link.heldBack.append { [self] in _ = write(message) }
            return !link.driver.needsDrain
        }
        switch beginSend(message, link, isAwaited: false) {
        case .sent: return true
        case .queued: return !link.driver.needsDrain
        case .failed(let failure):
            emit(.error(WebSocketDriver.sendError(failure, link.driver)))
            return true
        }
    }

    /// The connection, if messages may be sent.
    func openLink() -> Result<Link, WebSocketError> {
        if let link, link.closing.isOpen { return .success(link) }
        let state = withState { ($0.readyState, $0.isClosedByUs) }
        switch state {
        case (.invalid, _), (.connecting, false): return .failure(WebSocketError(.notConnected))
        default: return .failure(WebSocketError(.closed))
        }
    }

    private func source(_ message: OutgoingMessage, _ link: Link) -> StreamDriver.Source {
        let data = message.data
        if let deflater = link.deflater, let compression = link.compression, !data.bytes.isEmpty,
            data.bytes.count >= compression.threshold
        {
            if let shared = message.compressed(for: link) {
                deflater.forget()
                return .taken(shared)
            }
            if let compressed = data.bytes.withUnsafeBytes({ deflater.compress($0, isLast: true) }) {
                let header = link.header(Opcode(data.kind), isCompressed: true, length: compressed.count)
                // Never given up: later messages refer to it.
                return .taken(FrameWriter.frame(header, compressed))
            }
        }
        if link.isServer, let plain = message.plain { return .array(plain) }
        let header = link.header(Opcode(data.kind), length: data.bytes.count)
        if link.isServer, data.bytes.count >= WebSocketDriver.leastUncopied {
            return .parts([FrameWriter.header(header), data.bytes])
        }
        return .array(FrameWriter.frame(header, data.bytes))
    }

    /// Sends a message whose sending has started so, and returns when the kernel has taken it. On the loop.
    func send(_ message: OutgoingMessage, _ start: SendStart, timeout: Duration?) async throws(WebSocketError) {
        var start = start
        while true {
            switch start {
            case .begun(let outcome, let driver): return try await end(outcome, driver, timeout)
            case .held(let link): _ = await Waiter.wait { waiter in link.heldBack.append { waiter.resume() } }
            case .failed(let error): throw error
            }
            start = begin(message)
        }
    }

    /// Waits for the end of a send that was not over at once.
    func end(
        _ outcome: StreamDriver.SendOutcome, _ driver: StreamDriver, _ timeout: Duration?
    ) async throws(WebSocketError) {
        do throws(Failure) {
            switch outcome {
            case .sent(let mustYield): if mustYield { await driver.yieldTurn() }
            case .failed(let failure): throw failure
            case .queued(let ticket): try await driver.waitForSend(ticket, timeout: timeout)
            }
        } catch {
            throw WebSocketDriver.sendError(error, driver)
        }
    }

    static func sendError(_ failure: Failure, _ driver: StreamDriver) -> WebSocketError {
        switch failure {
        case .closed, .notConnected, .invalidState: WebSocketError(.closed)
        default: WebSocketError(.socket(SocketError(failure, .send, driver.peer.description)))
        }
    }

    /// The completion form. On the loop.
    func send(
        _ message: OutgoingMessage, timeout: Duration?,
        _ body: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        switch begin(message) {
        case .begun(.sent, _): completeSent(body)
        case .begun(.failed(let failure), let driver):
            complete { body(.failure(WebSocketDriver.sendError(failure, driver))) }
        case .begun(.queued(let ticket), let driver):
            driver.awaitSend(ticket, timeout: timeout, completion(body))
        case .held(let link): link.heldBack.append { [self] in send(message, timeout: timeout, body) }
        case .failed(let error): complete { body(.failure(error)) }
        }
    }

    private func completion(_ body: @escaping @Sendable (Result<Void, WebSocketError>) -> Void) -> SendCompletion {
        SendCompletion { [self] driver, failure in
            let result: Result<Void, WebSocketError> =
                failure.map { .failure(WebSocketDriver.sendError($0, driver)) } ?? .success(())
            complete { body(result) }
        }
    }

    /// Sends a control frame, which is never compressed and never waits for a message in fragments.
    func sendControl(_ opcode: Opcode, _ payload: [UInt8], _ link: Link) {
        let frame = FrameWriter.frame(link.header(opcode, length: payload.count), payload)
        link.driver.send(.taken(frame), timeout: nil, SendCompletion { _, _ in })
    }

    /// Sends a ping. On the loop.
    func ping(_ payload: [UInt8], _ body: @escaping @Sendable (Result<Void, WebSocketError>) -> Void) {
        switch openLink() {
        case .failure(let error): complete { body(.failure(error)) }
        case .success(let link):
            let frame = FrameWriter.frame(link.header(.ping, length: payload.count), payload)
            link.driver.send(.taken(frame), timeout: nil, completion(body))
        }
    }
}
