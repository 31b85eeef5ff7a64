internal import COpenSSL
internal import HarmonySocket
internal import SocketCore

/// One TLS connection: what the engine's stream goes through.
///
/// OpenSSL's object is for one thread at a time, and the one that reads need not be the one that writes. So there is a
/// lock, which is held for OpenSSL's work and the calls of the kernel that it makes, none of which waits.
final class TLSConnection: StreamCipher, @unchecked Sendable {
    // Sendable: everything that changes is touched under `lock` only.
    let context: TLSContext
    /// The name that was asked for, of a client; and what the peer's certificate was checked for.
    let serverName: String?
    private let lock = Lock<Void>(())
    private let ssl: OpaquePointer
    private let wire: UnsafeMutablePointer<Wire>
    private let notes: UnsafeMutablePointer<HandshakeNotes>
    private let resumed: TLSSession?
    private var isEstablished = false
    private var hasSentEnd = false
    /// What broke it. Neither direction goes on after that.
    private var broken: (error: SystemError, failure: CipherFailure?)?
    private var begun = 0

    /// A record has no more plaintext than this (RFC 8446, section 5.1).
    private static let longestRecord = 16_384

    /// A client's end. The peer's certificate must be for `host`, a name or an IP address.
    convenience init(_ context: TLSContext, to host: TLSHost, resuming session: TLSSession?) throws(Failure) {
        try self.init(context, host.name, session?.isUsable(for: host.name, context) == true ? session : nil)
        guard host.require(of: ssl) else {
            throw .invalidArgument(.init("serverName", "\"\(host.name)\" is no name that a certificate can be for"))
        }
        if let resumed, let restored = resumed.restore() {
            SSL_set_session(ssl, restored)
            SSL_SESSION_free(restored)
        }
        if !context.alpn.isEmpty { SSL_set_alpn_protos(ssl, context.alpn, UInt32(context.alpn.count)) }
        SSL_set_verify(ssl, SSL_VERIFY_PEER) { HandshakeNotes.check($0, $1) }
        SSL_set_connect_state(ssl)
    }

    /// A server's end.
    convenience init(_ context: TLSContext, _ authentication: TLSClientAuthentication) throws(Failure) {
        try self.init(context, nil, nil)
        switch authentication {
        case .none: break
        case .optional: SSL_set_verify(ssl, SSL_VERIFY_PEER) { HandshakeNotes.check($0, $1) }
        case .required:
            SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT) { HandshakeNotes.check($0, $1) }
        }
        SSL_set_accept_state(ssl)
    }

    private init(_ context: TLSContext, _ serverName: String?, _ resumed: TLSSession?) throws(Failure) {
        OpenSSLError.clear()
        guard let ssl = SSL_new(context.pointer) else {
            throw TLSContext.failure("no connection can be made", OpenSSLError.take())
        }
        let wire = UnsafeMutablePointer<Wire>.allocate(capacity: 1)
        wire.initialize(to: Wire())
        guard let bio = Wire.makeBIO(wire) else {
            wire.deinitialize(count: 1)
            wire.deallocate()
            SSL_free(ssl)
            throw TLSContext.failure("no connection can be made", OpenSSLError.take())
        }
        SSL_set_bio(ssl, bio, bio)
        notes = .allocate(capacity: 1)
        notes.initialize(to: HandshakeNotes(context))
        copenssl_set_owner(ssl, notes)
        self.context = context
        self.serverName = serverName
        self.resumed = resumed
        self.ssl = ssl
        self.wire = wire
    }

    deinit {
        SSL_free(ssl)
        notes.pointee.dropSession()
        notes.deinitialize(count: 1)
        notes.deallocate()
        wire.deinitialize(count: 1)
        wire.deallocate()
    }

    // MARK: Handshake

    func feed(_ bytes: [UInt8]) { lock.withLock { _ in wire.pointee.feed(bytes) } }

    func handshake(_ descriptor: Int32) -> HandshakeProgress {
        let (progress, lines) = lock.withLock { _ in
            let progress = advance(descriptor)
            defer { notes.pointee.keyLog = [] }
            return (progress, notes.pointee.keyLog)
        }
        if let keyLog = context.keyLog { for line in lines { keyLog(line) } }
        return progress
    }

    private func advance(_ descriptor: Int32) -> HandshakeProgress {
        wire.pointee.begin(descriptor)
        OpenSSLError.clear()
        let result = SSL_do_handshake(ssl)
        guard result == 1 else {
            switch outcome(result, .handshake) {
            case .wantsRead: return .wait(.read)
            case .wantsWrite: return .wait(.write)
            case .ended: return .failed(.cipher(CipherFailure(.handshake, "the peer ended the handshake")))
            case .failed(let error):
                let cause = broken?.failure.map { Failure.cipher($0) }
                return .failed(cause ?? .system(error, wire.pointee.error?.1 ?? .receive))
            }
        }
        isEstablished = true
        if let problem = problemAfterHandshake() {
            SSL_shutdown(ssl)
            return .failed(.cipher(problem))
        }
        guard let verify = context.verify else { return .done }
        return .ask(question(verify, from: (try? SocketCalls.peerAddress(descriptor).get()).map { NetAddress($0) }))
    }

    /// What OpenSSL has not seen to.
    private func problemAfterHandshake() -> CipherFailure? {
        if context.role == .client, let chosen = chosenProtocol {
            let offered = ALPN.names(in: context.alpn)
            guard offered.contains(where: { context.alpn[$0].elementsEqual(chosen.utf8) }) else {
                return CipherFailure(.handshake, "the server chose a protocol that was not offered: \(chosen)")
            }
        }
        // A resumed handshake brings no certificates, and so no check of the keys.
        if SSL_session_reused(ssl) == 1, context.role == .client, !notes.pointee.isPinned(peerChain) {
            return CipherFailure(.verification, "none of the pinned keys is in the chain of the resumed session")
        }
        return nil
    }

    private func question(
        _ verify: @escaping TLSConnectOptions.Verifier, from address: NetAddress?
    ) -> HandshakeProgress.Question {
        let info = TLSPeerInfo(
            address: address, serverName: serverName ?? requestedName, certificates: peerChain,
            problem: context.isValidated ? nil : notes.pointee.problem, isResumed: SSL_session_reused(ssl) == 1)
        return { answer in
            let task = Task {
                switch await verify(info) {
                case .accept: answer(nil)
                case .reject(let reason): answer(.cipher(CipherFailure(.verification, reason)))
                }
            }
            return { task.cancel() }
        }
    }

    // MARK: Bytes

    func receive(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, isFollowed: inout Bool
    ) -> SystemResult<Int> {
        lock.withLock { _ in
            if let broken { return .failure(broken.error) }
            wire.pointee.begin(descriptor)
            var total = 0
            while total < buffer.count {
                // What has been decrypted is not kept waiting for what may come.
                wire.pointee.mayStop = total > 0
                var count = 0
                OpenSSLError.clear()
                let result = SSL_read_ex(ssl, buffer.baseAddress.map { $0 + total }, buffer.count - total, &count)
                if result == 1 {
                    total += count
                    // Another call would find nothing: neither here nor, as the last recv(2) has shown, in the kernel.
                    if wire.pointee.isDrained, SSL_has_pending(ssl) == 0 { break }
                    continue
                }
                switch outcome(result, .receiving) {
                case .wantsRead, .wantsWrite: return total > 0 ? .success(total) : .failure(.wouldBlock)
                case .ended:
                    isFollowed = total > 0
                    return .success(total)
                case .failed(let error):
                    isFollowed = total > 0
                    return total > 0 ? .success(total) : .failure(error)
                }
            }
            return .success(total)
        }
    }

    func peek(_ descriptor: Int32) -> SystemResult<Int> {
        lock.withLock { _ in
            if let broken { return .failure(broken.error) }
            wire.pointee.begin(descriptor)
            var byte: UInt8 = 0
            var count = 0
            OpenSSLError.clear()
            let result = SSL_peek_ex(ssl, &byte, 1, &count)
            if result == 1 { return .success(1) }
            switch outcome(result, .receiving) {
            case .wantsRead, .wantsWrite: return .failure(.wouldBlock)
            case .ended: return .success(0)
            case .failed(let error): return .failure(error)
            }
        }
    }

    func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> SystemResult<Int> {
        lock.withLock { _ in
            if let broken { return .failure(broken.error) }
            wire.pointee.begin(descriptor)
            var sent = 0
            begun = 0
            while sent < bytes.count {
                var count = 0
                OpenSSLError.clear()
                // A record at a time. One that the kernel has taken in part goes on with the same bytes.
                let result = SSL_write_ex(ssl, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, &count)
                if result == 1 {
                    sent += count
                    continue
                }
                switch outcome(result, .sending) {
                case .wantsRead, .wantsWrite:
                    begun = min(bytes.count - sent, TLSConnection.longestRecord)
                    return sent > 0 ? .success(sent) : .failure(.wouldBlock)
                case .ended: return .failure(.brokenPipe)
                case .failed(let error): return .failure(error)
                }
            }
            return .success(sent)
        }
    }

    var begunCount: Int { lock.withLock { _ in begun } }

    func finishOutput(_ descriptor: Int32) -> SystemResult<Void> {
        lock.withLock { _ in
            guard isEstablished, !hasSentEnd, broken == nil else { return .success(()) }
            wire.pointee.begin(descriptor)
            OpenSSLError.clear()
            let result = SSL_shutdown(ssl)
            if result < 0, case .wantsWrite = outcome(result, .sending) { return .failure(.wouldBlock) }
            hasSentEnd = true
            return .success(())
        }
    }

    // MARK: Failures

    private enum Outcome {
        case wantsRead, wantsWrite
        /// The peer said that nothing more comes.
        case ended
        case failed(SystemError)
    }

    /// What a call of OpenSSL that did not succeed means. What breaks the connection is kept.
    private func outcome(_ result: Int32, _ kind: CipherFailure.Kind) -> Outcome {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: break
        }
        let error = OpenSSLError.take()
        let failure: CipherFailure?
        if let (refusal, _) = wire.pointee.error {
            broken = (refusal, nil)
            return .failed(refusal)
        } else if wire.pointee.hasEnded, error.code == 0 {
            failure =
                kind == .handshake
                ? CipherFailure(.handshake, "the peer ended the connection during the handshake")
                : CipherFailure(.truncation, "the peer ended the connection without saying so: bytes may be missing")
        } else if let problem = notes.pointee.problem, error.isOfTLS,
            error.reasonNumber == SSL_R_CERTIFICATE_VERIFY_FAILED
        {
            failure = CipherFailure(.verification, problem)
        } else if error.isOfTLS, error.reasonNumber == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE {
            failure = CipherFailure(.verification, "the peer showed no certificate")
        } else {
            failure = CipherFailure(kind, error.explanation)
        }
        broken = (.protocolError, failure)
        return .failed(.protocolError)
    }

    func failure(_ error: SystemError, sent: Int, remaining: Int) -> Failure? {
        guard error == .protocolError else { return nil }
        return lock.withLock { _ in broken?.failure.map { .cipher($0, sent: sent, remaining: remaining) } }
    }

    // MARK: Facts

    /// Asks OpenSSL's object something.
    func read<Value>(_ body: (OpaquePointer) -> Value) -> Value { lock.withLock { _ in body(ssl) } }

    /// The peer's certificates, its own first.
    var certificates: [TLSCertificate] { lock.withLock { _ in peerChain } }

    /// The newest session that the server gave us, as a value; nil without one.
    var session: TLSSession? {
        guard context.role == .client, let serverName else { return nil }
        return lock.withLock { _ in
            // With TLS 1.2 the one that was resumed can be resumed again, and there may be no newer one.
            if notes.pointee.session == nil, SSL_session_reused(ssl) == 1 { return resumed }
            guard let session = notes.pointee.session, let bytes = DER.of({ i2d_SSL_SESSION(session, $0) }) else {
                return nil
            }
            return TLSSession(
                bytes: bytes, serverName: serverName, isValidated: context.isValidated, trust: context.trust,
                certificates: peerChain.map(\.der))
        }
    }

    private var peerChain: [TLSCertificate] {
        // A session has the peer's own certificate only.
        if let resumed, SSL_session_reused(ssl) == 1 {
            return resumed.certificates.compactMap { TLSCertificate(der: $0) }
        }
        guard let own = SSL_get1_peer_certificate(ssl) else { return [] }
        defer { X509_free(own) }
        let sent = SSL_get_peer_cert_chain(ssl)
        // Of a client this has its own too, of a server it has not.
        let others = (0..<copenssl_count(sent)).compactMap { copenssl_get(sent, $0) }.filter { X509_cmp($0, own) != 0 }
        return ([own] + others).compactMap { TLSCertificate($0) }
    }

    private var chosenProtocol: String? { TLSConnection.chosenProtocol(of: ssl) }

    /// What ALPN agreed on; nil when it was not used.
    static func chosenProtocol(of ssl: OpaquePointer) -> String? {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        guard let name, count > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
    }

    private var requestedName: String? { TLSConnection.requestedName(of: ssl) }

    /// The name that a client asked for.
    static func requestedName(of ssl: OpaquePointer) -> String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }
}
