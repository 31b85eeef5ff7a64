package import SocketCore

extension TCPSocket {
    /// Connects to an address or a host name.
    ///
    /// A name is looked up without blocking anybody, by the socket's `resolver`, and its addresses race (RFC 8305): the
    /// next one starts 250 ms after the one before, or when that has failed, and none is given up before another has won.
    /// An IPv4 answer waits 50 ms for the IPv6 one. `localhost` is 127.0.0.1, or ::1 when the family says IPv6; the
    /// family `.domain` has it looked up.
    ///
    /// A socket that was bound connects from its address and port, and only to addresses of that family; since they share
    /// the port, its attempts go one after another, each until it fails. The option `interface` holds for every attempt.
    ///
    /// - Throws: `.unknownHost`; `.lookupFailed`; `.connectionRefused`; `.unreachable`; `.timedOut`; `.cancelled`;
    ///   `.aborted` when the socket is closed meanwhile; other answers of the system (connect(2)). These close the
    ///   socket, and `attempts` lists what was tried. A connect that does not fit changes nothing: `.invalidArgument`
    ///   for an address or time-out that cannot be, or an address that the bound one cannot reach; `.alreadyConnected`
    ///   while connecting or connected; `.closed` after close.
    ///
    /// ## Events
    /// `connect`, before this call returns; `close` when it fails.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out connect closes all attempts, and the socket, at once. A look-up under way ends by
    /// itself.
    ///
    /// ```swift
    /// try await tcp.connect(TCPConnectOptions(address: NetAddress("localhost", port: 7007), timeout: .seconds(6)))
    /// ```
    ///
    /// A socket connects once. To connect again, after `close()` or a connect that failed, make a new one: where other
    /// libraries disconnect and reconnect one object, keep a variable. Listeners ended with the old socket.
    ///
    /// ```swift
    /// func makeConnected() async throws -> TCPSocket {
    ///     let client = TCPSocket()
    ///     client.on(.message) { print($0.text ?? "") }
    ///     try await client.connect(to: address)
    ///     return client
    /// }
    /// var client = try await makeConnected()
    /// await client.close()                    // disconnect
    /// client = try await makeConnected()      // and connect again
    /// ```
    public func connect(_ options: TCPConnectOptions) async throws(SocketError) {
        do throws(Failure) {
            let target = try options.address.connectTarget(resolver)
            try OptionCheck.timeout(options.timeout, "timeout")
            try await stream.driver.connect(to: target, timeout: options.timeout)
        } catch {
            throw SocketError(error, .connect, options.address.description)
        }
    }

    /// Connects to an address or a host name, within 5 s unless said otherwise; nil waits without end. As
    /// `connect(_: TCPConnectOptions)` otherwise.
    public func connect(to address: NetAddress, timeout: Duration? = .seconds(5)) async throws(SocketError) {
        try await connect(TCPConnectOptions(address: address, timeout: timeout))
    }

    /// Connects; as the async form.
    public func connect(
        _ options: TCPConnectOptions, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let address = options.address.description
        do throws(Failure) {
            let target = try options.address.connectTarget(resolver)
            try OptionCheck.timeout(options.timeout, "timeout")
            stream.driver.connect(to: target, timeout: options.timeout) { result in
                completion(result.mapError { SocketError($0, .connect, address) })
            }
        } catch {
            stream.driver.complete { completion(.failure(SocketError(error, .connect, address))) }
        }
    }

    /// Connects, within 5 s unless said otherwise; as the async form.
    public func connect(
        to address: NetAddress, timeout: Duration? = .seconds(5),
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        connect(TCPConnectOptions(address: address, timeout: timeout), completion: completion)
    }
}

extension NetAddress {
    /// Where to connect to; port 0 is nowhere.
    package func connectTarget(_ resolver: any SocketResolver) throws(Failure) -> ConnectTarget {
        let target = try target(resolver.nameResolver)
        if port == 0 { throw .invalidArgument(.init("port", "nobody can be reached at port 0")) }
        return target
    }
}
