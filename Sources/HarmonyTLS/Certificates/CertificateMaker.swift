internal import COpenSSL

/// What a certificate that is to be made says.
package struct CertificateRequest: Sendable {
    /// The common name of its subject.
    package var name: String
    /// The names and IP addresses that it is for.
    package var hosts: [String]
    /// Whether it may sign others.
    package var isAuthority: Bool
    /// The first and the last second of its validity, counted from now.
    package var validity: ClosedRange<Int>
    /// Whether its key is one of RSA; otherwise it is one of the curve P-256.
    package var usesRSA: Bool

    package init(
        name: String, hosts: [String] = [], isAuthority: Bool = false, validity: ClosedRange<Int> = -3600...86_400,
        usesRSA: Bool = false
    ) {
        self.name = name
        self.hosts = hosts
        self.isAuthority = isAuthority
        self.validity = validity
        self.usesRSA = usesRSA
    }
}

/// A certificate that was made here, with its key.
package final class MadeCertificate: @unchecked Sendable {
    // Sendable: nothing of it is changed once it is made.
    private let certificate: OpaquePointer
    private let key: OpaquePointer

    /// Makes a certificate, signed by `issuer`, or by itself; nil when OpenSSL cannot.
    package init?(_ request: CertificateRequest, issuer: MadeCertificate? = nil) {
        OPENSSL_init_ssl(copenssl_init_without_atexit, nil)
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        guard let key = request.usesRSA ? copenssl_make_rsa_key() : copenssl_make_ec_key() else { return nil }
        guard let certificate = X509_new() else {
            EVP_PKEY_free(key)
            return nil
        }
        self.certificate = certificate
        self.key = key
        guard MadeCertificate.fill(certificate, request, key, issuer) else { return nil }
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    private static func fill(
        _ certificate: OpaquePointer, _ request: CertificateRequest, _ key: OpaquePointer, _ issuer: MadeCertificate?
    ) -> Bool {
        X509_set_version(certificate, 2)
        // 63 bits that nobody guesses.
        let serial = UInt64.random(in: 1...UInt64(Int64.max))
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial)
        X509_gmtime_adj(X509_getm_notBefore(certificate), request.validity.lowerBound)
        X509_gmtime_adj(X509_getm_notAfter(certificate), request.validity.upperBound)
        let subject = X509_get_subject_name(certificate)
        let name = Array(request.name.utf8)
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, Int32(name.count), -1, 0)
        X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? subject)
        X509_set_pubkey(certificate, key)
        let signer = issuer?.certificate ?? certificate
        var extensions = [(NID_basic_constraints, request.isAuthority ? "critical,CA:TRUE" : "critical,CA:FALSE")]
        extensions.append((NID_subject_key_identifier, "hash"))
        extensions.append(
            (NID_key_usage, request.isAuthority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"))
        if issuer != nil { extensions.append((NID_authority_key_identifier, "keyid")) }
        if !request.hosts.isEmpty {
            let names = request.hosts.map { TLSHost.isAddress($0) ? "IP:\($0)" : "DNS:\($0)" }
            extensions.append((NID_subject_alt_name, names.joined(separator: ",")))
        }
        for (number, value) in extensions where copenssl_add_extension(certificate, signer, number, value) != 1 {
            return false
        }
        return X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0
    }

    /// The certificate as PEM text.
    package var certificatePEM: String { MadeCertificate.text { PEM_write_bio_X509($0, certificate) } }

    /// The key as PEM text, encrypted if there is a password.
    package func keyPEM(password: String? = nil) -> String {
        let secret = password.map { Array($0.utf8) } ?? []
        return MadeCertificate.text { bio in
            PEM_write_bio_PrivateKey(
                bio, key, password == nil ? nil : EVP_aes_256_cbc(), password == nil ? nil : secret,
                Int32(secret.count), nil, nil)
        }
    }

    private static func text(_ write: (OpaquePointer) -> Int32) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { return "" }
        var bytes = [UInt8](repeating: 0, count: max(0, Int(BIO_ctrl_pending(bio))))
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(max(0, Int(count))), as: UTF8.self)
    }
}

extension TLSIdentity {
    /// Makes a certificate that is signed by its own key, for the time of development: nobody trusts it who does not name it
    /// as `ca`, or pins it.
    ///
    /// ```swift
    /// if let identity = TLSIdentity.makeSelfSigned(for: ["localhost", "127.0.0.1"]) {
    ///     let options = TLSSecureOptions(cert: identity.cert, key: identity.key)
    /// }
    /// ```
    ///
    /// It is valid from an hour ago for `days` days, and for these names and IP addresses. Nil when there are none, or
    /// OpenSSL cannot make it.
    public static func makeSelfSigned(for hosts: [String], days: Int = 90) -> TLSIdentity? {
        guard let first = hosts.first, days > 0 else { return nil }
        let request = CertificateRequest(
            name: first, hosts: hosts, validity: -3600...(min(days, 36_500) * 86_400))
        return MadeCertificate(request).map { TLSIdentity(cert: [$0.certificatePEM], key: $0.keyPEM()) }
    }
}
