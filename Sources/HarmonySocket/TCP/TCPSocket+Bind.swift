internal import SocketCore

extension TCPSocket {
    /// Gives the socket a local address, before it connects. Optional: connect chooses one.
    ///
    /// ```swift
    /// try await tcp.bind(NetAddress("192.0.2.2", port: 40_000))
    /// try await tcp.connect(to: NetAddress("example.org", port: 7007))  // over IPv4, from 192.0.2.2:40000
    /// ```
    ///
    /// The port you ask for is the port you get; port 0 lets the system choose (bind(2)). Names are not looked up, but
    /// for `localhost`.
    ///
    /// - Throws: `.invalidArgument` for an address that cannot be; `.addressInUse`; `.addressNotAvailable`;
    ///   `.permissionDenied`; `.alreadyBound`; `.alreadyConnected`; `.closed`.
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func bind(_ address: NetAddress) async throws(SocketError) {
        try await stream.bind(address)
    }

    /// Gives the socket a local address; as the async form.
    public func bind(_ address: NetAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        stream.bind(address, completion: completion)
    }
}

// What all sockets share that have an IP address of their own choice.
extension StreamHandle {
    package func bind(_ address: NetAddress) async throws(SocketError) {
        try bindNow(address)
        await driver.emit(.listening)
    }

    package func bind(_ address: NetAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try bindNow(address) }
        if case .success = result { driver.post(.listening) }
        driver.complete { completion(result) }
    }

    private func bindNow(_ address: NetAddress) throws(SocketError) {
        do throws(Failure) {
            try driver.bind(to: try address.literal())
        } catch {
            throw SocketError(error, .bind, address.description)
        }
    }
}
