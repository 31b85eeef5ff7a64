public import HarmonyTLS

/// What a client asks for when it connects, as OpenHarmony's WebSocketRequestOptions.
///
/// ```swift
/// var options = WebSocketOptions(headers: ["Authorization": "Bearer 1234"], subprotocols: ["chat.v2", "chat.v1"])
/// options.pingInterval = .seconds(30)
/// options.compression = WebSocketCompression()
/// ```
public struct WebSocketOptions: Sendable, Hashable {
    /// Header fields of the request, beside those of the handshake itself; `Host` replaces the one that the URL implies.
    public var headers: WebSocketHeaders
    /// The subprotocols that the client speaks, the best first. The server chooses one, or none.
    public var subprotocols: [String]
    /// How a lost connection is made again; nil, the default, is not at all.
    public var reconnect: WebSocketReconnectPolicy?
    /// How messages are compressed, if the server agrees; nil, the default, is not at all.
    public var compression: WebSocketCompression?
    /// How much a server may make us keep.
    public var limits: WebSocketLimits
    /// How long connecting may take in all, look-up and handshake included; 30 s by default, nil is without end.
    public var connectTimeout: Duration?
    /// Of `wss://`: who is trusted, who we are, and what is spoken. `caPath` and `clientCert` are parts of it.
    public var secureOptions: TLSSecureOptions
    /// Of `wss://`: turns the checks of the server's certificate off, so that anybody can pretend to be the server, unless
    /// `secureOptions` has pins.
    public var skipServerCertVerification: Bool
    /// How long a peer may be silent before it is pinged; nil, the default, is never. Above zero.
    public var pingInterval: Duration?
    /// How long a peer may take to answer a ping; 30 s by default. Above zero. Whatever it sends is an answer.
    public var pongTimeout: Duration
    /// How long a close frame may take to be answered, and the connection to end; 5 s by default.
    public var closeTimeout: Duration

    /// Options; what is not given has its default.
    public init(
        headers: WebSocketHeaders = [:], subprotocols: [String] = [], reconnect: WebSocketReconnectPolicy? = nil,
        compression: WebSocketCompression? = nil, limits: WebSocketLimits = WebSocketLimits(),
        connectTimeout: Duration? = .seconds(30), pingInterval: Duration? = nil, pongTimeout: Duration = .seconds(30),
        closeTimeout: Duration = .seconds(5), secureOptions: TLSSecureOptions = TLSSecureOptions(),
        skipServerCertVerification: Bool = false
    ) {
        self.headers = headers
        self.subprotocols = subprotocols
        self.reconnect = reconnect
        self.compression = compression
        self.limits = limits
        self.connectTimeout = connectTimeout
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        self.closeTimeout = closeTimeout
        self.secureOptions = secureOptions
        self.skipServerCertVerification = skipServerCertVerification
    }

    /// The file with the certificates that are trusted, PEM, as in OpenHarmony: `secureOptions.ca`, if that is one. Those of
    /// the system when it is nil.
    public var caPath: String? {
        get { secureOptions.ca?.first }
        set { secureOptions.ca = newValue.map { [$0] } }
    }

    /// Who we are, as in OpenHarmony: certificate, key and password of `secureOptions`. Nil shows no certificate.
    public var clientCert: WebSocketClientCert? {
        get {
            guard let certPath = secureOptions.cert.first, let keyPath = secureOptions.key else { return nil }
            return WebSocketClientCert(certPath: certPath, keyPath: keyPath, keyPassword: secureOptions.password)
        }
        set {
            secureOptions.cert = newValue.map { [$0.certPath] } ?? []
            secureOptions.key = newValue?.keyPath
            secureOptions.password = newValue?.keyPassword
        }
    }

    /// Throws what cannot be.
    func check() throws(WebSocketError) {
        for field in headers {
            try WebSocketOptions.check(field)
            if ClientHandshake.ownFields.contains(where: { $0.isSameName(as: field.name) }) {
                throw WebSocketError(.invalidArgument("headers", "\(field.name) belongs to the handshake"))
            }
        }
        try WebSocketOptions.check(subprotocols: subprotocols)
        if let connectTimeout, connectTimeout < .zero {
            throw WebSocketError(.invalidArgument("connectTimeout", "it is negative"))
        }
        try WebSocketOptions.check(
            limits: limits, compression, pingInterval: pingInterval, pongTimeout: pongTimeout,
            closeTimeout: closeTimeout)
        if let problem = reconnect?.problem { throw WebSocketError(.invalidArgument(problem.field, problem.problem)) }
    }

    /// What clients and servers can set.
    static func check(
        limits: WebSocketLimits, _ compression: WebSocketCompression?, pingInterval: Duration?, pongTimeout: Duration,
        closeTimeout: Duration
    ) throws(WebSocketError) {
        if let pingInterval, pingInterval <= .zero {
            throw WebSocketError(.invalidArgument("pingInterval", "it is not above zero"))
        }
        if pongTimeout <= .zero { throw WebSocketError(.invalidArgument("pongTimeout", "it is not above zero")) }
        if closeTimeout < .zero { throw WebSocketError(.invalidArgument("closeTimeout", "it is negative")) }
        if let problem = limits.problem ?? compression?.problem {
            throw WebSocketError(.invalidArgument(problem.field, problem.problem))
        }
    }

    static func check(subprotocols: [String]) throws(WebSocketError) {
        for name in subprotocols where !HTTPHead.isToken(name) {
            throw WebSocketError(.invalidArgument("subprotocols", "\"\(name)\" is no token"))
        }
        guard Set(subprotocols).count == subprotocols.count else {
            throw WebSocketError(.invalidArgument("subprotocols", "one is there twice"))
        }
    }

    /// A field that would become something else on its way is refused.
    static func check(_ field: WebSocketHeaders.Field) throws(WebSocketError) {
        guard HTTPHead.isToken(field.name), HTTPHead.isFieldValue(field.value) else {
            throw WebSocketError(.invalidArgument("headers", "\(field.name) is no header field"))
        }
    }
}

/// The certificate of a client, as OpenHarmony's ClientCert.
public struct WebSocketClientCert: Sendable, Hashable {
    /// The file with the certificate, PEM: first the one that belongs to the key, then those that lead to the root.
    public var certPath: String
    /// The file with its private key, PEM.
    public var keyPath: String
    /// What the key is encrypted with.
    public var keyPassword: String?

    /// A certificate with its key.
    public init(certPath: String, keyPath: String, keyPassword: String? = nil) {
        self.certPath = certPath
        self.keyPath = keyPath
        self.keyPassword = keyPassword
    }
}
