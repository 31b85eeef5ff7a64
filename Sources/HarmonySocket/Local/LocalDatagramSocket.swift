internal import SocketCore

/// A socket for datagrams between programs of one machine (unix(7)). OpenHarmony has none; it is to `UDPSocket` what
/// `LocalSocket` is to `TCPSocket`.
///
/// Nothing is lost and nothing overtakes: where the receiver's queue is full, the sender waits. Receiving, events and
/// closing are those of all datagram sockets.
///
/// ```swift
/// let receiver = LocalDatagramSocket()
/// try await receiver.bind("/tmp/log.socket", permissions: 0o600, removesStaleFile: true)
/// receiver.on(.message) { print($0.text ?? "", $0.address) }
///
/// let sender = LocalDatagramSocket()
/// try await sender.send("hello", to: "/tmp/log.socket")
/// ```
///
/// A socket that is not bound can send, but has no address that anybody could answer to. Datagrams of more than 65,536
/// bytes that other programs send are cut, and flagged (`isTruncated`); descriptors that come with them are closed.
public final class LocalDatagramSocket: DatagramSocket, LocalDomainSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    public let datagrams: DatagramHandle

    /// Makes a socket without an address, on a loop of `group`.
    public init(group: SocketEventLoopGroup = .shared) {
        datagrams = DatagramHandle(driver: DatagramDriver(group: group.core, isLocal: true))
    }

    deinit {
        driver.handleReleased()
    }
}

// MARK: Addresses

extension LocalDatagramSocket {
    /// Gives the socket an address, at which it can be sent to.
    ///
    /// A path becomes a socket file, which is removed when the socket closes. See `LocalSocketServer.listen` for
    /// `permissions`, here of those who may send, and `removesStaleFile`.
    ///
    /// - Throws: `.invalidArgument` for an address that cannot be, such as a path that is too long; `.addressInUse` when
    ///   there is anything at the path; `.permissionDenied`; `.alreadyBound`, also after a send or connect without bind;
    ///   `.closed`; other answers of the system (bind(2)).
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func bind(
        _ address: LocalAddress, permissions: Int? = nil, removesStaleFile: Bool = false
    ) async throws(SocketError) {
        try bindNow(address, permissions, removesStaleFile)
        await driver.deliverPending()
    }

    /// Gives the socket an address; as the async form.
    public func bind(
        _ address: LocalAddress, permissions: Int? = nil, removesStaleFile: Bool = false,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try bindNow(address, permissions, removesStaleFile) }
        driver.complete { completion(result) }
    }

    private func bindNow(
        _ address: LocalAddress, _ permissions: Int?, _ removesStaleFile: Bool
    ) throws(SocketError) {
        do throws(Failure) {
            let wishes = try PathOptions(permissions, removesStaleFile)
            try driver.bind(to: try address.literal(), wishes)
        } catch {
            throw self.error(error, .bind, address.description)
        }
    }

    /// Makes one socket the only one to send to, with `send(_:)`, and to receive from. Does not wait.
    ///
    /// - Throws: `.connectionRefused` when nobody has the address any more; `.invalidArgument`; `.alreadyConnected`;
    ///   `.permissionDenied`; `.closed`; other answers of the system (connect(2)), as `ENOENT`.
    ///
    /// ## Events
    /// `connect`, before this call returns.
    public func connect(to address: LocalAddress) async throws(SocketError) {
        try connectNow(address)
        await driver.deliverPending()
    }

    /// Makes one socket the only one to send to and to receive from; as the async form.
    public func connect(to address: LocalAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try connectNow(address) }
        driver.complete { completion(result) }
    }

    private func connectNow(_ address: LocalAddress) throws(SocketError) {
        do throws(Failure) {
            try driver.connect(to: try address.literal())
        } catch {
            throw SocketError(error, .connect, address.description)
        }
    }

    /// Whom it is connected to; nil without a connection.
    public var remoteAddress: LocalAddress? { driver.peerAddress.map(LocalAddress.init) }
}

// MARK: Sending

extension LocalDatagramSocket {
    /// Sends one datagram, whole or not at all; returns when the receiver's queue has it.
    ///
    /// Where that is full the datagram waits, and those behind it too, whoever they are for.
    ///
    /// - Throws: `.connectionRefused` when nobody has the address any more; `.messageTooLong` for more than
    ///   `sendBufferSize` has room for; `.queueFull` above `sendQueueLimit`; `.timedOut`; `.cancelled`;
    ///   `.invalidArgument`; `.alreadyConnected` for another address than that it is connected to; `.permissionDenied`;
    ///   `.closed`; other answers of the system (sendto(2)), as `ENOENT`.
    ///
    /// ## Events
    /// `listening`, if the socket was new.
    ///
    /// ## Cancellation
    /// A datagram that waits is removed.
    public func send(_ bytes: [UInt8], to address: LocalAddress, timeout: Duration? = nil) async throws(SocketError) {
        do throws(Failure) {
            try await driver.send(bytes, to: try address.literal(), timeout: timeout)
        } catch {
            throw self.error(error, .send, address.description)
        }
    }

    /// Sends text, as UTF-8, in one datagram.
    public func send(_ text: String, to address: LocalAddress, timeout: Duration? = nil) async throws(SocketError) {
        try await send(Array(text.utf8), to: address, timeout: timeout)
    }

    /// Sends one datagram to whom the socket is connected to.
    ///
    /// - Throws: As the other `send`; `.notConnected`.
    public func send(_ bytes: [UInt8], timeout: Duration? = nil) async throws(SocketError) {
        do throws(Failure) {
            try await driver.send(bytes, to: nil, timeout: timeout)
        } catch {
            throw self.error(error, .send)
        }
    }

    /// Sends one datagram; as the async form.
    public func send(
        _ bytes: [UInt8], to address: LocalAddress, timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let text = address.description
        do throws(Failure) {
            driver.send(bytes, to: try address.literal(), timeout: timeout) { [self] failure in
                completion(Result(failure).mapError { error($0, .send, text) })
            }
        } catch {
            let failure = self.error(error, .send, text)
            driver.complete { completion(.failure(failure)) }
        }
    }

    /// Sends one datagram to whom the socket is connected to; as the async form.
    public func send(
        _ bytes: [UInt8], timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        driver.send(bytes, to: nil, timeout: timeout) { [self] failure in
            completion(Result(failure).mapError { error($0, .send) })
        }
    }
}
