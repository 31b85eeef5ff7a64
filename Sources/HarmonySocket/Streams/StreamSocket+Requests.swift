internal import SocketCore

// Pulling by amount. What arrives beyond the answer waits for the next reader, whatever that one asks for.
extension StreamSocket {
    /// At least one byte and at most `count`, as many as have arrived; nil when the peer has ended and everything is read.
    ///
    /// As recv(2), Pepper's Read and Titanium's read do it. Reads no further than the answer.
    ///
    /// - Throws: `.invalidArgument` for a `count` below 1; what `receive` throws otherwise.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and its bytes to the next reader.
    ///
    /// ```swift
    /// let some = try await tcp.receive(upTo: 512)
    /// ```
    public func receive(upTo count: Int, timeout: Duration? = nil) async throws(SocketError) -> [UInt8]? {
        try await stream.pull(try stream.request(upTo: count), timeout)
    }

    /// Exactly `count` bytes, however they arrive; nil when the peer ended before the first of them.
    ///
    /// The memory grows with what arrives, not with `count`. Zero bytes are there at once.
    ///
    /// - Throws: `.incomplete` when the peer ends within them: what came is still there for a `receive`;
    ///   `.invalidArgument` for a negative `count`; what `receive` throws otherwise.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and what has arrived to the next reader.
    ///
    /// ```swift
    /// if let header = try await tcp.receive(exactly: 4, timeout: .seconds(10)) { print(header) }
    /// ```
    public func receive(exactly count: Int, timeout: Duration? = nil) async throws(SocketError) -> [UInt8]? {
        let request = try stream.request(exactly: count)
        return count == 0 ? [] : try await stream.pull(request, timeout)
    }

    /// Everything up to `delimiter` and with it; nil when the peer ended before the first byte.
    ///
    /// `maxLength` counts the delimiter, and is 64 KiB unless you say otherwise.
    ///
    /// - Throws: `.messageTooLong` when so many bytes came without it, and `.incomplete` when the peer ended first: the
    ///   bytes are still there for a `receive`; `.invalidArgument` for an empty delimiter or one that `maxLength` has no
    ///   room for; what `receive` throws otherwise.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and what has arrived to the next reader.
    ///
    /// ```swift
    /// let head = try await tcp.receive(until: "\r\n\r\n", maxLength: 16_384)
    /// ```
    public func receive(
        until delimiter: [UInt8], maxLength: Int = 65_536, timeout: Duration? = nil
    ) async throws(SocketError) -> [UInt8]? {
        try await stream.pull(try stream.request(until: delimiter, maxLength), timeout)
    }

    /// Everything up to a delimiter of text, in UTF-8, and with it. As `receive(until:)` of bytes.
    public func receive(
        until delimiter: String, maxLength: Int = 65_536, timeout: Duration? = nil
    ) async throws(SocketError) -> [UInt8]? {
        try await receive(until: Array(delimiter.utf8), maxLength: maxLength, timeout: timeout)
    }

    /// At least one byte and at most `count`, which stay where they are: the next reader is given them again.
    ///
    /// Waits when nothing has arrived; nil when the peer has ended and everything is read. Throws and is cancelled as
    /// `receive(upTo:)`. More of a longer `peek` than has arrived is not waited for.
    public func peek(upTo count: Int, timeout: Duration? = nil) async throws(SocketError) -> [UInt8]? {
        try await stream.pull(try stream.request(peek: count), timeout)
    }

    /// Fills the beginning of `buffer` with what has arrived, without an allocation; returns how many bytes, 0 when the
    /// peer has ended and everything is read.
    ///
    /// - Throws: `.invalidArgument` for an empty buffer; what `receive` throws otherwise.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and its bytes to the next reader.
    ///
    /// ```swift
    /// var block = [UInt8](repeating: 0, count: 4096)
    /// let count = try await tcp.receive(into: &block)
    /// print(block[..<count])
    /// ```
    public func receive(into buffer: inout [UInt8], timeout: Duration? = nil) async throws(SocketError) -> Int {
        var elements = buffer.mutableSpan
        var bytes = elements.mutableBytes
        return try await receive(into: &bytes, timeout: timeout)
    }

    /// Fills the beginning of `buffer` with what has arrived; returns how many bytes. As `receive(into:)` of an array.
    public func receive(
        into buffer: inout MutableRawSpan, timeout: Duration? = nil
    ) async throws(SocketError) -> Int {
        var request = try stream.request(upTo: buffer.byteCount, field: "buffer")
        try stream.checkBytes()
        let isEager = timeout.isNow
        let deadline = Instant.after(timeout)
        var outcome = buffer.withUnsafeMutableBytes {
            stream.driver.tryReceive(&request, into: $0, isNext: false, isEager: isEager)
        }
        while case .wait(let hasTurn) = outcome {
            if let failure = await stream.wait(deadline, hasTurn) {
                outcome = .failed(failure)
            } else {
                outcome = buffer.withUnsafeMutableBytes {
                    stream.driver.tryReceive(&request, into: $0, isNext: true, isEager: false)
                }
            }
        }
        switch outcome {
        case .filled(let count, let mustYield):
            if mustYield { await stream.driver.yieldTurn() }
            return count
        case .bytes, .ended, .wait: return 0
        case .failed(let failure): throw stream.error(failure, .receive)
        }
    }

    // MARK: Completion handlers

    /// At least one byte and at most `count`, or nil at the end; as the async form.
    public func receive(
        upTo count: Int, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[UInt8]?, SocketError>) -> Void
    ) {
        stream.pull(timeout, completion) { () throws(SocketError) in try stream.request(upTo: count) }
    }

    /// Exactly `count` bytes, or nil at the end; as the async form.
    public func receive(
        exactly count: Int, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[UInt8]?, SocketError>) -> Void
    ) {
        if count == 0 { return stream.driver.complete { completion(.success([])) } }
        stream.pull(timeout, completion) { () throws(SocketError) in try stream.request(exactly: count) }
    }

    /// Everything up to `delimiter` and with it, or nil at the end; as the async form.
    public func receive(
        until delimiter: [UInt8], maxLength: Int = 65_536, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[UInt8]?, SocketError>) -> Void
    ) {
        stream.pull(timeout, completion) { () throws(SocketError) in try stream.request(until: delimiter, maxLength) }
    }

    /// Everything up to a delimiter of text, in UTF-8, and with it; as the async form.
    public func receive(
        until delimiter: String, maxLength: Int = 65_536, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[UInt8]?, SocketError>) -> Void
    ) {
        receive(until: Array(delimiter.utf8), maxLength: maxLength, timeout: timeout, completion: completion)
    }

    /// At least one byte and at most `count`, which stay where they are, or nil at the end; as the async form.
    public func peek(
        upTo count: Int, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[UInt8]?, SocketError>) -> Void
    ) {
        stream.pull(timeout, completion) { () throws(SocketError) in try stream.request(peek: count) }
    }
}

extension Duration? {
    /// Whether the call must not wait.
    var isNow: Bool { map { $0 <= .zero } ?? false }
}

extension StreamHandle {
    /// Waits for the turn to read.
    func wait(_ deadline: Instant, _ hasTurn: Bool) async -> Failure? {
        if driver.waitsPlainly {
            await withUnsafeContinuation { driver.enqueuePlainly($0, deadline, hasTurn: hasTurn) }
        } else {
            await driver.waitToRead(deadline, hasTurn: hasTurn)
        }
    }

    /// What the request asks for; nil at the end.
    func pull(_ wanted: ReadRequest, _ timeout: Duration?) async throws(SocketError) -> [UInt8]? {
        try checkBytes()
        var request = wanted
        let deadline = Instant.after(timeout)
        var outcome = driver.tryReceive(&request, isNext: false, isEager: timeout.isNow)
        while case .wait(let hasTurn) = outcome {
            if let failure = await wait(deadline, hasTurn) {
                outcome = .failed(failure)
            } else {
                outcome = driver.tryReceive(&request, isNext: true, isEager: false)
            }
        }
        switch outcome {
        case .bytes(let bytes, let mustYield):
            if mustYield { await driver.yieldTurn() }
            return bytes
        case .filled, .ended, .wait: return nil
        case .failed(let failure): throw error(failure, .receive)
        }
    }

    /// The completion form.
    fileprivate func pull(
        _ timeout: Duration?, _ completion: @escaping @Sendable (Result<[UInt8]?, SocketError>) -> Void,
        _ make: () throws(SocketError) -> ReadRequest
    ) {
        do throws(SocketError) {
            try checkBytes()
            let end = ReceiveCompletion { driver, result in
                completion(result.mapError { StreamHandle(driver: driver).error($0, .receive) })
            }
            driver.receive(try make(), timeout: timeout, end)
        } catch {
            driver.complete { completion(.failure(error)) }
        }
    }

    // MARK: Checked requests

    func request(upTo count: Int, field: String = "count") throws(SocketError) -> ReadRequest {
        try check(count >= 1, field, "\(count) bytes are too few")
        return ReadRequest(.some(upTo: count))
    }

    fileprivate func request(peek count: Int) throws(SocketError) -> ReadRequest {
        try check(count >= 1, "count", "\(count) bytes are too few")
        return ReadRequest(.peek(upTo: count))
    }

    fileprivate func request(exactly count: Int) throws(SocketError) -> ReadRequest {
        try check(count >= 0, "count", "\(count) is negative")
        return ReadRequest(.exactly(count))
    }

    func request(until delimiter: [UInt8], _ maxLength: Int) throws(SocketError) -> ReadRequest {
        try check(!delimiter.isEmpty, "delimiter", "it is empty")
        try check(maxLength >= delimiter.count, "maxLength", "\(maxLength) bytes have no room for the delimiter")
        return ReadRequest(.until(delimiter, limit: maxLength))
    }

    /// A socket that keeps the bounds of messages has no bytes to count.
    fileprivate func checkBytes() throws(SocketError) {
        if driver.local?.keepsBounds == true { throw error(.invalidState(.packets), .receive) }
    }

    private func check(_ isGood: Bool, _ field: String, _ problem: String) throws(SocketError) {
        if !isGood { throw error(.invalidArgument(.init(field, problem)), .receive) }
    }
}
