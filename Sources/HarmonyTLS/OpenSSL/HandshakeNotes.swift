internal import COpenSSL

/// What OpenSSL's callbacks tell of one connection while a call of it runs.
///
/// Lives behind a pointer, which OpenSSL has too. Guarded by its connection's lock.
struct HandshakeNotes {
    private let context: Unmanaged<TLSContext>
    /// Lines of the key log that nobody was told of yet.
    var keyLog: [String] = []
    /// The newest session, with a reference of its own.
    private(set) var session: OpaquePointer?
    /// What is wrong with the peer's certificates: the first that was found.
    private(set) var problem: String?

    init(_ context: TLSContext) { self.context = Unmanaged.passUnretained(context) }

    /// Ends the reference that it has.
    mutating func dropSession() {
        if let session { SSL_SESSION_free(session) }
        session = nil
    }

    private static func of(_ connection: OpaquePointer?) -> UnsafeMutablePointer<HandshakeNotes>? {
        connection.flatMap { copenssl_get_owner($0) }?.assumingMemoryBound(to: HandshakeNotes.self)
    }

    // MARK: Callbacks

    static func keepLine(_ connection: OpaquePointer?, _ line: UnsafePointer<CChar>?) {
        guard let notes = of(connection), let line else { return }
        notes.pointee.keyLog.append(String(cString: line))
    }

    /// Returns 1 when the reference is kept.
    static func keepSession(_ connection: OpaquePointer?, _ session: OpaquePointer?) -> Int32 {
        guard let notes = of(connection), let session else { return 0 }
        notes.pointee.dropSession()
        notes.pointee.session = session
        return 1
    }

    /// Called for each certificate that is checked, and each problem. Returns 1 to go on.
    static func check(_ isGood: Int32, _ store: OpaquePointer?) -> Int32 {
        guard let store, let notes = of(copenssl_connection_of(store)) else { return 0 }
        return notes.pointee.check(isGood: isGood == 1, store) ? 1 : 0
    }

    private mutating func check(isGood: Bool, _ store: OpaquePointer) -> Bool {
        let depth = Int(X509_STORE_CTX_get_error_depth(store))
        if !isGood {
            let certificate = X509_STORE_CTX_get_current_cert(store)
            note(Int(X509_STORE_CTX_get_error(store)), certificate, depth)
            return context._withUnsafeGuaranteedRef { !$0.isValidated }
        }
        // The peer's own certificate is checked last, when the chain is complete.
        guard depth == 0, !isPinned(X509_STORE_CTX_get0_chain(store)) else { return true }
        if problem == nil { problem = "none of the pinned keys is in its chain" }
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
        return false
    }

    /// Whether one of the keys that the peer may have is in a chain.
    func isPinned(_ chain: OpaquePointer?) -> Bool {
        isPinned(
            (0..<copenssl_count(chain)).lazy.compactMap { copenssl_get(chain, $0) }.compactMap(TLSCertificate.init))
    }

    func isPinned(_ chain: some Sequence<TLSCertificate>) -> Bool {
        let pins = context._withUnsafeGuaranteedRef { $0.pins }
        return pins.isEmpty || chain.contains { $0.pin.map(pins.contains) ?? false }
    }

    private mutating func note(_ error: Int, _ certificate: OpaquePointer?, _ depth: Int) {
        guard problem == nil else { return }
        let reason = String(cString: X509_verify_cert_error_string(error))
        guard let certificate = certificate.flatMap(TLSCertificate.init) else {
            problem = reason
            return
        }
        let whose = depth == 0 ? "the peer's certificate" : "certificate \(depth) of the peer's chain"
        problem = "\(whose), \(certificate.subject): \(reason)"
        switch Int32(error) {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = certificate.names.prefix(8).joined(separator: ", ")
            problem? += names.isEmpty ? "; it is for no name at all" : "; it is for \(names)"
        default: break
        }
    }
}
