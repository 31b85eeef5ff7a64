internal import COpenSSL
public import HarmonySocket
internal import SocketCore

/// What the two kinds of TLS sockets tell of their connection.
///
/// All of it is there once the handshake has ended, also after close.
public protocol SecureSocket: StreamSocket, InternetSocket {}

extension SecureSocket {
    /// Our own certificate, the one that was shown to the peer; nil when none was.
    public var localCertificate: TLSCertificate? {
        connection?.read { ssl in SSL_get_certificate(ssl).flatMap { TLSCertificate($0) } }
    }

    /// The peer's certificates: its own, and then those that it sent along. Empty when it showed none.
    public var remoteCertificates: [TLSCertificate] { connection?.certificates ?? [] }

    /// The version that is spoken; nil before the handshake has ended.
    public var negotiatedProtocol: TLSProtocol? {
        connection?.read { TLSProtocol(rawValue: String(cString: SSL_get_version($0))) } ?? nil
    }

    /// The application protocol that was agreed on (ALPN); nil when there is none.
    public var alpnProtocol: String? { connection?.read { TLSConnection.chosenProtocol(of: $0) } ?? nil }

    /// The name that the client asked for (SNI); nil when it did not.
    public var serverName: String? { connection?.read { TLSConnection.requestedName(of: $0) } ?? nil }

    /// Whether the handshake resumed an earlier session.
    public var isResumed: Bool { connection?.read { SSL_session_reused($0) == 1 } ?? false }

    // MARK: OpenHarmony's calls

    /// Our own certificate, the one that was shown to the peer, DER.
    ///
    /// - Throws: `.notConnected` before the handshake has ended; `.invalidState` when we have shown none.
    public func getCertificate() async throws(SocketError) -> X509CertRawData { try ownCertificate() }

    /// Our own certificate; as the async form.
    public func getCertificate(completion: @escaping @Sendable (Result<X509CertRawData, SocketError>) -> Void) {
        answer(completion, ownCertificate)
    }

    /// The peer's certificate, DER. `remoteCertificates` has the whole chain.
    ///
    /// - Throws: `.notConnected` before the handshake has ended; `.invalidState` when the peer has shown none.
    public func getRemoteCertificate() async throws(SocketError) -> X509CertRawData { try peerCertificate() }

    /// The peer's certificate; as the async form.
    public func getRemoteCertificate(completion: @escaping @Sendable (Result<X509CertRawData, SocketError>) -> Void) {
        answer(completion, peerCertificate)
    }

    /// The version that is spoken: `TLSv1.3`.
    ///
    /// - Throws: `.notConnected` before the handshake has ended.
    public func getProtocol() async throws(SocketError) -> String { try version() }

    /// The version that is spoken; as the async form.
    public func getProtocol(completion: @escaping @Sendable (Result<String, SocketError>) -> Void) {
        answer(completion, version)
    }

    /// The cipher suite that was agreed on, as OpenSSL writes it; one, in an array as in OpenHarmony.
    ///
    /// - Throws: `.notConnected` before the handshake has ended.
    public func getCipherSuite() async throws(SocketError) -> [String] { try cipherSuites() }

    /// The cipher suite that was agreed on; as the async form.
    public func getCipherSuite(completion: @escaping @Sendable (Result<[String], SocketError>) -> Void) {
        answer(completion, cipherSuites)
    }

    /// The signature algorithms that both sides know, as OpenSSL writes them: `ECDSA+SHA256`. A client knows of the server
    /// only which it has used.
    ///
    /// - Throws: `.notConnected` before the handshake has ended.
    public func getSignatureAlgorithms() async throws(SocketError) -> [String] { try signatureAlgorithms() }

    /// The signature algorithms that both sides know; as the async form.
    public func getSignatureAlgorithms(completion: @escaping @Sendable (Result<[String], SocketError>) -> Void) {
        answer(completion, signatureAlgorithms)
    }

    // MARK: How

    var connection: TLSConnection? { stream.driver.openCipher as? TLSConnection }

    private func established() throws(SocketError) -> TLSConnection {
        guard let connection else { throw stream.error(.notConnected, .getInfo) }
        return connection
    }

    private func answer<Value: Sendable>(
        _ completion: @escaping @Sendable (Result<Value, SocketError>) -> Void, _ body: () throws(SocketError) -> Value
    ) {
        let result = Result { () throws(SocketError) in try body() }
        stream.driver.complete { completion(result) }
    }

    private func ownCertificate() throws(SocketError) -> X509CertRawData {
        _ = try established()
        guard let certificate = localCertificate else { throw stream.error(.invalidState(.noCertificate), .getInfo) }
        return X509CertRawData(data: certificate.der)
    }

    private func peerCertificate() throws(SocketError) -> X509CertRawData {
        guard let certificate = try established().certificates.first else {
            throw stream.error(.invalidState(.noCertificate), .getInfo)
        }
        return X509CertRawData(data: certificate.der)
    }

    private func version() throws(SocketError) -> String {
        try established().read { String(cString: SSL_get_version($0)) }
    }

    private func cipherSuites() throws(SocketError) -> [String] {
        try established().read { ssl in
            SSL_get_current_cipher(ssl).map { [String(cString: SSL_CIPHER_get_name($0))] } ?? []
        }
    }

    private func signatureAlgorithms() throws(SocketError) -> [String] {
        try established().read { SignatureAlgorithm.known(to: $0) }
    }
}

/// Names of signature algorithms, as the options take them.
private enum SignatureAlgorithm {
    static func known(to ssl: OpaquePointer) -> [String] {
        var algorithm: Int32 = 0
        var digest: Int32 = 0
        if SSL_is_server(ssl) == 1 {
            let count = SSL_get_shared_sigalgs(ssl, 0, nil, nil, nil, nil, nil)
            return (0..<max(0, count)).compactMap { index in
                guard SSL_get_shared_sigalgs(ssl, index, &algorithm, &digest, nil, nil, nil) > 0 else { return nil }
                return name(algorithm, digest)
            }
        }
        guard copenssl_get_peer_signature(ssl, &digest, &algorithm) == 1 else { return [] }
        return [name(algorithm, digest)]
    }

    private static func name(_ algorithm: Int32, _ digest: Int32) -> String {
        let family =
            switch algorithm {
            case NID_X9_62_id_ecPublicKey: "ECDSA"
            case NID_rsaEncryption: "RSA"
            case NID_rsassaPss: "RSA-PSS"
            default: OBJ_nid2sn(algorithm).map { String(cString: $0) } ?? "\(algorithm)"
            }
        // Some have no digest of their own choice.
        guard digest != NID_undef, let name = OBJ_nid2sn(digest) else { return family }
        return "\(family)+\(String(cString: name))"
    }
}
