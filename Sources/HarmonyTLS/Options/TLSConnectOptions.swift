public import HarmonySocket

/// Where to connect, or to listen, and how to be secure there, as OpenHarmony's TLSConnectOptions.
///
/// ```swift
/// let options = TLSConnectOptions(
///     address: NetAddress("example.org", port: 443), alpnProtocols: ["h2", "http/1.1"], timeout: .seconds(10))
/// ```
public struct TLSConnectOptions: Sendable {
    /// Somebody who looks at the certificates of a peer, and says whether to go on. See `verify`.
    public typealias Verifier = @Sendable (TLSPeerInfo) async -> TLSVerdict

    /// The peer, an IP literal or a host name, for a connect; our own address, an IP literal, for a listen.
    public var address: NetAddress

    /// Who is trusted, who we are, and what is spoken.
    public var secureOptions: TLSSecureOptions

    /// The application protocols, the best first (ALPN, RFC 7301). A client offers them; a server takes the first of its
    /// own that the client offers, and refuses one that offers none of them. A client that offers nothing at all is let in.
    public var alpnProtocols: [String]

    /// Turns the checks of the peer's certificate off: anybody can then pretend to be the peer, unless `pins` or `verify` say
    /// otherwise. Host name, dates and trust are checked unless this says so.
    public var skipRemoteValidation: Bool

    /// How long it may take in all, look-up and handshake included; of a server, how long each handshake may take. Nil is
    /// without end; 10 s unless said otherwise. Not negative.
    public var timeout: Duration?

    /// The name that the peer's certificate must be for, and that is asked for (SNI), when it is not that of the address.
    /// Of a client only.
    public var serverName: String?

    /// A session of an earlier connection to resume. When the server does not want that, the handshake is a full one. Of a
    /// client only.
    public var session: TLSSession?

    /// Asked once for each handshake, after all other checks, with the whole chain of the peer; the connection is handed out
    /// only if it agrees. With `skipRemoteValidation` it decides alone, and is told what was wrong. It may take its time,
    /// within `timeout`; when that is over, or the connect cancelled, its task is cancelled.
    public var verify: Verifier?

    /// Told each line of the key log, as Wireshark reads it (NSS key log format): who has it can read everything.
    public var keyLog: (@Sendable (String) -> Void)?

    /// Makes options.
    public init(
        address: NetAddress, secureOptions: TLSSecureOptions = TLSSecureOptions(), alpnProtocols: [String] = [],
        skipRemoteValidation: Bool = false, timeout: Duration? = .seconds(10), serverName: String? = nil,
        session: TLSSession? = nil, verify: Verifier? = nil, keyLog: (@Sendable (String) -> Void)? = nil
    ) {
        self.address = address
        self.secureOptions = secureOptions
        self.alpnProtocols = alpnProtocols
        self.skipRemoteValidation = skipRemoteValidation
        self.timeout = timeout
        self.serverName = serverName
        self.session = session
        self.verify = verify
        self.keyLog = keyLog
    }
}

/// What a verifier is told of the peer.
public struct TLSPeerInfo: Sendable, Hashable {
    /// The peer's address.
    public let address: NetAddress?
    /// The name that was asked for; of a server, by the client. Nil when none was.
    public let serverName: String?
    /// The peer's certificates: its own, and then those that it sent along. Empty for a client without one.
    public let certificates: [TLSCertificate]
    /// What our own checks found wrong. Not nil only with `skipRemoteValidation`.
    public let problem: String?
    /// The session was resumed: the certificates are those of the first connection.
    public let isResumed: Bool
}

/// What a verifier says.
public enum TLSVerdict: Sendable, Hashable {
    /// Go on.
    case accept
    /// Close the connection; the reason is for the error.
    case reject(String)
}
