internal import SocketCore

// Pulling. Bytes that arrive before anybody asks wait in the kernel, so nothing is lost, and a sender is slowed down
// when the program is.
extension StreamSocket {
    /// The next bytes, as many as have arrived; nil when the peer has ended its direction and everything is read.
    ///
    /// At least one byte and at most 65,536: what one recv(2) brings. Tries at once, and waits only when nothing has
    /// arrived. A `timeout` of nil waits without end; zero does not wait. Several receives are served in order.
    ///
    /// - Throws: `.timedOut`; `.cancelled`; `.notConnected` before connect; `.closed` after close; `.aborted` when the
    ///   socket is closed meanwhile; `.invalidState` while a message listener exists; `.connectionReset` when the
    ///   connection broke, and again from each later receive.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and its bytes to the next reader.
    ///
    /// ```swift
    /// while let chunk = try await tcp.receive(timeout: .seconds(30)) {
    ///     print(chunk.message.count, "bytes")
    /// }
    /// ```
    public func receive(timeout: Duration? = nil) async throws(SocketError) -> SocketMessageInfo? {
        let isEager = timeout.map { $0 <= .zero } ?? false
        return try await stream.receive(until: .after(timeout), isEager: isEager)
    }

    /// The next bytes, as many as have arrived, or nil at the end; as the async form.
    public func receive(
        timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<SocketMessageInfo?, SocketError>) -> Void
    ) {
        stream.driver.receive(timeout: timeout, StreamHandle.receiveCompletion(completion))
    }

    /// What arrives, until the peer ends its direction or we close the socket. Nothing is read ahead: a slow loop slows
    /// the sender down.
    ///
    /// Throws what `receive` throws, but for our own close() and reset(), which end it.
    ///
    /// ```swift
    /// for try await chunk in tcp.messages {
    ///     try await tcp.send(chunk.message)
    /// }
    /// ```
    public var messages: StreamMessages { StreamMessages(stream: stream) }
}

extension StreamHandle {
    /// A completion handler of the engine's receives that calls the program's.
    fileprivate static func receiveCompletion(
        _ body: @escaping @Sendable (Result<SocketMessageInfo?, SocketError>) -> Void
    ) -> ReceiveCompletion {
        ReceiveCompletion(keeping: ReceiveHandler(call: body)) { completion, driver, result in
            let handler = completion.handler(as: ReceiveHandler.self)
            switch result {
            case .success(let bytes?): handler.call(.success(SocketMessageInfo(bytes, from: driver.peer)))
            case .success(nil): handler.call(.success(nil))
            case .failure(let failure): handler.call(.failure(StreamHandle(driver: driver).error(failure, .receive)))
            }
        }
    }

    private struct ReceiveHandler: Sendable {
        let call: @Sendable (Result<SocketMessageInfo?, SocketError>) -> Void
    }

    /// One receive: everything that does not wait is synchronous, and the wait is one suspension.
    @inline(__always)
    fileprivate func receive(until deadline: Instant, isEager: Bool) async throws(SocketError) -> SocketMessageInfo? {
        var outcome = driver.tryReceive(isNext: false, isEager: isEager)
        while case .wait(let hasTurn) = outcome {
            let failure: Failure?
            if driver.waitsPlainly {
                // Suspended right here: each async function in between would cost a look for the right executor.
                failure = await withUnsafeContinuation { driver.enqueuePlainly($0, deadline, hasTurn: hasTurn) }
            } else {
                failure = await driver.waitToRead(deadline, hasTurn: hasTurn)
            }
            outcome = failure.map { .failed($0) } ?? driver.tryReceive(isNext: true, isEager: false)
        }
        if case .bytes(_, mustYield: true) = outcome { await driver.yieldTurn() }
        return try message(outcome)
    }

    private func message(_ outcome: StreamDriver.ReceiveOutcome) throws(SocketError) -> SocketMessageInfo? {
        switch outcome {
        case .bytes(let bytes, _): return SocketMessageInfo(bytes, from: driver.peer)
        case .ended, .wait, .filled: return nil
        case .failed(let failure): throw error(failure, .receive)
        }
    }
}

/// What arrives on a stream socket, chunk by chunk, until the peer ends its direction or we close the socket.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`, and leaves the socket and its bytes to the next reader.
public struct StreamMessages: AsyncSequence, Sendable {
    /// A chunk of the stream.
    public typealias Element = SocketMessageInfo
    /// What iterating throws.
    public typealias Failure = SocketError

    let stream: StreamHandle

    /// Starts an iteration. Two iterations of one socket share its bytes.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Takes one chunk after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let stream: StreamHandle

        /// The next chunk; nil at the end of input, and when we have closed the socket. Waits and fails as `receive`
        /// does otherwise.
        @inlinable
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> SocketMessageInfo? {
            try await take()
        }

        // A function that is isolated to a parameter looks for its executor as it begins. So `next` is part of the caller's
        // code, and this one has no such parameter.
        @usableFromInline
        func take() async throws(SocketError) -> SocketMessageInfo? {
            do throws(SocketError) {
                return try await stream.receive(until: .never, isEager: false)
            } catch  where error.isOurEnd {
                return nil
            }
        }
    }
}
