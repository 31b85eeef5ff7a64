internal import SocketCore

// Sent means sent: a send succeeds when the kernel has taken every byte. Sends go out in call order, never interleaved,
// from whichever thread or style.
extension StreamSocket {
    /// Sends text or bytes as `options` say, and returns when the kernel has taken every byte (send(2)).
    ///
    /// Sends go out in call order and never interleave. To send nothing succeeds at once. That the kernel has the bytes
    /// does not mean that the peer has read them. A `timeout` of nil waits without end; zero sends what goes at once.
    ///
    /// ```swift
    /// try await tcp.send(TCPSendOptions(data: "Grüße", encoding: .isoLatin1), timeout: .seconds(10))
    /// ```
    ///
    /// - Throws: `.notConnected` before connect; `.closed` after close; `.invalidState` after finish;
    ///   `.invalidArgument` for text that the encoding cannot express; `.timedOut`; `.cancelled`; `.aborted` when the
    ///   socket is reset, or `close()` could not flush in time; `.connectionReset` when the connection is gone.
    ///
    /// ## Events
    /// `drain`, when the queue had been above `highWaterMark` and has fallen to half of it.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out send of which no byte had gone out is removed. Of one that had begun, the rest stays
    /// queued and goes out, so that the stream stays whole; the error says `sent` and `remaining`. `reset()` drops it.
    public func send(_ options: TCPSendOptions, timeout: Duration? = nil) async throws(SocketError) {
        try await send(try encode(options), timeout: timeout)
    }

    /// Sends bytes, and returns when the kernel has taken every one. As `send(_: TCPSendOptions)` otherwise.
    ///
    /// ```swift
    /// try await tcp.send([0x48, 0x69])
    /// ```
    public func send(_ bytes: [UInt8], timeout: Duration? = nil) async throws(SocketError) {
        let outcome = stream.driver.beginSend(.array(bytes))
        if case .sent(mustYield: false) = outcome { return }
        try await stream.end(outcome, timeout)
    }

    /// Sends text as UTF-8, and returns when the kernel has taken every byte. As `send(_: TCPSendOptions)` otherwise.
    public func send(_ text: String, timeout: Duration? = nil) async throws(SocketError) {
        try await send(Array(text.utf8), timeout: timeout)
    }

    /// Sends borrowed bytes, as those of a `Data` (`data.bytes`): written at once, and only a remainder is copied.
    /// As `send(_: TCPSendOptions)` otherwise.
    ///
    /// ```swift
    /// let header: [UInt16] = [1, 2, 3]
    /// try await tcp.send(header.span.bytes)
    /// ```
    public func send(_ bytes: RawSpan, timeout: Duration? = nil) async throws(SocketError) {
        let outcome = bytes.withUnsafeBytes { stream.driver.beginSend(.borrowed($0)) }
        if case .sent(mustYield: false) = outcome { return }
        try await stream.end(outcome, timeout)
    }

    /// Sends several buffers as if they were one, without copying what the kernel takes (sendmsg(2)).
    /// As `send(_: TCPSendOptions)` otherwise; with a framing they are one message.
    ///
    /// ```swift
    /// try await tcp.send(parts: [Array("HTTP/1.1 200 OK\r\n\r\n".utf8), Array("hello".utf8)])
    /// ```
    public func send(parts: [[UInt8]], timeout: Duration? = nil) async throws(SocketError) {
        let outcome = stream.driver.beginSend(.parts(parts))
        if case .sent(mustYield: false) = outcome { return }
        try await stream.end(outcome, timeout)
    }

    /// Sends one byte of urgent data (tcp(7), MSG_OOB), behind what is queued; the peer is told with `urgent`.
    ///
    /// TCP has one urgent byte at a time: a second one overtakes a first that was not taken. As `send` otherwise.
    ///
    /// ```swift
    /// try await tcp.sendUrgent(0x21)
    /// ```
    public func sendUrgent(_ byte: UInt8, timeout: Duration? = nil) async throws(SocketError) {
        try await stream.end(stream.driver.beginSend(.urgent(byte), isFramed: true), timeout)
    }

    /// Sends as much as the kernel takes now, without waiting or queuing, and returns how many bytes (as Pepper's Write).
    ///
    /// Zero when earlier sends wait, or the kernel is full. After less than everything `drain` tells, once, that there is
    /// room again.
    ///
    /// - Throws: as `send`; `.invalidState` also when a framing is set, since part of a message is no message.
    ///
    /// ```swift
    /// let taken = try tcp.trySend([1, 2, 3])
    /// ```
    public func trySend(_ bytes: [UInt8]) throws(SocketError) -> Int { try trySend(bytes.span.bytes) }

    /// Sends as much of borrowed bytes as the kernel takes now, and returns how many. As `trySend(_: [UInt8])`.
    public func trySend(_ bytes: RawSpan) throws(SocketError) -> Int {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(Failure) in try stream.driver.trySend(bytes) }
        }
        switch result {
        case .success(let count): return count
        case .failure(let failure): throw stream.error(failure, .send)
        }
    }

    // MARK: Without waiting

    /// Sends bytes that nobody waits for, as Node's `write`. Returns whether to go on: false, when the queue is full,
    /// asks the program to stop until `drain`.
    ///
    /// The bytes go out in order with all other sends, now or from the queue, whatever is returned. For listeners it is the
    /// cheapest way to send. When it fails `error` tells why, and true is returned, since no `drain` will come. What fails
    /// later, out of the queue, is told as the end of the connection is.
    ///
    /// ```swift
    /// tcp.on(.message) { message in
    ///     guard !tcp.write(message.message) else { return }
    ///     tcp.pause()
    ///     tcp.once(.drain) { tcp.resume() }
    /// }
    /// ```
    ///
    /// ## Events
    /// `drain`, when the queue had been above `highWaterMark` and has fallen to half of it; `error`.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Bool { stream.driver.write(.array(bytes)) }

    /// Sends the UTF-8 bytes of a text that nobody waits for. As `write(_: [UInt8])`.
    @discardableResult
    public func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// Sends borrowed bytes that nobody waits for; only a remainder is copied. As `write(_: [UInt8])`.
    @discardableResult
    public func write(_ bytes: RawSpan) -> Bool { bytes.withUnsafeBytes { stream.driver.write(.borrowed($0)) } }

    // MARK: Completion handlers

    /// Sends one byte of urgent data; the handler is told when the kernel has taken it, or why not.
    public func sendUrgent(
        _ byte: UInt8, timeout: Duration? = nil, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        stream.driver.send(
            .urgent(byte), timeout: timeout, isFramed: true, StreamHandle.sendCompletion(completion))
    }

    /// Sends several buffers as if they were one; the handler is told when the kernel has taken every byte, or why not.
    public func send(
        parts: [[UInt8]], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        stream.driver.send(.parts(parts), timeout: timeout, StreamHandle.sendCompletion(completion))
    }

    /// Sends text or bytes as `options` say; the handler is told when the kernel has taken every byte, or why not.
    public func send(
        _ options: TCPSendOptions, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        do throws(SocketError) {
            send(try encode(options), timeout: timeout, completion: completion)
        } catch {
            stream.driver.complete { completion(.failure(error)) }
        }
    }

    /// Sends bytes; the handler is told when the kernel has taken every one, or why not.
    public func send(
        _ bytes: [UInt8], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        stream.driver.send(.array(bytes), timeout: timeout, StreamHandle.sendCompletion(completion))
    }

    /// Sends text as UTF-8; the handler is told when the kernel has taken every byte, or why not.
    public func send(
        _ text: String, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(Array(text.utf8), timeout: timeout, completion: completion)
    }

    /// Sends borrowed bytes, of which only a remainder is copied; the handler is told when the kernel has taken them.
    public func send(
        _ bytes: RawSpan, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        bytes.withUnsafeBytes {
            stream.driver.send(.borrowed($0), timeout: timeout, StreamHandle.sendCompletion(completion))
        }
    }

    private func encode(_ options: TCPSendOptions) throws(SocketError) -> [UInt8] {
        do throws(Failure) {
            return try options.data.encoded(options.encoding)
        } catch {
            throw stream.error(error, .send)
        }
    }
}

extension StreamHandle {
    /// Waits for the end of a send that was not over at once.
    func end(_ outcome: StreamDriver.SendOutcome, _ timeout: Duration?) async throws(SocketError) {
        do throws(Failure) {
            switch outcome {
            case .sent(let mustYield): if mustYield { await driver.yieldTurn() }
            case .failed(let failure): throw failure
            case .queued(let ticket): try await driver.waitForSend(ticket, timeout: timeout)
            }
        } catch {
            throw self.error(error, .send)
        }
    }
}
