public import HarmonySocket
internal import SocketCore

// A connection that was used in the open becomes secure: chrome.socket's secure(), STARTTLS, and a server's side of both.
extension StreamSocket where Self: InternetSocket {
    /// Makes the connection secure, as the client of the handshake, and returns the socket that has it from here on.
    ///
    /// What was asked of this socket before goes first: queued sends are written, and receives that wait are served, from
    /// what the peer still sends in the open. What was read ahead and not handed out is part of the handshake. Message
    /// listeners hear nothing any more. Then this socket is closed without its connection.
    ///
    /// ```swift
    /// try await tcp.send("STARTTLS\r\n")
    /// guard try await tcp.receive(until: "\n") == Array("220 ready\r\n".utf8) else { return }
    /// let tls = try await tcp.secure(TLSConnectOptions(address: NetAddress("mail.example.org")))
    /// ```
    ///
    /// `options.address` says whom the certificate must be for; its port means nothing. The new socket lives on the same
    /// loop, and listeners are added to it. Nothing is read before it is used.
    ///
    /// - Throws: as `TLSSocket.connect`; `.invalidState` after `finish()`, while a relay is under way, and for a socket that
    ///   is secure already; `.notConnected`; `.closed`. When it fails while this socket still has the connection, that stays
    ///   as it was; afterwards the connection is closed.
    ///
    /// ## Events
    /// `close` of this socket.
    ///
    /// ## Cancellation
    /// As a time-out: before the handshake it leaves this socket as it was, during the handshake it closes the connection.
    public func secure(_ options: TLSConnectOptions) async throws(SocketError) -> TLSSocket {
        do throws(Failure) {
            let connection = try TLSConnection(client: options)
            let secure = TLSSocket(takingOver: self)
            try await secure.takeOver(stream.driver, options.timeout, connection)
            // Alive until its connection was handed over.
            withExtendedLifetime(self) {}
            return secure
        } catch {
            throw stream.error(error, .handshake)
        }
    }

    /// Makes the connection secure, as the client of the handshake; as the async form.
    public func secure(
        _ options: TLSConnectOptions, completion: @escaping @Sendable (Result<TLSSocket, SocketError>) -> Void
    ) {
        let address = stream.driver.peerAddress?.description
        let ended: @Sendable (Result<TLSSocket, Failure>) -> Void = { result in
            completion(result.mapError { SocketError($0, .handshake, address) })
        }
        do throws(Failure) {
            let connection = try TLSConnection(client: options)
            let secure = TLSSocket(takingOver: self)
            secure.takeOver(stream.driver, options.timeout, connection) { [self] result in
                // Alive until its connection was handed over.
                withExtendedLifetime(self) { ended(result.map { secure }) }
            }
        } catch {
            stream.driver.complete { ended(.failure(error)) }
        }
    }

    /// Makes the connection secure, as the server of the handshake, and returns the socket that has it from here on.
    ///
    /// As `secure` otherwise. `options` are as for `TLSSocketServer.listen`; their address means nothing.
    ///
    /// ```swift
    /// if try await connection.receive(until: "\n") == Array("STARTTLS\r\n".utf8) {
    ///     try await connection.send("220 ready\r\n")
    ///     let options = TLSConnectOptions(
    ///         address: .any, secureOptions: TLSSecureOptions(cert: ["server.pem"], key: "server.key"))
    ///     let secure = try await connection.secureAsServer(options)
    ///     try await secure.send("welcome\r\n")
    /// }
    /// ```
    ///
    /// - Throws: as `secure`.
    ///
    /// ## Events
    /// `close` of this socket.
    ///
    /// ## Cancellation
    /// As `secure`.
    public func secureAsServer(_ options: TLSConnectOptions) async throws(SocketError) -> TLSSocketConnection {
        do throws(Failure) {
            let connection = try ServerSecurity(options).makeCipher()
            let driver = StreamDriver(over: stream.driver)
            let secure = TLSSocketConnection(stream: StreamHandle(driver: driver))
            try await driver.connect(
                over: stream.driver, timeout: options.timeout, through: connection, isWatched: false)
            withExtendedLifetime(self) {}
            return secure
        } catch {
            throw stream.error(error, .handshake)
        }
    }

    /// Makes the connection secure, as the server of the handshake; as the async form.
    public func secureAsServer(
        _ options: TLSConnectOptions,
        completion: @escaping @Sendable (Result<TLSSocketConnection, SocketError>) -> Void
    ) {
        let address = stream.driver.peerAddress?.description
        let ended: @Sendable (Result<TLSSocketConnection, Failure>) -> Void = { result in
            completion(result.mapError { SocketError($0, .handshake, address) })
        }
        do throws(Failure) {
            let connection = try ServerSecurity(options).makeCipher()
            let driver = StreamDriver(over: stream.driver)
            let secure = TLSSocketConnection(stream: StreamHandle(driver: driver))
            driver.connect(over: stream.driver, timeout: options.timeout, through: connection, isWatched: false) {
                [self] result in
                withExtendedLifetime(self) { ended(result.map { secure }) }
            }
        } catch {
            stream.driver.complete { ended(.failure(error)) }
        }
    }
}

extension TLSSocket {
    /// A socket that will take over the connection of `socket`, and make it secure, when `connect` is called: OpenHarmony's
    /// way of `secure`. Listeners that are added meanwhile miss nothing.
    ///
    /// ```swift
    /// let tls = try TLSSocket(over: tcp)
    /// tls.on(.message) { print($0.text ?? "") }
    /// try await tls.connect(TLSConnectOptions(address: NetAddress("mail.example.org")))
    /// ```
    ///
    /// - Throws: `.notConnected` for a socket without a connection.
    public convenience init(over socket: some StreamSocket & InternetSocket) throws(SocketError) {
        guard socket.state.isConnected else {
            throw SocketError(.cipher(CipherFailure(.unconnected, "the socket is not connected")), .handshake)
        }
        self.init(takingOver: socket)
    }

    fileprivate func takeOver(
        _ driver: StreamDriver, _ timeout: Duration?, _ connection: TLSConnection
    ) async throws(Failure) {
        plain.withLock { $0 = nil }
        try await stream.driver.connect(over: driver, timeout: timeout, through: connection, isWatched: false)
    }

    fileprivate func takeOver(
        _ driver: StreamDriver, _ timeout: Duration?, _ connection: TLSConnection,
        _ ended: @escaping @Sendable (Result<Void, Failure>) -> Void
    ) {
        plain.withLock { $0 = nil }
        stream.driver.connect(over: driver, timeout: timeout, through: connection, isWatched: false, ended)
    }
}

/// OpenHarmony's name for `TLSSocket(over:)`.
///
/// - Throws: `.notConnected` for a socket without a connection.
public func constructTLSSocketInstance(_ socket: some StreamSocket & InternetSocket) throws(SocketError) -> TLSSocket {
    try TLSSocket(over: socket)
}
