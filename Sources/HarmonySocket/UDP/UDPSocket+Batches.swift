internal import SocketCore

// Many datagrams with few calls: sendmmsg(2) and recvmmsg(2), and with them segmentation and receive offload (udp(7),
// UDP_SEGMENT and UDP_GRO) where the kernel has them. Elsewhere the same, a call for each.
extension UDPSocket {
    /// Sends datagrams, in order, and returns when the kernel has taken them all. What does not fit now is queued;
    /// `timeout` is how long that may wait, nil is without end.
    ///
    /// All are checked before the first is sent. After that each is on its own: one that the system refuses does not hold up
    /// the others. Neighbours of one size to one receiver cost least.
    ///
    /// ```swift
    /// let peers = [7001, 7002, 7003].map { NetAddress("127.0.0.1", port: $0) }
    /// try await udp.send(batch: peers.map { UDPSendOptions(data: "news", address: $0) })
    /// ```
    ///
    /// - Throws: What `send(_: UDPSendOptions)` throws; the first refusal, when all have ended. `sent` and `remaining` of the
    ///   error are bytes of the whole batch.
    ///
    /// ## Events
    /// As of `send(_: UDPSendOptions)`.
    ///
    /// ## Cancellation
    /// Of a cancelled or timed-out batch the datagrams that wait for room are removed; `sent` says what has gone.
    public func send(batch: [UDPSendOptions], timeout: Duration? = nil) async throws(SocketError) {
        do throws(Failure) {
            try await driver.send(batch: try prepare(batch), timeout: timeout)
        } catch {
            throw self.error(error, .send, batch.first?.address.description)
        }
    }

    /// Sends datagrams; as the async form.
    public func send(
        batch: [UDPSendOptions], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(timeout, batch.first?.address.description, completion) { () throws(Failure) in try prepare(batch) }
    }

    /// Sends datagrams to one receiver: to `address`, or to the peer of a connected socket. As `send(batch:)` of options.
    ///
    /// ```swift
    /// let frames = (0..<100).map { [UInt8](repeating: $0, count: 1200) }
    /// try await udp.send(batch: frames, to: NetAddress("127.0.0.1", port: 7007))
    /// ```
    ///
    /// - Throws: As `send(batch:)` of options; `.notConnected` without an address.
    ///
    /// ## Cancellation
    /// As of `send(batch:)` of options.
    public func send(
        batch: [[UInt8]], to address: NetAddress? = nil, timeout: Duration? = nil
    ) async throws(SocketError) {
        do throws(Failure) {
            try await driver.send(batch: try prepare(batch, address), timeout: timeout)
        } catch {
            throw self.error(error, .send, address?.description)
        }
    }

    /// Sends datagrams to one receiver; as the async form.
    public func send(
        batch: [[UInt8]], to address: NetAddress? = nil, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(timeout, address?.description, completion) { () throws(Failure) in try prepare(batch, address) }
    }

    private func send(
        _ timeout: Duration?, _ address: String?, _ completion: @escaping @Sendable (Result<Void, SocketError>) -> Void,
        _ prepare: () throws(Failure) -> [DatagramCalls.Outgoing]
    ) {
        do throws(Failure) {
            driver.send(batch: try prepare(), timeout: timeout) { [self] failure in
                completion(Result(failure).mapError { error($0, .send, address) })
            }
        } catch {
            let failure = self.error(error, .send, address)
            driver.complete { completion(.failure(failure)) }
        }
    }

    private func prepare(_ batch: [UDPSendOptions]) throws(Failure) -> [DatagramCalls.Outgoing] {
        var datagrams: [DatagramCalls.Outgoing] = []
        datagrams.reserveCapacity(batch.count)
        for options in batch {
            let (bytes, destination) = try prepare(options)
            datagrams.append(.init(bytes: bytes, destination: destination))
        }
        return datagrams
    }

    private func prepare(_ batch: [[UInt8]], _ address: NetAddress?) throws(Failure) -> [DatagramCalls.Outgoing] {
        let destination = try address.map { address throws(Failure) in try UDPSocket.destination(address) }
        guard let receiver = destination ?? driver.peerAddress else { throw .notConnected }
        var datagrams: [DatagramCalls.Outgoing] = []
        datagrams.reserveCapacity(batch.count)
        for bytes in batch {
            try UDPSocket.check(bytes.count, receiver)
            datagrams.append(.init(bytes: bytes, destination: destination ?? .none))
        }
        return datagrams
    }

    // MARK: Receiving

    /// The datagrams that have arrived, at least one and at most `limit`, which is 1 or more: what one look at the kernel
    /// brings, up to 32 or, where it hands over trains of datagrams, up to many more. Waits only when none has arrived.
    ///
    /// ```swift
    /// for datagram in try await udp.receiveBatch(timeout: .seconds(1)) { print(datagram.message.count) }
    /// ```
    ///
    /// - Throws: As `receive`; `.invalidArgument` for a limit below 1.
    ///
    /// ## Cancellation
    /// As of `receive`.
    public func receiveBatch(
        upTo limit: Int = 1024, timeout: Duration? = nil
    ) async throws(SocketError) -> [SocketMessageInfo] {
        do throws(Failure) {
            return try await driver.receive(try UDPSocket.wish(limit), timeout: timeout).map(SocketMessageInfo.init)
        } catch {
            throw self.error(error, .receive)
        }
    }

    /// The datagrams that have arrived; as the async form.
    public func receiveBatch(
        upTo limit: Int = 1024, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<[SocketMessageInfo], SocketError>) -> Void
    ) {
        do throws(Failure) {
            driver.receive(try UDPSocket.wish(limit), timeout: timeout) { [self] result in
                completion(result.map { $0.map(SocketMessageInfo.init) }.mapError { error($0, .receive) })
            }
        } catch {
            let failure = self.error(error, .receive)
            driver.complete { completion(.failure(failure)) }
        }
    }

    private static func wish(_ limit: Int) throws(Failure) -> DatagramDriver.Wish {
        guard limit > 0 else { throw .invalidArgument(.init("limit", "\(limit) is less than 1")) }
        return .batch(limit)
    }

    /// The datagrams that arrive, batch by batch, until the socket is closed: as many in each as had arrived.
    ///
    /// ```swift
    /// for try await batch in udp.messageBatches {
    ///     try await udp.send(batch: batch.map { UDPSendOptions(data: $0.message, address: $0.remoteInfo.netAddress) })
    /// }
    /// ```
    public var messageBatches: DatagramBatches { DatagramBatches(socket: self) }
}

/// The datagrams of a socket, batch by batch, until it is closed.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`, and leaves the socket and its datagrams to the next reader.
public struct DatagramBatches: AsyncSequence, Sendable {
    /// Datagrams that had arrived together. Never empty.
    public typealias Element = [SocketMessageInfo]
    /// What iterating throws.
    public typealias Failure = SocketError

    let socket: UDPSocket

    /// Starts an iteration. Two iterations of one socket share its datagrams.
    public func makeAsyncIterator() -> Iterator { Iterator(socket: socket) }

    /// Takes one batch after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let socket: UDPSocket

        /// The next batch; nil when the socket is closed.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> [SocketMessageInfo]? {
            try await socket.next(.batch(1024, hearsErrors: false))
        }
    }
}
