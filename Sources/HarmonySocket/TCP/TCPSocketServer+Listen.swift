internal import SocketCore

extension TCPSocketServer {
    /// Binds to `address` and waits for peers.
    ///
    /// The port you ask for is the port you get; port 0 lets the system choose, and `localAddress` tells. An address
    /// that a past connection still holds is taken over, unless the options say `reuseAddress: false`.
    ///
    /// The IPv6 wildcard (`::`) serves IPv4 too, whatever the system's default is, unless the option `ipv6Only` says
    /// otherwise; IPv4 peers then have addresses such as `::ffff:192.0.2.1`. Names are not looked up, but for
    /// `localhost`. A server listens once, on one address. `backlog` is how many connections the kernel holds until
    /// they are accepted: 511 unless said otherwise, above 0, and capped by the kernel (listen(2),
    /// `net.core.somaxconn`).
    ///
    /// ```swift
    /// try await server.listen(NetAddress("0.0.0.0", port: 7007))
    /// ```
    ///
    /// - Throws: `.invalidArgument` for an address or backlog that cannot be; `.addressInUse`; `.addressNotAvailable`;
    ///   `.permissionDenied`; `.alreadyBound` when it listens already; `.closed` after close.
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func listen(_ address: NetAddress, backlog: Int = 511) async throws(SocketError) {
        try listenNow(address, backlog)
        await driver.deliverPending()
    }

    /// Binds and waits for peers; as the async form.
    public func listen(
        _ address: NetAddress, backlog: Int = 511,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try listenNow(address, backlog) }
        driver.complete { completion(result) }
    }

    private func listenNow(_ address: NetAddress, _ backlog: Int) throws(SocketError) {
        do throws(Failure) {
            let literal = try address.literal()
            guard backlog > 0 else { throw .invalidArgument(.init("backlog", "\(backlog) is not above zero")) }
            try driver.listen(on: literal, backlog: backlog)
        } catch {
            throw SocketError(error, .listen, address.description)
        }
    }
}
