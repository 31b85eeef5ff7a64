internal import SocketCore

extension DatagramSocket {
    /// The next datagram (recvmsg(2)). An empty one is a datagram. A `timeout` of nil waits without end; zero does not
    /// wait. Of one that is larger than `limit`, which is not negative, the rest is lost, and `isTruncated` says so.
    ///
    /// ```swift
    /// let datagram = try await udp.receive(timeout: .seconds(1))
    /// try await udp.send(datagram.message, to: datagram.remoteInfo)
    /// ```
    ///
    /// - Throws: `.timedOut`; `.cancelled`; `.invalidState` before bind and the first send, or while a message listener
    ///   exists; `.connectionRefused` or `.unreachable` when the socket is connected and its peer's system has refused what
    ///   was sent (see `connect`); `.invalidArgument` for the limit; `.closed` after close; `.aborted` when the socket is
    ///   closed meanwhile.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out receive leaves the socket open, and its datagrams to the next reader.
    public func receive(
        upTo limit: Int = 65_536, timeout: Duration? = nil
    ) async throws(SocketError) -> SocketMessageInfo {
        do throws(Failure) {
            try DatagramLimit.check(limit)
            return SocketMessageInfo(try await driver.receive(.one(upTo: limit), timeout: timeout)[0])
        } catch {
            throw self.error(error, .receive)
        }
    }

    /// The next datagram; as the async form.
    public func receive(
        upTo limit: Int = 65_536, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<SocketMessageInfo, SocketError>) -> Void
    ) {
        do throws(Failure) {
            try DatagramLimit.check(limit)
            driver.receive(.one(upTo: limit), timeout: timeout, DatagramHandle.completion(completion))
        } catch {
            let failure = self.error(error, .receive)
            driver.complete { completion(.failure(failure)) }
        }
    }

    /// The datagrams that arrive, until the socket is closed. What the loop is too slow for waits in the kernel's
    /// buffer, which drops what does not fit; a few are taken from there at a time. ICMP errors do not end it.
    ///
    /// ```swift
    /// for try await datagram in udp.messages {
    ///     try await udp.send(datagram.message, to: datagram.remoteInfo)
    /// }
    /// ```
    public var messages: DatagramMessages { DatagramMessages(socket: datagrams, owner: self) }
}

/// The datagrams of a socket, one by one, until it is closed.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`, and leaves the socket and its datagrams to the next reader.
public struct DatagramMessages: AsyncSequence, Sendable {
    /// One datagram.
    public typealias Element = SocketMessageInfo
    /// What iterating throws.
    public typealias Failure = SocketError

    let socket: DatagramHandle
    // Iterated it stays open.
    let owner: any DatagramSocket

    /// Starts an iteration. Two iterations of one socket share its datagrams.
    public func makeAsyncIterator() -> Iterator { Iterator(socket: socket, owner: owner) }

    /// Takes one datagram after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let socket: DatagramHandle
        let owner: any DatagramSocket

        /// The next datagram; nil when the socket is closed.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> SocketMessageInfo? {
            if let datagram = socket.driver.takeNext() { return SocketMessageInfo(datagram) }
            return try await socket.next(.one(hearsErrors: false))?.first.map(SocketMessageInfo.init)
        }
    }
}

extension DatagramHandle {
    /// A completion handler of the engine's receives that calls the program's.
    fileprivate static func completion(
        _ body: @escaping @Sendable (Result<SocketMessageInfo, SocketError>) -> Void
    ) -> DatagramsCompletion {
        DatagramsCompletion(keeping: ReceiveHandler(call: body)) { completion, driver, result in
            let handler = completion.handler(as: ReceiveHandler.self)
            switch result {
            case .success(let datagrams): handler.call(.success(SocketMessageInfo(datagrams[0])))
            case .failure(let failure): handler.call(.failure(DatagramHandle(driver: driver).error(failure, .receive)))
            }
        }
    }

    private struct ReceiveHandler: Sendable {
        let call: @Sendable (Result<SocketMessageInfo, SocketError>) -> Void
    }
}

enum DatagramLimit {
    static func check(_ limit: Int) throws(Failure) {
        if limit < 0 { throw .invalidArgument(.init("limit", "\(limit) is negative")) }
    }
}

extension SocketMessageInfo {
    init(_ datagram: Datagram) {
        self.init(datagram.bytes, from: datagram.source, details: datagram.details)
    }
}
