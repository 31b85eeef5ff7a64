internal import COpenSSL

/// An X.509 certificate, as it can be shown and stored.
public struct TLSCertificate: Sendable, Hashable {
    /// The certificate itself, DER.
    public let der: [UInt8]
    /// Whose it is: `CN=example.org,O=Example`.
    public let subject: String
    /// Who says so.
    public let issuer: String
    /// The names and IP addresses that it is for.
    public let names: [String]
    /// The first second of its validity, since 1970.
    public let notBefore: Int
    /// The last second of its validity, since 1970.
    public let notAfter: Int
    /// Its serial number, in hexadecimal digits.
    public let serialNumber: String
    /// The SHA-256 of the certificate.
    public let sha256: [UInt8]
    /// Its public key, to be pinned.
    public let pin: TLSPin?

    /// Reads a certificate; nil for bytes that are none.
    public init?(der: [UInt8]) {
        let parsed = der.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            return d2i_X509(nil, &start, bytes.count)
        }
        guard let parsed else {
            OpenSSLError.clear()
            return nil
        }
        defer { X509_free(parsed) }
        self.init(parsed)
    }

    /// Reads the first certificate of PEM text; nil when there is none.
    public init?(pem: String) {
        let lines = pem.split(whereSeparator: \.isNewline)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("-----BEGIN CERTIFICATE-----") }),
            let end = lines[start...].firstIndex(where: { $0.hasPrefix("-----END") }),
            let der = Base64.decode(lines[(start + 1)..<end].joined().utf8)
        else { return nil }
        self.init(der: der)
    }

    /// Copies what a certificate says; nil without memory.
    init?(_ certificate: OpaquePointer) {
        guard let der = DER.of({ i2d_X509(certificate, $0) }) else { return nil }
        self.der = der
        subject = TLSCertificate.text(of: X509_get_subject_name(certificate))
        issuer = TLSCertificate.text(of: X509_get_issuer_name(certificate))
        names = TLSCertificate.names(of: certificate)
        notBefore = TLSCertificate.seconds(X509_get0_notBefore(certificate))
        notAfter = TLSCertificate.seconds(X509_get0_notAfter(certificate))
        let number = X509_get0_serialNumber(certificate)
        let bytes = number.map {
            Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data($0), count: Int(ASN1_STRING_length($0))))
        }
        serialNumber = (bytes ?? []).map(TLSCertificate.hexadecimal).joined()
        sha256 = DER.sha256(der)
        let key = DER.of { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), $0) }
        pin = key.flatMap { TLSPin(sha256: DER.sha256($0)) }
    }

    /// The certificate as PEM text.
    public var pem: String {
        let digits = Array(Base64.encode(der))
        let lines = stride(from: 0, to: digits.count, by: 64).map {
            String(digits[$0..<min($0 + 64, digits.count)])
        }
        return (["-----BEGIN CERTIFICATE-----"] + lines + ["-----END CERTIFICATE-----", ""]).joined(separator: "\n")
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    static func text(of name: OpaquePointer?) -> String {
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        guard X509_NAME_print_ex(bio, name, 0, copenssl_name_flags) >= 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: max(0, Int(BIO_ctrl_pending(bio))))
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(max(0, Int(count))), as: UTF8.self)
    }

    /// The names that a certificate is for.
    static func names(of certificate: OpaquePointer) -> [String] {
        var names: [String] = []
        withUnsafeMutablePointer(to: &names) { names in
            copenssl_for_each_name(certificate, names) { names, isAddress, bytes, count in
                guard let names = names?.assumingMemoryBound(to: [String].self) else { return }
                let bytes = Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
                names.pointee.append(isAddress == 0 ? TLSCertificate.printable(bytes) : TLSCertificate.address(bytes))
            }
        }
        return names
    }

    /// A name comes from the peer: what is no plain text in it is not shown.
    private static func printable(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { (0x21..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    private static func address(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        let groups = stride(from: 0, to: bytes.count - 1, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        return groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
        guard let epoch = ASN1_TIME_set(nil, 0) else { return 0 }
        defer { ASN1_STRING_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return 0 }
        return Int(days) * 86_400 + Int(seconds)
    }
}

extension TLSCertificate: CustomStringConvertible {
    /// Whose it is, and who says so.
    public var description: String { "\(subject), issued by \(issuer)" }
}

/// Bytes of OpenSSL's objects.
enum DER {
    /// What an `i2d` function writes.
    static func of(_ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8]? {
        let count = Int(write(nil))
        guard count > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var start = buffer.baseAddress
            filled = max(0, Int(write(&start)))
        }
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let isDone = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1
        return isDone ? digest : []
    }
}
