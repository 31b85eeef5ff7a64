import HarmonySocket
import HarmonyTLS
import Testing

/// Certificates that are made for a run of the tests, and end with it.
struct Certificates: Sendable {
    let authority: MadeCertificate
    let server: MadeCertificate

    /// An authority, and a certificate of it for localhost.
    static let shared: Certificates = {
        guard let made = try? Certificates() else { fatalError("OpenSSL makes no certificates") }
        return made
    }()

    init() throws {
        authority = try #require(MadeCertificate(CertificateRequest(name: "Test Root", isAuthority: true)))
        server = try #require(
            MadeCertificate(
                CertificateRequest(name: "server", hosts: ["localhost", "127.0.0.1", "::1"]), issuer: authority))
    }

    /// Another certificate of the authority.
    func issue(_ request: CertificateRequest) throws -> MadeCertificate {
        try #require(MadeCertificate(request, issuer: authority))
    }

    /// What trusts the authority.
    var ca: [String] { [authority.certificatePEM] }

    /// What a client needs.
    var clientOptions: TLSSecureOptions { TLSSecureOptions(ca: ca) }

    /// What a server needs.
    var serverOptions: TLSSecureOptions { TLSSecureOptions(cert: [server.certificatePEM], key: server.keyPEM()) }
}

extension MadeCertificate {
    var options: TLSSecureOptions { TLSSecureOptions(cert: [certificatePEM], key: keyPEM()) }
}
