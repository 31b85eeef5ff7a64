internal import COpenSSL
internal import HarmonySocket
internal import SocketCore

/// What the connections of one set of options share: an SSL_CTX. Nothing is set for the whole process.
final class TLSContext: @unchecked Sendable {
    // Sendable: it is not changed once it is made, and OpenSSL allows any number of threads to make connections of it.

    /// Which end of the handshake we are.
    enum Role { case client, server }

    private let owned: OwnedContext
    let role: Role
    let pins: Set<TLSPin>
    let isValidated: Bool
    let verify: TLSConnectOptions.Verifier?
    let keyLog: (@Sendable (String) -> Void)?
    let timeout: Duration?
    /// What sessions must have been trusted by.
    let trust: [UInt8]
    let newestVersion: TLSProtocol
    /// ALPN names, each with its length before it.
    let alpn: [UInt8]
    private let credentials: Credentials?
    private let identities: [Credentials]

    /// Reads and checks everything that the options say.
    init(_ options: TLSConnectOptions, _ role: Role) throws(Failure) {
        try OptionCheck.timeout(options.timeout, "timeout")
        let secure = options.secureOptions
        // Not at exit: the threads of the loops may still be using it then.
        OPENSSL_init_ssl(copenssl_init_without_atexit, nil)
        self.role = role
        pins = Set(secure.pins)
        isValidated = !options.skipRemoteValidation
        verify = options.verify
        keyLog = options.keyLog
        timeout = options.timeout
        trust = DER.sha256(Array((secure.ca ?? ["system"]).joined(separator: "\0").utf8))
        alpn = try TLSContext.encode(options.alpnProtocols)
        credentials = try secure.readCredentials()
        identities = try secure.readIdentities(role)
        if role == .server, credentials == nil, identities.isEmpty {
            throw .invalidArgument(.init("cert", "a server needs a certificate and its key"))
        }
        let isShared = role == .client && keyLog == nil && secure.saysAll
        if isShared, let newest = NewestContext.find(secure) {
            owned = newest.context
            newestVersion = newest.version
            return
        }
        owned = try OwnedContext(role)
        let pointer = owned.pointer
        newestVersion = try TLSContext.setVersions(pointer, secure)
        try TLSContext.setAlgorithms(pointer, secure)
        try TLSContext.setTrust(pointer, secure, role)
        copenssl_set_mode(pointer, copenssl_mode)
        copenssl_set_read_ahead(pointer)
        SSL_CTX_set_options(pointer, copenssl_no_renegotiation)
        if let credentials, !credentials.use(in: pointer) {
            throw TLSContext.failure("the certificate cannot be used", OpenSSLError.take(), "cert")
        }
        setCallbacks(secure)
        if isShared { NewestContext(options: secure, context: owned, version: newestVersion).keep() }
    }

    var pointer: OpaquePointer { owned.pointer }

    /// The main certificate.
    var certificate: TLSCertificate? { (credentials ?? identities.first).flatMap { TLSCertificate($0.certificate) } }

    /// The credentials for the name that a client asks for; nil leaves it to the main ones.
    func credentials(for name: UnsafePointer<CChar>?) -> Credentials? {
        guard let name else { return credentials == nil ? identities.first : nil }
        if let credentials, credentials.isFor(name) { return nil }
        return identities.first { $0.isFor(name) } ?? (credentials == nil ? identities.first : nil)
    }

    private func setCallbacks(_ options: TLSSecureOptions) {
        let owner = Unmanaged.passUnretained(self).toOpaque()
        if keyLog != nil { SSL_CTX_set_keylog_callback(pointer) { HandshakeNotes.keepLine($0, $1) } }
        switch role {
        case .client:
            copenssl_set_session_cache_mode(pointer, copenssl_cache_client)
            SSL_CTX_sess_set_new_cb(pointer) { HandshakeNotes.keepSession($0, $1) }
        case .server:
            // Sessions go to the clients, as tickets: a table of them here would be theirs to fill.
            copenssl_set_session_cache_mode(pointer, copenssl_cache_off)
            let name = Array("HarmonyTLS".utf8)
            SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count))
            if !options.useRemoteCipherPrefer { SSL_CTX_set_options(pointer, copenssl_server_preference) }
            if !identities.isEmpty {
                SSL_CTX_set_cert_cb(
                    pointer,
                    { connection, owner in
                        guard let connection, let owner else { return 0 }
                        let context = Unmanaged<TLSContext>.fromOpaque(owner).takeUnretainedValue()
                        let name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name)
                        guard let credentials = context.credentials(for: name) else { return 1 }
                        return credentials.use(on: connection) ? 1 : 0
                    }, owner)
            }
            if !alpn.isEmpty {
                SSL_CTX_set_alpn_select_cb(
                    pointer,
                    { _, chosen, count, offered, offeredCount, owner in
                        guard let chosen, let count, let offered, let owner else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                        let context = Unmanaged<TLSContext>.fromOpaque(owner).takeUnretainedValue()
                        let bytes = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
                        guard let match = ALPN.choose(among: bytes, by: context.alpn) else {
                            return SSL_TLSEXT_ERR_ALERT_FATAL
                        }
                        chosen.pointee = offered + match.lowerBound
                        count.pointee = UInt8(match.count)
                        return SSL_TLSEXT_ERR_OK
                    }, owner)
            }
        }
    }

    // MARK: Options

    private static func encode(_ protocols: [String]) throws(Failure) -> [UInt8] {
        var encoded: [UInt8] = []
        for name in protocols {
            guard let count = UInt8(exactly: name.utf8.count), count > 0 else {
                throw .invalidArgument(.init("alpnProtocols", "\"\(name)\" is not of 1 to 255 bytes"))
            }
            encoded.append(count)
            encoded += Array(name.utf8)
        }
        guard encoded.count <= 65_535 else { throw .invalidArgument(.init("alpnProtocols", "they are too many")) }
        return encoded
    }

    /// Returns the newest.
    private static func setVersions(
        _ pointer: OpaquePointer, _ options: TLSSecureOptions
    ) throws(Failure) -> TLSProtocol {
        func check(_ version: TLSProtocol, _ field: String) throws(Failure) {
            if let refusal = version.refusal { throw .invalidArgument(.init(field, refusal)) }
        }
        for version in options.protocols { try check(version, "protocols") }
        if let lowest = options.minVersion { try check(lowest, "minVersion") }
        if let highest = options.maxVersion { try check(highest, "maxVersion") }
        let allowed = options.protocols.filter {
            $0 >= options.minVersion ?? .tls12 && $0 <= options.maxVersion ?? .tls13
        }
        if allowed.isEmpty {
            throw .invalidArgument(.init("protocols", "no version is left between minVersion and maxVersion"))
        }
        let usable = allowed.filter { options.suites($0)?.isEmpty != true }
        guard let lowest = usable.min(), let highest = usable.max() else {
            throw .invalidArgument(.init("cipherSuite", "it has nothing for \(allowed.map(\.rawValue))"))
        }
        guard copenssl_set_versions(pointer, lowest.number, highest.number) == 1 else {
            throw failure("the versions cannot be used", OpenSSLError.take(), "protocols")
        }
        return highest
    }

    private static func setAlgorithms(_ pointer: OpaquePointer, _ options: TLSSecureOptions) throws(Failure) {
        if let older = options.suites(.tls12), !older.isEmpty, SSL_CTX_set_cipher_list(pointer, older) != 1 {
            throw failure("\"\(older)\"", OpenSSLError.take(), "cipherSuite")
        }
        if let newer = options.suites(.tls13), !newer.isEmpty, SSL_CTX_set_ciphersuites(pointer, newer) != 1 {
            throw failure("\"\(newer)\"", OpenSSLError.take(), "cipherSuite")
        }
        if let algorithms = options.signatureAlgorithms,
            copenssl_set_signature_algorithms(pointer, algorithms) != 1
        {
            throw failure("\"\(algorithms)\"", OpenSSLError.take(), "signatureAlgorithms")
        }
    }

    private static func setTrust(_ pointer: OpaquePointer, _ options: TLSSecureOptions, _ role: Role) throws(Failure) {
        if role == .server, options.clientAuthentication == .none { return }
        guard let sources = options.ca else {
            guard SystemTrust.use(in: pointer) else {
                throw failure("the system's certificates cannot be read", OpenSSLError.take(), "ca")
            }
            return
        }
        let trusted = try CertificateList.read(sources, "ca")
        guard let store = SSL_CTX_get_cert_store(pointer) else { return }
        for certificate in trusted.pointers {
            X509_STORE_add_cert(store, certificate)
            // What a server says about whom it would accept.
            if role == .server { SSL_CTX_add_client_CA(pointer, certificate) }
        }
        // What the program names is trusted as it is, root or not.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    static func failure(_ what: String, _ error: OpenSSLError, _ field: String? = nil) -> Failure {
        guard let field else { return .cipher(CipherFailure(.handshake, "\(what): \(error.reason)")) }
        return .invalidArgument(.init(field, "\(what): \(error.reason)"))
    }
}

extension TLSSecureOptions {
    /// Equal options mean the same, now and later: no file is to be read, which may have changed; and nothing of them is a
    /// secret, which should not outlive its use.
    fileprivate var saysAll: Bool {
        key == nil && password == nil && (ca ?? []).allSatisfy(PEM.isText)
    }

    /// The cipher suites for a version; nil leaves them to OpenSSL, and a version without any is not spoken.
    fileprivate func suites(_ version: TLSProtocol) -> String? {
        cipherSuite.map { suites in
            suites.split(separator: ":").filter { $0.hasPrefix("TLS_") == (version == .tls13) }.joined(separator: ":")
        }
    }

    fileprivate func readCredentials() throws(Failure) -> Credentials? {
        if let key { return try Credentials(cert: cert, key: key, password: password) }
        if cert.isEmpty { return nil }
        throw .invalidArgument(.init("key", "there is a certificate, but no key"))
    }

    fileprivate func readIdentities(_ role: TLSContext.Role) throws(Failure) -> [Credentials] {
        if role == .client, !identities.isEmpty {
            throw .invalidArgument(.init("identities", "only a server chooses among several"))
        }
        var read: [Credentials] = []
        for identity in identities {
            read.append(try Credentials(cert: identity.cert, key: identity.key, password: identity.password))
        }
        return read
    }
}

/// The one owner of an SSL_CTX, also while its options are read and may turn out wrong.
private final class OwnedContext: @unchecked Sendable {
    // Sendable: as TLSContext.
    let pointer: OpaquePointer

    init(_ role: TLSContext.Role) throws(Failure) {
        OpenSSLError.clear()
        guard let pointer = SSL_CTX_new(role == .client ? TLS_client_method() : TLS_server_method()) else {
            throw TLSContext.failure("OpenSSL cannot be used", OpenSSLError.take())
        }
        self.pointer = pointer
    }

    deinit { SSL_CTX_free(pointer) }
}

/// What the newest client has, for the next one with the same options: to make it takes OpenSSL longer than anything else
/// before a handshake, and memory for each connection.
private struct NewestContext: Sendable {
    let options: TLSSecureOptions
    let context: OwnedContext
    let version: TLSProtocol

    private static let kept = Lock<NewestContext?>(nil)

    static func find(_ options: TLSSecureOptions) -> NewestContext? {
        kept.withLock { $0?.options == options ? $0 : nil }
    }

    func keep() {
        let before = NewestContext.kept.withLock { kept in
            defer { kept = self }
            return kept
        }
        withExtendedLifetime(before) {}
    }
}

/// Application-Layer Protocol Negotiation (RFC 7301).
enum ALPN {
    /// The first of our names that is among those offered, as its place there. Both lists have each name's length before it.
    static func choose(among offered: UnsafeBufferPointer<UInt8>, by ours: [UInt8]) -> Range<Int>? {
        for own in names(in: ours) {
            for place in names(in: offered) where ours[own].elementsEqual(offered[place]) { return place }
        }
        return nil
    }

    /// The places of the names in a list.
    static func names(in list: some RandomAccessCollection<UInt8>) -> [Range<Int>] {
        var names: [Range<Int>] = []
        var start = 0
        while start < list.count {
            let count = Int(list[list.index(list.startIndex, offsetBy: start)])
            guard count > 0, start + 1 + count <= list.count else { break }
            names.append(start + 1..<start + 1 + count)
            start += 1 + count
        }
        return names
    }
}
