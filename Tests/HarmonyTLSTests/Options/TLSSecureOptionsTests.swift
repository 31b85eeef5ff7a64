import HarmonySocket
import HarmonyTLS
import Testing

@Suite("TLSSecureOptions", .timeLimit(.minutes(1)))
struct TLSSecureOptionsTests {
    /// Options that cannot be, and the field that the error names.
    struct Row: Sendable, CustomTestStringConvertible {
        let field: String
        let problem: String
        let isServer: Bool
        let change: @Sendable (inout TLSConnectOptions) -> Void

        init(
            _ field: String, _ problem: String, server isServer: Bool = false,
            _ change: @escaping @Sendable (inout TLSConnectOptions) -> Void
        ) {
            self.field = field
            self.problem = problem
            self.isServer = isServer
            self.change = change
        }

        var testDescription: String { "\(field): \(problem)" }
    }

    static let rows: [Row] = [
        Row("protocols", "SSLv3 is broken (POODLE)") { $0.secureOptions.protocols = [.ssl3] },
        Row("minVersion", "TLSv1 has known weaknesses") { $0.secureOptions.minVersion = .tls10 },
        Row("maxVersion", "TLSv1.1 has known weaknesses and is forbidden (RFC 8996); use TLSv1.2 or TLSv1.3") {
            $0.secureOptions.maxVersion = .tls11
        },
        Row("protocols", "no version is left") { $0.secureOptions.protocols = [] },
        Row("protocols", "no version is left") {
            $0.secureOptions.protocols = [.tls12]
            $0.secureOptions.minVersion = .tls13
        },
        Row("cipherSuite", "no cipher match") { $0.secureOptions.cipherSuite = "NONSENSE" },
        Row("cipherSuite", "it has nothing for") { $0.secureOptions.cipherSuite = "" },
        Row("cipherSuite", "it has nothing for [\"TLSv1.3\"]") {
            $0.secureOptions.minVersion = .tls13
            $0.secureOptions.cipherSuite = "ECDHE-RSA-AES128-GCM-SHA256"
        },
        Row("signatureAlgorithms", "NONSENSE") { $0.secureOptions.signatureAlgorithms = "NONSENSE" },
        Row("ca", "/nowhere/ca.pem: no such file or directory (ENOENT)") { $0.secureOptions.ca = ["/nowhere/ca.pem"] },
        Row("ca", "the PEM text: there is no certificate in it") {
            $0.secureOptions.ca = [Certificates.shared.server.keyPEM()]
        },
        Row("ca", "the PEM text: ") {
            $0.secureOptions.ca = ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        },
        Row("cert", "there is a key, but no certificate") {
            $0.secureOptions.key = Certificates.shared.server.keyPEM()
        },
        Row("key", "there is a certificate, but no key") {
            $0.secureOptions.cert = [Certificates.shared.server.certificatePEM]
        },
        Row("key", "it does not belong to the first certificate") {
            $0.secureOptions.cert = [Certificates.shared.authority.certificatePEM]
            $0.secureOptions.key = Certificates.shared.server.keyPEM()
        },
        Row("key", "the PEM text: there is no private key in it") {
            $0.secureOptions.cert = [Certificates.shared.server.certificatePEM]
            $0.secureOptions.key = Certificates.shared.server.certificatePEM
        },
        Row("password", "the key is encrypted, and no password is given") {
            $0.secureOptions.cert = [Certificates.shared.server.certificatePEM]
            $0.secureOptions.key = Certificates.shared.server.keyPEM(password: "secret")
        },
        Row("password", "it does not open the key") {
            $0.secureOptions.cert = [Certificates.shared.server.certificatePEM]
            $0.secureOptions.key = Certificates.shared.server.keyPEM(password: "secret")
            $0.secureOptions.password = "Secret"
        },
        Row("cert", "a server needs a certificate and its key", server: true) { $0.secureOptions = TLSSecureOptions() },
        Row("identities", "only a server") {
            $0.secureOptions.identities = [TLSIdentity(cert: [], key: "")]
        },
        Row("serverName", "only a client", server: true) { $0.serverName = "localhost" },
        Row("serverName", "no name that certificates have") { $0.serverName = "münchen.test" },
        Row("serverName", "no name that certificates have") { $0.serverName = "" },
        Row("alpnProtocols", "is not of 1 to 255 bytes") { $0.alpnProtocols = ["h2", ""] },
        Row("timeout", "is negative") { $0.timeout = .seconds(-1) },
        Row("port", "nobody can be reached at port 0") { $0.address.port = 0 },
    ]

    @Test(
        "Options that cannot be are refused before anything is opened, and the error names the field", arguments: rows)
    func impossible_isRefused(row: Row) async throws {
        var options = TLSConnectOptions(
            address: NetAddress("127.0.0.1", port: row.isServer ? 0 : 1),
            secureOptions: row.isServer ? Certificates.shared.serverOptions : TLSSecureOptions())
        row.change(&options)
        let changed = options
        let refusal: SocketError?
        if row.isServer {
            let server = TLSSocketServer()
            refusal = await failure { () throws(SocketError) in try await server.listen(changed) }
            #expect(!server.state.isBound && !server.state.isClose)
        } else {
            let client = TLSSocket()
            refusal = await failure { () throws(SocketError) in try await client.connect(changed) }
            // It changed nothing: the object can still be used.
            #expect(!client.state.isBound && !client.state.isClose)
            let result: Result<Void, SocketError> = try await answer { client.connect(changed, completion: $0) }
            #expect(throws: try #require(refusal)) { try result.get() }
        }
        let error = try #require(refusal)
        #expect(error.kind == .invalidArgument)
        #expect(error.field == row.field)
        #expect(error.code == 401)
        #expect(error.message.contains(row.problem), "\(error.message)")
    }

    @Test("Each argument of the initialiser is the field of its name")
    func initialiser_setsFields() {
        func changed(_ change: (inout TLSSecureOptions) -> Void) -> TLSSecureOptions {
            var options = TLSSecureOptions()
            change(&options)
            return options
        }
        let identity = TLSIdentity(cert: ["b.pem"], key: "b.key")
        #expect(TLSSecureOptions(protocols: [.tls13]) == changed { $0.protocols = [.tls13] })
        #expect(
            TLSSecureOptions(minVersion: .tls12, maxVersion: .tls13)
                == changed {
                    $0.minVersion = .tls12
                    $0.maxVersion = .tls13
                })
        #expect(TLSSecureOptions(useRemoteCipherPrefer: true) == changed { $0.useRemoteCipherPrefer = true })
        #expect(
            TLSSecureOptions(clientAuthentication: .required) == changed { $0.isBidirectionalAuthentication = true })
        #expect(TLSSecureOptions(identities: [identity]) == changed { $0.identities = [identity] })
    }

    @Test("The password opens the key; certificates and keys may be files")
    func files_andPasswords_work() async throws {
        let all = Certificates.shared
        let ca = try TemporaryFile(Array(all.authority.certificatePEM.utf8))
        let cert = try TemporaryFile(Array(all.server.certificatePEM.utf8))
        let key = try TemporaryFile(Array(all.server.keyPEM(password: "secret").utf8))
        let pair = try await makeTLSPair(
            server: TLSSecureOptions(cert: [cert.path], key: key.path, password: "secret"),
            client: TLSSecureOptions(ca: [ca.path]))
        await pair.close()
    }

    @Test(
        "The version is the newest that both sides offer",
        arguments: [
            ([TLSProtocol.tls12], TLSProtocol.tls12), ([.tls13], .tls13), ([.tls12, .tls13], .tls13),
        ])
    func version_isTheNewest(offered: [TLSProtocol], expected: TLSProtocol) async throws {
        let pair = try await makeTLSPair(client: TLSSecureOptions(ca: Certificates.shared.ca, protocols: offered))
        #expect(pair.client.negotiatedProtocol == expected)
        #expect(try await pair.connection.getProtocol() == expected.rawValue)
        #expect(try await pair.server.getProtocol() == "TLSv1.3")
        await pair.close()
    }

    @Test("Peers with no version in common say so")
    func versions_withoutOverlap_fail() async throws {
        let (server, port) = try await makeTLSServer(Certificates.shared.serverOptions) {
            $0.secureOptions.maxVersion = .tls12
        }
        let errors = EventRecorder<SocketError>()
        server.on(.error) { errors.record($0) }
        server.on(.connect) { _ in }
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(
                clientOptions(port: port, TLSSecureOptions(ca: Certificates.shared.ca, minVersion: .tls13)))
        }
        #expect(error?.kind == .tlsFailed)
        #expect(error?.code == 2_303_501)
        #expect(error?.message.contains("protocol version") == true, "\(error?.message ?? "")")
        #expect(try await errors.wait(count: 1)[0].message == "unsupported protocol")
        await server.close()
    }

    @Test(
        "The cipher suite is of the list, and the server's order counts, unless it leaves that to the client",
        arguments: [
            ("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", false, "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", true, "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("TLS_CHACHA20_POLY1305_SHA256", false, "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", false, "TLS_AES_128_GCM_SHA256"),
        ])
    func cipherSuite_isChosen(ofClient: String, prefersRemote: Bool, expected: String) async throws {
        var server = Certificates.shared.serverOptions
        if !ofClient.contains("TLS_") { server.maxVersion = .tls12 }
        server.cipherSuite =
            "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
            + "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
        server.useRemoteCipherPrefer = prefersRemote
        let pair = try await makeTLSPair(
            server: server, client: TLSSecureOptions(ca: Certificates.shared.ca, cipherSuite: ofClient))
        #expect(try await pair.client.getCipherSuite() == [expected])
        await pair.close()
    }

    @Test("The signature algorithms are those of the list")
    func signatureAlgorithms_areLimited() async throws {
        let pair = try await makeTLSPair(
            client: TLSSecureOptions(
                ca: Certificates.shared.ca, signatureAlgorithms: "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256"))
        #expect(try await pair.client.getSignatureAlgorithms() == ["ECDSA+SHA256"])
        let known = try await pair.connection.getSignatureAlgorithms()
        #expect(Set(known) == ["ECDSA+SHA256", "ECDSA+SHA384", "RSA-PSS+SHA256"])
        await pair.close()
    }

    // MARK: ALPN and SNI

    @Test(
        "The server takes the first of its protocols that the client offers",
        arguments: [
            (["h2", "http/1.1"], ["http/1.1", "h2"], "h2"), (["h2"], ["http/1.1", "h2"], "h2"),
            (["h2"], [], nil), ([], ["h2"], nil),
        ] as [([String], [String], String?)])
    func alpn_isTheServersChoice(server: [String], client: [String], expected: String?) async throws {
        let pair = try await makeTLSPair(
            changeServer: { $0.alpnProtocols = server }, changeClient: { $0.alpnProtocols = client })
        #expect(pair.client.alpnProtocol == expected)
        #expect(pair.connection.alpnProtocol == expected)
        await pair.close()
    }

    @Test("A client that offers none of the server's protocols is refused")
    func alpn_withoutOverlap_fails() async throws {
        let (server, port) = try await makeTLSServer { $0.alpnProtocols = ["h2"] }
        server.on(.connect) { _ in }
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(clientOptions(port: port) { $0.alpnProtocols = ["imap"] })
        }
        #expect(error?.message == "the peer refused: no application protocol")
        await server.close()
    }

    @Test(
        "A server shows the identity that is for the name, and the main one otherwise",
        arguments: [
            ("one.test", "CN=one"), ("www.two.test", "CN=two"), ("localhost", "CN=server"),
        ])
    func identity_isChosenByName(name: String, expected: String) async throws {
        let all = Certificates.shared
        let one = try all.issue(CertificateRequest(name: "one", hosts: ["one.test"]))
        let two = try all.issue(CertificateRequest(name: "two", hosts: ["two.test", "*.two.test"]))
        var options = all.serverOptions
        options.identities = [one, two].map { TLSIdentity(cert: [$0.certificatePEM], key: $0.keyPEM()) }
        let pair = try await makeTLSPair(server: options, changeClient: { $0.serverName = name })
        #expect(pair.client.remoteCertificates.first?.subject == expected)
        #expect(pair.connection.serverName == name)
        #expect(pair.connection.localCertificate?.subject == expected)
        await pair.close()
    }
}
