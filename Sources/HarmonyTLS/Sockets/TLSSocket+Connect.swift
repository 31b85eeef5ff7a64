public import HarmonySocket
internal import SocketCore

extension TLSSocket {
    /// Connects to an address or a host name, and makes the connection secure.
    ///
    /// Connecting is as with `TCPSocket`; then comes the handshake, within the same time. Nothing of the connection is seen
    /// before both have succeeded. A socket made with `TLSSocket(over:)` takes over a connection instead: see there.
    ///
    /// ```swift
    /// let options = TLSConnectOptions(
    ///     address: NetAddress("example.org", port: 443), secureOptions: TLSSecureOptions(minVersion: .tls13))
    /// try await TLSSocket().connect(options)
    /// ```
    ///
    /// - Throws: what `TCPSocket.connect` throws; `.invalidArgument` for options that cannot be, such as a key that does not
    ///   belong to its certificate, before anything is opened; `.certificateRejected`, whose `message` says which
    ///   certificate and why; `.tlsFailed` for other failures of the handshake; `.timedOut`. After these the socket is
    ///   closed.
    ///
    /// ## Events
    /// `connect`, before this call returns; `close` when it fails.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out connect closes the socket at once.
    public func connect(_ options: TLSConnectOptions) async throws(SocketError) {
        do throws(Failure) {
            switch try prepare(options) {
            case .target(let target, let connection):
                try await stream.driver.connect(to: target, timeout: options.timeout, through: connection)
            case .plain(let plain, let connection):
                try await stream.driver.connect(
                    over: plain.stream.driver, timeout: options.timeout, through: connection, isWatched: true)
                // Alive until its connection was handed over.
                withExtendedLifetime(plain) {}
            }
        } catch {
            throw SocketError(error, .connect, options.address.description)
        }
    }

    /// Connects, and makes the connection secure; as the async form.
    public func connect(
        _ options: TLSConnectOptions, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let address = options.address.description
        let ended: @Sendable (Result<Void, Failure>) -> Void = { result in
            completion(result.mapError { SocketError($0, .connect, address) })
        }
        do throws(Failure) {
            switch try prepare(options) {
            case .target(let target, let connection):
                stream.driver.connect(to: target, timeout: options.timeout, through: connection, ended)
            case .plain(let plain, let connection):
                stream.driver.connect(
                    over: plain.stream.driver, timeout: options.timeout, through: connection, isWatched: true
                ) { result in
                    withExtendedLifetime(plain) { ended(result) }
                }
            }
        } catch {
            stream.driver.complete { ended(.failure(error)) }
        }
    }

    private enum Way {
        case target(ConnectTarget, TLSConnection)
        case plain(any StreamSocket, TLSConnection)
    }

    private func prepare(_ options: TLSConnectOptions) throws(Failure) -> Way {
        let connection = try TLSConnection(client: options)
        if let plain = plain.withLock({ $0.take() }) { return .plain(plain, connection) }
        return .target(try options.address.connectTarget(resolver), connection)
    }
}

extension TLSConnection {
    /// The client's end of a connection.
    convenience init(client options: TLSConnectOptions) throws(Failure) {
        try self.init(TLSContext(options, .client), to: TLSHost(options), resuming: options.session)
    }
}
