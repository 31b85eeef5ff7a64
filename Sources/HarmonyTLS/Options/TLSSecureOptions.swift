/// How a connection is made secure, as OpenHarmony's TLSSecureOptions and more. The same for clients and servers, though
/// some fields mean something to one of them only.
///
/// Where PEM is expected, a string is either PEM text or the path of a file with it: text has `-----BEGIN` in it.
///
/// ```swift
/// let trusting = TLSSecureOptions(ca: ["/etc/company/root.pem"])
/// let identified = TLSSecureOptions(cert: ["server.pem"], key: "server.key", password: "secret")
/// ```
public struct TLSSecureOptions: Sendable, Hashable {
    /// The certificates that are trusted: each PEM text, or a file with it, of one or more. Those of the system when it is
    /// nil. Whatever is here is trusted as it is, also when it is no root.
    public var ca: [String]?

    /// Our own certificate, PEM: first the one that belongs to `key`, then those that lead to the root. Servers need one.
    public var cert: [String]

    /// The private key of the first certificate, PEM.
    public var key: String?

    /// What the key is encrypted with.
    public var password: String?

    /// The versions that are offered: TLS 1.2 and 1.3 unless said otherwise.
    public var protocols: [TLSProtocol]

    /// The oldest version, as chrome.socket's `tlsVersion.min`; nil is what `protocols` says.
    public var minVersion: TLSProtocol?

    /// The newest version, as chrome.socket's `tlsVersion.max`; nil is what `protocols` says.
    public var maxVersion: TLSProtocol?

    /// Of a server: whether the client's order of cipher suites decides. Otherwise, as by default, the server's does.
    public var useRemoteCipherPrefer: Bool

    /// The signature algorithms that are offered, as OpenSSL writes them: `ECDSA+SHA256:RSA-PSS+SHA256`. OpenSSL's own
    /// choice when it is nil.
    public var signatureAlgorithms: String?

    /// The cipher suites that are offered, as OpenSSL writes them, separated by colons. Names that begin with `TLS_` are
    /// for TLS 1.3, the others for TLS 1.2. OpenSSL's own choice when it is nil.
    public var cipherSuite: String?

    /// Of a server: whether clients are asked for a certificate.
    public var clientAuthentication: TLSClientAuthentication

    /// Of a server: further identities. The first whose certificate is for the name that a client asks for (SNI) is shown
    /// to it; without such a one, `cert` is.
    public var identities: [TLSIdentity]

    /// The public keys that the peer may have. When this is not empty, one of them must be in the peer's verified chain,
    /// even where `skipRemoteValidation` is set.
    public var pins: [TLSPin]

    /// Makes options.
    public init(
        ca: [String]? = nil, cert: [String] = [], key: String? = nil, password: String? = nil,
        protocols: [TLSProtocol] = [.tls12, .tls13], minVersion: TLSProtocol? = nil, maxVersion: TLSProtocol? = nil,
        useRemoteCipherPrefer: Bool = false, signatureAlgorithms: String? = nil, cipherSuite: String? = nil,
        clientAuthentication: TLSClientAuthentication = .none, identities: [TLSIdentity] = [], pins: [TLSPin] = []
    ) {
        self.ca = ca
        self.cert = cert
        self.key = key
        self.password = password
        self.protocols = protocols
        self.minVersion = minVersion
        self.maxVersion = maxVersion
        self.useRemoteCipherPrefer = useRemoteCipherPrefer
        self.signatureAlgorithms = signatureAlgorithms
        self.cipherSuite = cipherSuite
        self.clientAuthentication = clientAuthentication
        self.identities = identities
        self.pins = pins
    }

    /// OpenHarmony's name for requiring certificates of clients.
    public var isBidirectionalAuthentication: Bool {
        get { clientAuthentication == .required }
        set { clientAuthentication = newValue ? .required : .none }
    }
}

extension TLSSecureOptions: CustomStringConvertible {
    /// What was chosen; never the key or the password.
    public var description: String {
        let trust = ca.map { "\($0.count) trusted" } ?? "the system's trust"
        let own = cert.isEmpty ? "no certificate" : "a certificate"
        return "\(protocols.map(\.description).joined(separator: ", ")), \(trust), \(own)"
    }
}

/// Whether a server asks its clients for a certificate.
public enum TLSClientAuthentication: String, Sendable, Hashable, Codable, CaseIterable {
    /// It does not ask.
    case none
    /// It asks; a client without one is let in, one whose certificate is not accepted is not.
    case optional
    /// A client without an accepted certificate is not let in.
    case required
}

/// A certificate with its key, of a server that has several.
public struct TLSIdentity: Sendable, Hashable {
    /// The certificate, PEM: first the one that belongs to `key`, then those that lead to the root.
    public var cert: [String]
    /// The private key of the first certificate, PEM.
    public var key: String
    /// What the key is encrypted with.
    public var password: String?

    /// Makes an identity.
    public init(cert: [String], key: String, password: String? = nil) {
        self.cert = cert
        self.key = key
        self.password = password
    }
}

/// A public key, by the SHA-256 of its SubjectPublicKeyInfo: as in RFC 7469, and as `curl --pinnedpubkey` takes it.
///
/// ```swift
/// let pin = TLSPin("sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
/// ```
public struct TLSPin: Sendable, Hashable {
    /// The 32 bytes.
    public let sha256: [UInt8]

    /// A pin of 32 bytes; nil for any other number.
    public init?(sha256: [UInt8]) {
        guard sha256.count == 32 else { return nil }
        self.sha256 = sha256
    }

    /// Reads base64, with or without `sha256/` or `sha256//` before it; nil for anything else.
    public init?(_ text: String) {
        var digits = text[...]
        for prefix in ["sha256//", "sha256/"] where digits.hasPrefix(prefix) {
            digits = digits.dropFirst(prefix.count)
            break
        }
        guard let bytes = Base64.decode(digits.utf8) else { return nil }
        self.init(sha256: bytes)
    }
}

extension TLSPin: CustomStringConvertible {
    /// `sha256/` and base64.
    public var description: String { "sha256/" + Base64.encode(sha256) }
}
