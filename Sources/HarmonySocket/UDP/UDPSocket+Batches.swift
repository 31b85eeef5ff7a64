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

    /// Answers datagrams: each goes to the sender of one, without making text of its address. As `send(batch:)` of options.
    ///
    /// ```swift
    /// for try await batch in udp.messageBatches {
    ///     try await udp.send(batch: batch.map { ($0.message, to: $0.remoteInfo) })
    /// }
    /// ```
    ///
    /// - Throws: As `send(batch:)` of options.
    ///
    /// ## Cancellation
    /// As of `send(batch:)` of options.
    public func send(
        batch: [(message: [UInt8], to: SocketRemoteInfo)], timeout: Duration? = nil
    ) async throws(SocketError) {
        do throws(Failure) {
            try await driver.send(batch: try prepare(batch), timeout: timeout)
        } catch {
            throw self.error(error, .send, batch.first?.to.socketAddress.description)
        }
    }

    /// Answers datagrams; as the async form.
    public func send(
        batch: [(message: [UInt8], to: SocketRemoteInfo)], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(timeout, batch.first?.to.socketAddress.description, completion) { () throws(Failure) in try prepare(batch)
        }
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

    private func prepare(
        _ batch: [(message: [UInt8], to: SocketRemoteInfo)]
    ) throws(Failure) -> [DatagramCalls.Outgoing] {
        var datagrams: [DatagramCalls.Outgoing] = []
        datagrams.reserveCapacity(batch.count)
        for (message, peer) in batch {
            try UDPSocket.check(message.count, peer.socketAddress)
            datagrams.append(.init(bytes: message, destination: peer.socketAddress))
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
}
