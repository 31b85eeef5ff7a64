internal import SocketCore

extension UDPSocket {
    /// Names the peer (connect(2)): `send` without an address goes there, and nothing arrives from anybody else, but for
    /// what had come before. Nothing is sent by it. Does not wait.
    ///
    /// An unbound socket is bound first, to all addresses of the peer's family and a port that the system chooses. While it
    /// is connected, `localAddress` is the address that the peer sees. A connect that fails leaves the socket as it was.
    ///
    /// ```swift
    /// try await udp.connect(to: NetAddress("127.0.0.1", port: 7007))
    /// try await udp.send("ping")
    /// print(try await udp.receive(timeout: .seconds(1)).text ?? "")
    /// ```
    ///
    /// When the peer's system refuses a datagram (ICMP), a `receive` that waits fails with `.connectionRefused` or
    /// `.unreachable`; when none does, the `error` event tells it, or, when nobody listens to that, the next `receive`.
    /// The socket stays as it is.
    ///
    /// - Throws: `.invalidArgument` for an address that cannot be, a host name included; `.alreadyConnected`;
    ///   `.unreachable` when no route leads there; `.closed` after close; other answers of the system.
    ///
    /// ## Events
    /// `listening` when it had to bind, and `connect`, before this call returns.
    public func connect(to address: NetAddress) async throws(SocketError) {
        try connectNow(address)
        await driver.deliverPending()
    }

    /// Names the peer; as the async form.
    public func connect(to address: NetAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try connectNow(address) }
        driver.complete { completion(result) }
    }

    private func connectNow(_ address: NetAddress) throws(SocketError) {
        do throws(Failure) {
            try driver.connect(to: try UDPSocket.destination(address))
        } catch {
            throw SocketError(error, .connect, address.description)
        }
    }

    /// Undoes `connect`: the socket sends to, and receives from, anybody again, at the port that it had. Does nothing to a
    /// socket that is not connected. Does not wait.
    ///
    /// - Throws: `.closed` after close; `.addressInUse` when, on a system that gives the port up meanwhile, somebody was
    ///   quicker.
    public func disconnect() async throws(SocketError) { try disconnectNow() }

    /// Undoes `connect`; as the async form.
    public func disconnect(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try disconnectNow() }
        driver.complete { completion(result) }
    }

    private func disconnectNow() throws(SocketError) {
        do throws(Failure) {
            try driver.disconnect()
        } catch {
            throw self.error(error, .connect)
        }
    }

    /// The address that the socket is connected to; nil when it is not.
    public var remoteAddress: NetAddress? { driver.peerAddress.map(NetAddress.init) }

    /// The address that the socket is connected to.
    ///
    /// - Throws: `.notConnected`; `.closed` after close.
    public func getRemoteAddress() async throws(SocketError) -> NetAddress { try findRemoteAddress() }

    /// The address that the socket is connected to; the handler is called in the socket's order of events.
    public func getRemoteAddress(completion: @escaping @Sendable (Result<NetAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try findRemoteAddress() }
        driver.complete { completion(result) }
    }

    private func findRemoteAddress() throws(SocketError) -> NetAddress {
        if state.isClose { throw error(.closed, .getAddress) }
        guard let remoteAddress else { throw error(.notConnected, .getAddress) }
        return remoteAddress
    }
}
