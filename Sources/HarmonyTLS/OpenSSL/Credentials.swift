internal import COpenSSL
internal import SocketCore

/// Certificates that were read; each is let go of with this object.
final class CertificateList: @unchecked Sendable {
    // Sendable: certificates are not changed once they are read, and OpenSSL counts their references.
    let pointers: [OpaquePointer]

    private init(_ pointers: [OpaquePointer]) { self.pointers = pointers }

    deinit { for pointer in pointers { X509_free(pointer) } }

    /// Reads all certificates of these texts and files, at least one of each. `field` is for the error.
    static func read(_ sources: [String], _ field: String) throws(Failure) -> CertificateList {
        var read: [OpaquePointer] = []
        do throws(Failure) {
            for source in sources { read += try certificates(in: source, field) }
        } catch {
            for pointer in read { X509_free(pointer) }
            throw error
        }
        return CertificateList(read)
    }

    private static func certificates(in source: String, _ field: String) throws(Failure) -> [OpaquePointer] {
        let pem = try PEM.bytes(of: source, field)
        var found: [OpaquePointer] = []
        OpenSSLError.clear()
        pem.withUnsafeBytes { bytes in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return }
            defer { BIO_free(bio) }
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { found.append(certificate) }
        }
        let error = OpenSSLError.take()
        // The end of the text is an error too: that there is no further beginning.
        guard !found.isEmpty, error.isEndOfPEM else {
            for certificate in found { X509_free(certificate) }
            let problem = found.isEmpty && error.isEndOfPEM ? "there is no certificate in it" : error.reason
            throw .invalidArgument(.init(field, "\(PEM.name(of: source)): \(problem)"))
        }
        return found
    }
}

/// A certificate, its key, and the certificates that lead to its root.
final class Credentials: @unchecked Sendable {
    // Sendable: nothing of it is changed once it is read, and OpenSSL counts the references.
    private let certificates: CertificateList
    private let key: OpaquePointer
    private let chain: OpaquePointer

    /// The certificate that the key belongs to.
    let certificate: OpaquePointer

    /// Reads both, and checks that they belong together.
    init(cert: [String], key source: String, password: String?) throws(Failure) {
        let certificates = try CertificateList.read(cert, "cert")
        guard let first = certificates.pointers.first else {
            throw .invalidArgument(.init("cert", "there is a key, but no certificate"))
        }
        let key = try Credentials.readKey(source, password)
        guard let chain = copenssl_make_stack() else {
            EVP_PKEY_free(key)
            throw .system(.outOfMemory, .open)
        }
        for certificate in certificates.pointers.dropFirst() { copenssl_push(chain, certificate) }
        self.certificates = certificates
        self.key = key
        self.chain = chain
        certificate = first
        OpenSSLError.clear()
        guard X509_check_private_key(first, key) == 1 else {
            OpenSSLError.clear()
            throw .invalidArgument(.init("key", "it does not belong to the first certificate of cert"))
        }
    }

    deinit {
        EVP_PKEY_free(key)
        copenssl_free_stack(chain)
    }

    /// Shows them to the peers of a context.
    func use(in context: OpaquePointer) -> Bool { SSL_CTX_use_cert_and_key(context, certificate, key, chain, 1) == 1 }

    /// Shows them to the peer of a connection.
    func use(on connection: OpaquePointer) -> Bool { SSL_use_cert_and_key(connection, certificate, key, chain, 1) == 1 }

    /// Whether the certificate is for a name.
    func isFor(_ name: UnsafePointer<CChar>) -> Bool {
        X509_check_host(certificate, name, 0, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT), nil) == 1
    }

    private static func readKey(_ source: String, _ password: String?) throws(Failure) -> OpaquePointer {
        let pem = try PEM.bytes(of: source, "key")
        OpenSSLError.clear()
        var request = PasswordRequest(password: password.map { Array($0.utf8) })
        let key = withUnsafeMutablePointer(to: &request) { request in
            pem.withUnsafeBytes { bytes -> OpaquePointer? in
                guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
                defer { BIO_free(bio) }
                return PEM_read_bio_PrivateKey(bio, nil, PasswordRequest.answer, request)
            }
        }
        let error = OpenSSLError.take()
        if let key { return key }
        if request.wasAsked {
            let problem =
                password == nil ? "the key is encrypted, and no password is given" : "it does not open the key"
            throw .invalidArgument(.init("password", problem))
        }
        let hasKey = String(decoding: pem, as: UTF8.self).contains("PRIVATE KEY-----")
        let problem = hasKey ? error.reason : "there is no private key in it"
        throw .invalidArgument(.init("key", "\(PEM.name(of: source)): \(problem)"))
    }
}

/// What OpenSSL asks when a key is encrypted. Without an answer of ours it would ask on the terminal.
private struct PasswordRequest {
    let password: [UInt8]?
    var wasAsked = false

    static let answer: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 =
        {
            buffer, size, _, request in
            guard let request = request?.assumingMemoryBound(to: PasswordRequest.self), let buffer else { return -1 }
            request.pointee.wasAsked = true
            guard let password = request.pointee.password, password.count <= Int(size) else { return -1 }
            UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)).copyBytes(from: password)
            return Int32(password.count)
        }
}

/// PEM text, or a file with it.
enum PEM {
    /// More than this is no certificate or key.
    private static let limit = 16 * 1024 * 1024

    static func bytes(of source: String, _ field: String) throws(Failure) -> [UInt8] {
        isText(source) ? Array(source.utf8) : try contents(of: source, field)
    }

    /// For errors: never the text itself, which may be a key.
    static func name(of source: String) -> String { isText(source) ? "the PEM text" : source }

    static func isText(_ source: String) -> Bool { source.contains("-----BEGIN") }

    private static func open(_ path: String, _ field: String) throws(Failure) -> OwnedDescriptor {
        switch FileCalls.open(path) {
        case .success(let opened): return opened
        case .failure(let error): throw .invalidArgument(.init(field, "\(path): \(error.message) (\(error.name))"))
        }
    }

    private static func contents(of path: String, _ field: String) throws(Failure) -> [UInt8] {
        let file = try open(path, field)
        guard case .success(let size?) = FileCalls.size(file.number), size <= limit else {
            throw .invalidArgument(.init(field, "\(path) is no file of at most \(limit) bytes"))
        }
        if size == 0 { return [] }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            while filled < size {
                let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                guard case .success(let count) = FileCalls.read(file.number, from: filled, into: rest), count > 0 else {
                    return
                }
                filled += count
            }
        }
    }
}

extension OpenSSLError {
    /// The reader of PEM came to the end of the text.
    var isEndOfPEM: Bool { code == 0 || reasonNumber == PEM_R_NO_START_LINE }
}
