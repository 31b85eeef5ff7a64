public import HarmonySocket
internal import SocketCore

/// A server whose connections are secure (TLS 1.2 and 1.3), in the style of OpenHarmony.
///
/// A server like `TCPSocketServer`: `accept`, `serve`, `connections`, limits, `shutdown` and events are the same. It hands a
/// connection out when its handshake has succeeded. Handshakes run side by side, so a peer that stalls keeps nobody waiting,
/// and while somebody wants connections there may be several; those that nobody takes wait, secure, for the next who asks.
///
/// ```swift
/// let server = TLSSocketServer()
/// try await server.listen(
///     TLSConnectOptions(
///         address: NetAddress("0.0.0.0", port: 8443),
///         secureOptions: TLSSecureOptions(cert: ["server.pem"], key: "server.key")))
/// try await server.serve { client in
///     for try await chunk in client.messages { try await client.send(chunk.message) }
/// }
/// ```
///
/// A handshake that fails is told by `error`, with the peer's address, and disturbs nobody.
public final class TLSSocketServer: StreamServer, InternetSocket {
    /// One accepted connection.
    public typealias Connection = TLSSocketConnection

    /// The engine's part of this server. Of no use outside of the library.
    public let server: ServerHandle

    /// Makes a server that does not listen yet. Its connections are spread over the loops of `group`.
    public init(group: SocketEventLoopGroup = .shared) {
        server = ServerHandle(group, for: TLSSocketConnection.self)
    }

    deinit {
        server.driver.handleReleased()
    }
}

/// OpenHarmony's name for `TLSSocketServer()`.
public func constructTLSSocketServerInstance() -> TLSSocketServer { TLSSocketServer() }

/// One accepted connection of a `TLSSocketServer`, or the server's end of one that became secure later.
///
/// Neither read nor watched until the server's `connect` listeners have returned, its handler has started, or, when it
/// came from `connections`, it is first used: no event is missed. A connection that nobody keeps is closed.
public final class TLSSocketConnection: StreamServerConnection, SecureSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    public let stream: StreamHandle

    /// Tells the connections of this process apart: 1 for the first of all servers, and so on.
    public let clientId: Int

    /// For the server. Of no use outside of the library.
    public init(stream: StreamHandle) {
        self.stream = stream
        clientId = ClientIds.next()
    }

    deinit {
        stream.driver.handleReleased()
    }
}

// MARK: Listening

extension TLSSocketServer {
    /// Binds to `options.address` and waits for peers, with whom the connections are made secure as the options say.
    ///
    /// As `TCPSocketServer.listen` otherwise. `options.timeout` is how long a handshake may take.
    ///
    /// - Throws: as `TCPSocketServer.listen`; `.invalidArgument` for options that cannot be, before anything is opened.
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func listen(_ options: TLSConnectOptions, backlog: Int = 511) async throws(SocketError) {
        try listenNow(options, backlog)
        await server.driver.deliverPending()
    }

    /// Binds and waits for peers; as the async form.
    public func listen(
        _ options: TLSConnectOptions, backlog: Int = 511,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try listenNow(options, backlog) }
        server.driver.complete { completion(result) }
    }

    private func listenNow(_ options: TLSConnectOptions, _ backlog: Int) throws(SocketError) {
        do throws(Failure) {
            let literal = try options.address.literal()
            guard backlog > 0 else { throw .invalidArgument(.init("backlog", "\(backlog) is not above zero")) }
            let security = try ServerSecurity(options)
            if server.driver.snapshot.isBound { throw .alreadyBound }
            server.driver.setSecurity(security)
            try server.driver.listen(on: literal, backlog: backlog)
        } catch {
            throw SocketError(error, .listen, options.address.description)
        }
    }

    /// Changes how connections are made secure, from the next handshake on: a certificate that was renewed, another list of
    /// versions. Those that stand stay as they are; `options.address` means nothing here.
    ///
    /// ```swift
    /// func renew(_ server: TLSSocketServer, _ options: TLSConnectOptions) throws {
    ///     try server.setSecureOptions(options)  // reads the files again
    /// }
    /// ```
    ///
    /// - Throws: `.invalidArgument` for options that cannot be; everything then stays as it was. `.closed` after close.
    public func setSecureOptions(_ options: TLSConnectOptions) throws(SocketError) {
        do throws(Failure) {
            if server.driver.snapshot.isClosed { throw .closed }
            server.driver.setSecurity(try ServerSecurity(options))
        } catch {
            throw server.driver.error(error)
        }
    }

    /// How many handshakes may be under way at a time; further peers wait in the kernel's backlog. 1024 unless said
    /// otherwise, at least 1.
    public var maxHandshakes: Int {
        get { server.driver.handshakeLimit }
        set { server.driver.handshakeLimit = max(1, newValue) }
    }

    /// The certificate that clients are shown who ask for no other.
    ///
    /// - Throws: `.invalidState` before listen.
    public func getCertificate() async throws(SocketError) -> X509CertRawData { try certificate() }

    /// The certificate that clients are shown; as the async form.
    public func getCertificate(completion: @escaping @Sendable (Result<X509CertRawData, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try certificate() }
        server.driver.complete { completion(result) }
    }

    /// The newest version that is offered: `TLSv1.3`. Each connection says which it speaks.
    ///
    /// - Throws: `.invalidState` before listen.
    public func getProtocol() async throws(SocketError) -> String { try newestProtocol() }

    /// The newest version that is offered; as the async form.
    public func getProtocol(completion: @escaping @Sendable (Result<String, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try newestProtocol() }
        server.driver.complete { completion(result) }
    }

    private func security() throws(SocketError) -> ServerSecurity {
        guard let security = server.driver.security as? ServerSecurity else {
            throw server.driver.error(.invalidState(.notBound))
        }
        return security
    }

    private func certificate() throws(SocketError) -> X509CertRawData {
        guard let certificate = try security().context.certificate else {
            throw server.driver.error(.invalidState(.noCertificate))
        }
        return X509CertRawData(data: certificate.der)
    }

    private func newestProtocol() throws(SocketError) -> String { try security().context.newestVersion.rawValue }
}

extension ListenerDriver {
    fileprivate func error(_ failure: Failure) -> SocketError {
        SocketError(failure, .getInfo, localAddress?.description)
    }
}

/// What makes the connections of a server secure.
struct ServerSecurity: CipherSource {
    let context: TLSContext
    private let authentication: TLSClientAuthentication

    init(_ options: TLSConnectOptions) throws(Failure) {
        if options.serverName != nil { throw .invalidArgument(.init("serverName", "only a client asks for a name")) }
        if options.session != nil { throw .invalidArgument(.init("session", "only a client resumes one")) }
        context = try TLSContext(options, .server)
        authentication = options.secureOptions.clientAuthentication
    }

    var timeout: Duration? { context.timeout }

    func makeCipher() throws(Failure) -> any StreamCipher { try TLSConnection(context, authentication) }
}
