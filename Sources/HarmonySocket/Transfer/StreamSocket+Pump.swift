internal import SocketCore

// Titanium's Stream.pump: everything up to the end, chunk by chunk.
extension StreamSocket {
    /// Hands everything that arrives to `handler`, chunk by chunk, until the peer ends its direction. Returns how many
    /// bytes that was.
    ///
    /// A chunk is what one read brings: at least one byte, at most `chunkSize` (65,536 unless you say otherwise), and
    /// never more than 65,536. With it comes the number of bytes so far, its own included. The next chunk is read when
    /// the handler has returned, so a slow handler slows the sender down. What was read ahead comes first; a framing
    /// does not matter. `timeout` is for each chunk: nil waits without end.
    ///
    /// The end of input is a return, an error is thrown: they are never mistaken for each other.
    ///
    /// ```swift
    /// let total = try await tcp.pump { bytes, soFar in
    ///     print(bytes.count, "more bytes, \(soFar) by now")
    /// }
    /// print("the peer has ended after \(total) bytes")
    /// ```
    ///
    /// - Throws: what the handler throws, which ends the pump: the socket stays open, and what was not handed out is
    ///   for the next reader. Otherwise `SocketError`: `.invalidArgument` for a `chunkSize` below 1, and all that
    ///   `receive` throws.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out pump leaves the socket open, and what it has not handed out to the next reader.
    @discardableResult
    public func pump(
        chunkSize: Int = 65_536, timeout: Duration? = nil,
        _ handler: (_ bytes: [UInt8], _ soFar: Int) async throws -> Void
    ) async throws -> Int {
        let request = try stream.request(upTo: chunkSize, field: "chunkSize")
        var total = 0
        while let bytes = try await stream.pull(request, timeout) {
            total += bytes.count
            try await handler(bytes, total)
        }
        return total
    }

    /// Hands everything that arrives to `handler`, chunk by chunk, and then, once, how it ended; as the async form.
    ///
    /// The handler runs where the socket's listeners run. The next chunk is read when it has returned.
    ///
    /// ```swift
    /// tcp.pump { step in
    ///     switch step {
    ///     case .chunk(let bytes, let soFar): print(bytes.count, "more bytes, \(soFar) by now")
    ///     case .end(let total): print("the peer has ended after \(total) bytes")
    ///     case .failed(let error, let soFar): print("\(error), after \(soFar) bytes")
    ///     }
    /// }
    /// ```
    public func pump(
        chunkSize: Int = 65_536, timeout: Duration? = nil, _ handler: @escaping @Sendable (PumpStep) -> Void
    ) {
        do throws(SocketError) {
            stream.pump(try stream.request(upTo: chunkSize, field: "chunkSize"), timeout, soFar: 0, handler)
        } catch {
            stream.driver.complete { handler(.failed(error, soFar: 0)) }
        }
    }
}

/// What the handler of a pump is told.
public enum PumpStep: Sendable, Hashable {
    /// More bytes, and how many that makes.
    case chunk([UInt8], soFar: Int)
    /// The peer has ended its direction. Nothing follows.
    case end(total: Int)
    /// An error ended the pump. Nothing follows.
    case failed(SocketError, soFar: Int)
}

extension StreamHandle {
    fileprivate func pump(
        _ request: ReadRequest, _ timeout: Duration?, soFar: Int, _ handler: @escaping @Sendable (PumpStep) -> Void
    ) {
        let completion = ReceiveCompletion { driver, result in
            let stream = StreamHandle(driver: driver)
            switch result {
            case .success(let bytes?):
                let soFar = soFar + bytes.count
                handler(.chunk(bytes, soFar: soFar))
                stream.pump(request, timeout, soFar: soFar, handler)
            case .success(nil): handler(.end(total: soFar))
            case .failure(let failure): handler(.failed(stream.error(failure, .receive), soFar: soFar))
            }
        }
        driver.receive(request, timeout: timeout, completion)
    }
}
