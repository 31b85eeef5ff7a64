internal import SocketCore

extension StreamSocket {
    /// The bytes that arrive, one by one, until the peer ends its direction or we close the socket.
    ///
    /// They are read in chunks, so a byte costs no call of the kernel. What the loop has not taken is the next reader's.
    /// Throws as `messages`; a cancelled iteration leaves the socket open.
    ///
    /// ```swift
    /// for try await byte in tcp.bytes where byte == 0 { break }
    /// ```
    public var bytes: StreamBytes { StreamBytes(stream: stream) }

    /// The lines of text that arrive, without their ends (LF or CRLF), until the peer ends its direction or we close the
    /// socket.
    ///
    /// What comes after the last end is a line too, unless it is empty. A line may have `maxLength` bytes, 64 KiB unless
    /// you say otherwise. Whatever is behind a line stays for the next reader. Throws `.messageTooLong` for a longer
    /// line, `.malformed` for one that is not whole UTF-8, and otherwise as `messages`; a cancelled iteration leaves the
    /// socket open.
    ///
    /// ```swift
    /// for try await line in tcp.lines() { print(line) }
    /// ```
    public func lines(maxLength: Int = 65_536) -> StreamLines { StreamLines(stream: stream, maxLength: maxLength) }
}

/// The bytes that arrive on a stream socket.
public struct StreamBytes: AsyncSequence, Sendable {
    /// A byte.
    public typealias Element = UInt8
    /// What iterating throws.
    public typealias Failure = SocketError

    let stream: StreamHandle

    /// Starts an iteration.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Takes one byte after the other.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let stream: StreamHandle

        /// The next byte; nil at the end of input, and when we have closed the socket.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> UInt8? {
            if let byte = stream.driver.takeByte() { return byte }
            do throws(SocketError) {
                // To have more of them read ahead. They stay with the socket: who knows how long an iterator lives?
                guard try await stream.pull(ReadRequest(.peek(upTo: Scratch.size)), nil) != nil else { return nil }
                if let byte = stream.driver.takeByte() { return byte }
                return try await stream.pull(ReadRequest(.some(upTo: 1)), nil)?.first
            } catch  where error.isOurEnd {
                return nil
            }
        }
    }
}

/// The lines of text that arrive on a stream socket.
public struct StreamLines: AsyncSequence, Sendable {
    /// A line without its end.
    public typealias Element = String
    /// What iterating throws.
    public typealias Failure = SocketError

    let stream: StreamHandle
    let maxLength: Int

    /// Starts an iteration.
    public func makeAsyncIterator() -> Iterator { Iterator(lines: self) }

    /// Takes one line after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let lines: StreamLines

        /// The next line; nil at the end of input, and when we have closed the socket.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> String? {
            guard var line = try await lines.nextBytes() else { return nil }
            if line.last == UInt8(ascii: "\n") {
                line.removeLast()
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
            }
            guard let text = String(validating: line, as: UTF8.self) else {
                throw lines.stream.error(.malformed("a line is not UTF-8"), .receive)
            }
            return text
        }
    }

    fileprivate func nextBytes() async throws(SocketError) -> [UInt8]? {
        let request = try stream.request(until: [UInt8(ascii: "\n")], maxLength)
        do throws(SocketError) {
            return try await stream.pull(request, nil)
        } catch  where error.kind == .incomplete {
            // The last line has no end.
            return try await stream.pull(ReadRequest(.some(upTo: maxLength)), nil)
        } catch  where error.isOurEnd {
            return nil
        }
    }
}
