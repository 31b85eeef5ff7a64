internal import SocketCore

// A file is one send like others: behind those before it, before those behind it, and never interleaved.
extension StreamSocket {
    /// Sends a file, or `count` bytes of it from `offset` on, without taking it into memory (sendfile(2)). Returns how
    /// many bytes that was, when the kernel has taken every one.
    ///
    /// The socket's loop sends it piece by piece, at most 256 KiB in a turn, so that a large file keeps nobody waiting.
    /// A disk that is slow does: the loop waits for it as for any page that is not in memory. `bufferedAmount` counts
    /// what is left of the file.
    ///
    /// `progress` is told where the socket's listeners run: at most every 100 ms, and when all is sent.
    ///
    /// ```swift
    /// try await tcp.send("here it comes\n")
    /// let size = try await tcp.sendFile("/etc/hosts") { print("\(Int($0.fraction * 100)) %") }
    /// print("\(size) bytes sent")
    /// ```
    ///
    /// - Throws: `.invalidState` while a framing is set: a file is no message; the system's refusal to open the file
    ///   (open(2)); `.invalidArgument` when it is not a regular file or has no such bytes; and what `send` throws. When
    ///   the file turns out shorter than it was, or cannot be read, after the first of its bytes went out, the stream
    ///   can never be whole: the socket is reset, and `.incomplete` or the system's error says `sent` and `remaining`.
    ///   Before that the send alone fails.
    ///
    /// ## Events
    /// `drain`, when the queue had been above `highWaterMark` and has fallen to half of it.
    ///
    /// ## Cancellation
    /// As any send: of which no byte had gone out is removed; the rest of one that had begun stays queued and goes out,
    /// and the error says `sent` and `remaining`. `reset()` drops it. `progress` is told nothing more.
    @discardableResult
    public func sendFile(
        _ path: String, offset: Int = 0, count: Int? = nil, timeout: Duration? = nil,
        progress: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws(SocketError) -> Int {
        let file = try stream.open(path, offset, count, progress)
        try await stream.send(file, timeout)
        return file.range.count
    }

    /// Sends a file that is open under this number, as `getSocketFd` and open(2) return them. Its position neither
    /// matters nor moves, and it may be closed at any time. As `sendFile` of a path otherwise.
    ///
    /// ```swift
    /// func forward(_ upload: Int) async throws {
    ///     try await tcp.sendFile(descriptor: upload, offset: 512)
    /// }
    /// ```
    @discardableResult
    public func sendFile(
        descriptor: Int, offset: Int = 0, count: Int? = nil, timeout: Duration? = nil,
        progress: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws(SocketError) -> Int {
        let file = try stream.duplicate(descriptor, offset, count, progress)
        try await stream.send(file, timeout)
        return file.range.count
    }

    /// Sends a file; the handler is told how many bytes that was, when the kernel has taken every one, or why not.
    public func sendFile(
        _ path: String, offset: Int = 0, count: Int? = nil, timeout: Duration? = nil,
        progress: (@Sendable (TransferProgress) -> Void)? = nil,
        completion: @escaping @Sendable (Result<Int, SocketError>) -> Void
    ) {
        let file = Result { () throws(SocketError) in try stream.open(path, offset, count, progress) }
        stream.send(file, timeout, completion)
    }

    /// Sends a file that is open under this number; as the other forms.
    public func sendFile(
        descriptor: Int, offset: Int = 0, count: Int? = nil, timeout: Duration? = nil,
        progress: (@Sendable (TransferProgress) -> Void)? = nil,
        completion: @escaping @Sendable (Result<Int, SocketError>) -> Void
    ) {
        let file = Result { () throws(SocketError) in try stream.duplicate(descriptor, offset, count, progress) }
        stream.send(file, timeout, completion)
    }
}

extension StreamHandle {
    fileprivate typealias Progress = @Sendable (TransferProgress) -> Void

    fileprivate func open(
        _ path: String, _ offset: Int, _ count: Int?, _ progress: Progress?
    ) throws(SocketError) -> SentFile {
        do throws(Failure) {
            if path.utf8.contains(0) { throw .invalidArgument(.init("path", "contains a NUL")) }
            return try SentFile.open(path, offset: offset, count: count, progress: adapt(progress))
        } catch {
            throw self.error(error, .send)
        }
    }

    fileprivate func duplicate(
        _ number: Int, _ offset: Int, _ count: Int?, _ progress: Progress?
    ) throws(SocketError) -> SentFile {
        do throws(Failure) {
            let number = Int32(exactly: number) ?? -1
            return try SentFile.duplicate(number, offset: offset, count: count, progress: adapt(progress))
        } catch {
            throw self.error(error, .send)
        }
    }

    private func adapt(_ progress: Progress?) -> (@Sendable (SentFile.Progress) -> Void)? {
        guard let progress else { return nil }
        return { progress(TransferProgress($0)) }
    }

    fileprivate func send(_ file: SentFile, _ timeout: Duration?) async throws(SocketError) {
        do throws(Failure) {
            try await driver.send(file, timeout: timeout)
        } catch {
            throw self.error(error, .send)
        }
    }

    fileprivate func send(
        _ file: Result<SentFile, SocketError>, _ timeout: Duration?,
        _ completion: @escaping @Sendable (Result<Int, SocketError>) -> Void
    ) {
        switch file {
        case .success(let file):
            let count = file.range.count
            let end = StreamHandle.sendCompletion { completion($0.map { count }) }
            driver.send(file, timeout: timeout, end)
        case .failure(let error): driver.complete { completion(.failure(error)) }
        }
    }
}
