internal import SocketCore

extension UDPSocket {
    /// The most bytes that a datagram can carry over IPv4 (65,535 less the headers of IPv4 and UDP).
    public static let maximumSizeIPv4 = 65_507

    /// The most bytes that a datagram can carry over IPv6 (65,535 less the header of UDP).
    public static let maximumSizeIPv6 = 65_527

    /// Sends one datagram, and returns when the kernel has taken it (sendto(2)). It goes whole or not at all; an empty
    /// one goes too. Whether it arrives nobody knows. `timeout` is how long it may wait for room; nil is without end.
    ///
    /// An unbound socket is bound first, to all addresses of the receiver's family and a port that the system chooses.
    ///
    /// ```swift
    /// try await udp.send(UDPSendOptions(data: "hello", address: NetAddress("::1", port: 7007)))
    /// ```
    ///
    /// - Throws: `.messageTooLong` above 65,507 bytes (IPv4) or 65,527 (IPv6); `.invalidArgument` for an address that
    ///   cannot be, a host name included; `.permissionDenied` for a broadcast that the options do not allow;
    ///   `.alreadyConnected` for another address than the connected one; `.queueFull` above `sendQueueLimit`; `.timedOut`; `.cancelled`; `.aborted` when close() could not send it in time; `.closed` after close.
    ///
    /// ## Events
    /// `listening` when it had to bind, before this call ends. `error`, later, when the receiver's system refuses the datagram (ICMP).
    /// `drain`, when the queue had been above `highWaterMark` and has fallen to half of it.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out datagram that waits for room is removed, unless it is just being handed to the kernel.
    public func send(_ options: UDPSendOptions, timeout: Duration? = nil) async throws(SocketError) {
        do throws(Failure) {
            let (bytes, destination) = try prepare(options)
            try await driver.send(bytes, to: destination, timeout: timeout)
        } catch {
            throw self.error(error, .send, options.address.description)
        }
    }

    /// Sends one datagram to an address; as `send(_: UDPSendOptions)`.
    public func send(_ bytes: [UInt8], to address: NetAddress, timeout: Duration? = nil) async throws(SocketError) {
        try await send(UDPSendOptions(data: bytes, address: address), timeout: timeout)
    }

    /// Sends text as one datagram of UTF-8; as `send(_: UDPSendOptions)`.
    public func send(_ text: String, to address: NetAddress, timeout: Duration? = nil) async throws(SocketError) {
        try await send(UDPSendOptions(data: text, address: address), timeout: timeout)
    }

    /// Answers a datagram: the same as sending to its sender's address, without making text of it.
    public func send(_ bytes: [UInt8], to peer: SocketRemoteInfo, timeout: Duration? = nil) async throws(SocketError) {
        do throws(Failure) {
            try UDPSocket.check(bytes.count, peer.socketAddress)
            try await driver.send(bytes, to: peer.socketAddress, timeout: timeout)
        } catch {
            throw self.error(error, .send, peer.socketAddress.description)
        }
    }

    /// Sends one datagram to the peer that the socket is connected to; as `send(_: UDPSendOptions)` otherwise.
    ///
    /// - Throws: `.notConnected`, and what `send(_: UDPSendOptions)` throws.
    public func send(_ bytes: [UInt8], timeout: Duration? = nil) async throws(SocketError) {
        do throws(Failure) {
            try checkForPeer(bytes.count)
            try await driver.send(bytes, to: nil, timeout: timeout)
        } catch {
            throw self.error(error, .send)
        }
    }

    /// Sends text as one datagram of UTF-8 to the peer that the socket is connected to.
    public func send(_ text: String, timeout: Duration? = nil) async throws(SocketError) {
        try await send(Array(text.utf8), timeout: timeout)
    }

    // MARK: Completion handlers

    /// Sends one datagram; the handler is told when the kernel has taken it, or why not.
    public func send(
        _ options: UDPSendOptions, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let address = options.address.description
        do throws(Failure) {
            let (bytes, destination) = try prepare(options)
            driver.send(bytes, to: destination, timeout: timeout) { failure in
                completion(Result(failure).mapError { SocketError($0, .send, address) })
            }
        } catch {
            let failure = self.error(error, .send, address)
            driver.complete { completion(.failure(failure)) }
        }
    }

    /// Sends one datagram to an address; the handler is told when the kernel has taken it, or why not.
    public func send(
        _ bytes: [UInt8], to address: NetAddress, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(UDPSendOptions(data: bytes, address: address), timeout: timeout, completion: completion)
    }

    /// Sends text as one datagram of UTF-8; the handler is told when the kernel has taken it, or why not.
    public func send(
        _ text: String, to address: NetAddress, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(UDPSendOptions(data: text, address: address), timeout: timeout, completion: completion)
    }

    /// Answers a datagram; the handler is told when the kernel has taken the answer, or why not.
    public func send(
        _ bytes: [UInt8], to peer: SocketRemoteInfo, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        do throws(Failure) {
            try UDPSocket.check(bytes.count, peer.socketAddress)
            driver.send(bytes, to: peer.socketAddress, timeout: timeout) { failure in
                completion(Result(failure).mapError { SocketError($0, .send, peer.socketAddress.description) })
            }
        } catch {
            let failure = self.error(error, .send, peer.socketAddress.description)
            driver.complete { completion(.failure(failure)) }
        }
    }

    /// Sends one datagram to the peer that the socket is connected to; the handler is told when the kernel has taken it, or
    /// why not.
    public func send(
        _ bytes: [UInt8], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        do throws(Failure) {
            try checkForPeer(bytes.count)
            driver.send(bytes, to: nil, timeout: timeout) { [self] failure in
                completion(Result(failure).mapError { error($0, .send) })
            }
        } catch {
            let failure = self.error(error, .send)
            driver.complete { completion(.failure(failure)) }
        }
    }

    /// Sends text as one datagram of UTF-8 to the peer that the socket is connected to; the handler is told when the kernel
    /// has taken it, or why not.
    public func send(
        _ text: String, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        send(Array(text.utf8), timeout: timeout, completion: completion)
    }

    // MARK: Checks

    func prepare(_ options: UDPSendOptions) throws(Failure) -> ([UInt8], SocketAddress) {
        let destination = try UDPSocket.destination(options.address)
        let bytes = try options.data.encoded(.utf8)
        try UDPSocket.check(bytes.count, destination)
        return (bytes, destination)
    }

    /// Where datagrams can go.
    static func destination(_ address: NetAddress) throws(Failure) -> SocketAddress {
        let destination = try address.literal()
        if destination.port == 0 { throw .invalidArgument(.init("port", "nobody can be reached at port 0")) }
        return destination
    }

    static func check(_ count: Int, _ destination: SocketAddress) throws(Failure) {
        let limit = destination.family == .v6 ? maximumSizeIPv6 : maximumSizeIPv4
        if count > limit { throw .system(.messageTooLong, .sendTo, sent: 0, remaining: count) }
    }

    private func checkForPeer(_ count: Int) throws(Failure) {
        // Without a peer the driver says so.
        if count > UDPSocket.maximumSizeIPv4, let peer = driver.peerAddress { try UDPSocket.check(count, peer) }
    }
}
