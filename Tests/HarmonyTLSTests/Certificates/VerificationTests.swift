import HarmonySocket
import HarmonyTLS
import Testing

@Suite("Who the peer is", .timeLimit(.minutes(1)))
struct VerificationTests {
    /// A certificate, whom it is shown to, and what comes of it.
    struct Row: Sendable, CustomTestStringConvertible {
        enum Issuer: Sendable { case authority, itself, stranger }

        let name: String
        let request: CertificateRequest
        var issuer = Issuer.authority
        var serverName: String? = "localhost"
        /// What the error says; nil: it is accepted.
        let problem: String?

        var testDescription: String { name }
    }

    private static func row(_ host: String, asked: String?, _ problem: String?) -> Row {
        Row(
            name: "\(host), asked for \(asked ?? "127.0.0.1")", request: CertificateRequest(name: "x", hosts: [host]),
            serverName: asked, problem: problem)
    }

    static let rows: [Row] = [
        Row(name: "good", request: CertificateRequest(name: "x", hosts: ["localhost"]), problem: nil),
        Row(
            name: "expired", request: CertificateRequest(name: "x", hosts: ["localhost"], validity: -7200...(-3600)),
            problem: "the peer's certificate, CN=x: certificate has expired"),
        Row(
            name: "not yet valid", request: CertificateRequest(name: "x", hosts: ["localhost"], validity: 3600...7200),
            problem: "the peer's certificate, CN=x: certificate is not yet valid"),
        Row(
            name: "self-signed", request: CertificateRequest(name: "x", hosts: ["localhost"]), issuer: .itself,
            problem: "self-signed certificate"),
        Row(
            name: "of an unknown authority", request: CertificateRequest(name: "x", hosts: ["localhost"]),
            issuer: .stranger, problem: "unable to get local issuer certificate"),
        Row(
            name: "the name in the subject only", request: CertificateRequest(name: "localhost"),
            problem: "hostname mismatch; it is for no name at all"),
        row("other.test", asked: "localhost", "hostname mismatch; it is for other.test"),
        row("localhost", asked: "LOCALHOST", nil),
        row("www.example.test", asked: "www.example.test.", nil),
        row("*.example.test", asked: "www.example.test", nil),
        row("*.example.test", asked: "example.test", "hostname mismatch"),
        row("*.example.test", asked: "a.www.example.test", "hostname mismatch"),
        row("w*.example.test", asked: "www.example.test", "hostname mismatch"),
        row("www.*.test", asked: "www.example.test", "hostname mismatch"),
        row("*", asked: "localhost", "hostname mismatch"),
        row("localhost", asked: nil, "IP address mismatch; it is for localhost"),
        row("127.0.0.1", asked: nil, nil),
        row("127.0.0.2", asked: nil, "IP address mismatch; it is for 127.0.0.2"),
        row("::1", asked: "::1", nil),
        row("*", asked: nil, "IP address mismatch"),
    ]

    @Test("Each certificate is accepted, or refused for its reason", arguments: rows)
    func certificate_isJudged(row: Row) async throws {
        let all = Certificates.shared
        let made: MadeCertificate? =
            switch row.issuer {
            case .authority: try all.issue(row.request)
            case .itself: MadeCertificate(row.request)
            case .stranger:
                MadeCertificate(
                    row.request, issuer: MadeCertificate(CertificateRequest(name: "Stranger", isAuthority: true)))
            }
        let (server, port) = try await makeTLSServer(try #require(made).options)
        let errors = EventRecorder<SocketError>()
        server.on(.error) { errors.record($0) }
        let accepting = Task { try await server.accept() }
        let client = TLSSocket()
        let options = TLSConnectOptions(
            address: NetAddress("127.0.0.1", port: port), secureOptions: all.clientOptions, serverName: row.serverName)
        guard let problem = row.problem else {
            try await client.connect(options)
            let connection = try await within { try await accepting.value }
            try await connection.send("welcome")
            #expect(try await client.receive()?.text == "welcome")
            await client.close()
            await connection.close()
            await server.close()
            return
        }
        let error = await failure { () throws(SocketError) in try await client.connect(options) }
        #expect(error?.kind == .certificateRejected)
        #expect(error?.code == 2_303_504)
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "no error")")
        #expect(error?.address == "127.0.0.1:\(port)")
        #expect(client.state.isClose)
        // The server hears why, by an alert.
        let told = try await errors.wait(count: 1)[0]
        #expect(told.kind == .tlsFailed)
        #expect(told.message.hasPrefix("the peer refused: "), "\(told)")
        #expect(told.operation == .handshake)
        await server.close()
        _ = await accepting.result
    }

    @Test("skipRemoteValidation lets any certificate pass, and only that does")
    func skipping_acceptsAnything() async throws {
        let made = try #require(
            MadeCertificate(CertificateRequest(name: "x", hosts: ["elsewhere.test"], validity: -7200...(-3600))))
        let pair = try await makeTLSPair(server: made.options, changeClient: { $0.skipRemoteValidation = true })
        #expect(pair.client.remoteCertificates.first?.names == ["elsewhere.test"])
        await pair.close()
    }

    @Test("Without ca the system's certificates count, so one of the tests' own is refused")
    func systemTrust_refusesTheTests() async throws {
        let (server, port) = try await makeTLSServer()
        server.on(.connect) { _ in }
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(clientOptions(port: port, TLSSecureOptions()))
        }
        #expect(error?.kind == .certificateRejected)
        await server.close()
    }

    @Test("What the program names as ca is trusted as it is, though it is no root")
    func ca_thatIsNoRoot_isTrusted() async throws {
        let all = Certificates.shared
        let pair = try await makeTLSPair(client: TLSSecureOptions(ca: [all.server.certificatePEM]))
        await pair.close()
    }

    @Test("A chain with a certificate in between is sent whole, and shown whole")
    func chain_isWhole() async throws {
        let all = Certificates.shared
        let between = try all.issue(CertificateRequest(name: "Between", isAuthority: true))
        let leaf = try #require(
            MadeCertificate(CertificateRequest(name: "leaf", hosts: ["localhost"]), issuer: between))
        let options = TLSSecureOptions(cert: [leaf.certificatePEM + between.certificatePEM], key: leaf.keyPEM())
        let pair = try await makeTLSPair(server: options)
        #expect(pair.client.remoteCertificates.map(\.subject) == ["CN=leaf", "CN=Between"])
        #expect(try await pair.client.getRemoteCertificate().data == pair.connection.localCertificate?.der)
        await pair.close()
        // Without it the leaf leads nowhere.
        let (server, port) = try await makeTLSServer(leaf.options)
        server.on(.connect) { _ in }
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(clientOptions(port: port))
        }
        #expect(error?.message.contains("unable to get local issuer certificate") == true)
        await server.close()
    }

    // MARK: Pins

    @Test("A pinned key must be in the chain, whether or not the rest is checked", arguments: [false, true])
    func pins_areRequired(isSkipped: Bool) async throws {
        let all = Certificates.shared
        let own = try #require(TLSCertificate(pem: all.server.certificatePEM)?.pin)
        let root = try #require(TLSCertificate(pem: all.authority.certificatePEM)?.pin)
        let other = try #require(TLSPin(sha256: [UInt8](repeating: 7, count: 32)))
        for pins in [[own], [other, own], [root]] where !(isSkipped && pins == [root]) {
            let pair = try await makeTLSPair(
                client: TLSSecureOptions(ca: all.ca, pins: pins), changeClient: { $0.skipRemoteValidation = isSkipped })
            await pair.close()
        }
        let (server, port) = try await makeTLSServer()
        server.on(.connect) { _ in }
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(
                clientOptions(port: port, TLSSecureOptions(ca: all.ca, pins: [other])) {
                    $0.skipRemoteValidation = isSkipped
                })
        }
        #expect(error?.kind == .certificateRejected)
        #expect(error?.message == "none of the pinned keys is in its chain")
        await server.close()
    }

    // MARK: A program's own verifier

    @Test(
        "A verifier is asked once, after the other checks, with the whole chain; its word counts",
        arguments: [true, false])
    func verifier_isAskedOnce(accepts: Bool) async throws {
        let asked = EventRecorder<TLSPeerInfo>()
        let (server, port) = try await makeTLSServer()
        let connections = EventRecorder<TLSSocketConnection>()
        server.on(.connect) { connections.record($0) }
        let client = TLSSocket()
        let options = clientOptions(port: port) {
            $0.verify = { info in
                asked.record(info)
                await Task.yield()
                return accepts ? .accept : .reject("I do not like it")
            }
        }
        if accepts {
            try await client.connect(options)
        } else {
            let error = await failure { () throws(SocketError) in try await client.connect(options) }
            #expect(error?.kind == .certificateRejected)
            #expect(error?.message == "I do not like it")
        }
        #expect(asked.count == 1)
        #expect(asked.events.first?.certificates.map(\.subject) == ["CN=server"])
        #expect(asked.events.first?.serverName == "localhost")
        #expect(asked.events.first?.problem == nil)
        #expect(asked.events.first?.address?.port == port)
        await client.close()
        await server.close()
    }

    @Test("A verifier is not asked when the other checks fail, and decides alone when they are off")
    func verifier_decidesAlone_whenOthersAreOff() async throws {
        let made = try #require(MadeCertificate(CertificateRequest(name: "x", hosts: ["localhost"])))
        let asked = EventRecorder<TLSPeerInfo>()
        let (server, port) = try await makeTLSServer(made.options)
        server.on(.connect) { _ in }
        let verify: TLSConnectOptions.Verifier = {
            asked.record($0)
            return .accept
        }
        let refused = await failure { () throws(SocketError) in
            try await TLSSocket().connect(clientOptions(port: port) { $0.verify = verify })
        }
        #expect(refused?.kind == .certificateRejected)
        #expect(asked.count == 0)
        let client = TLSSocket()
        try await client.connect(
            clientOptions(port: port) {
                $0.verify = verify
                $0.skipRemoteValidation = true
            })
        #expect(asked.events.first?.problem?.contains("self-signed certificate") == true)
        await client.close()
        await server.close()
    }

    @Test("A verifier that does not answer is cancelled when time is over")
    func verifier_thatStalls_isCancelled() async throws {
        let (server, port) = try await makeTLSServer()
        server.on(.connect) { _ in }
        let cancelled = Outcome<Void>()
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(
                clientOptions(port: port) {
                    $0.timeout = .milliseconds(300)
                    $0.verify = { _ in
                        _ = try? await Task.sleep(for: .seconds(60))
                        if Task.isCancelled { cancelled.set(.success(())) }
                        return .accept
                    }
                })
        }
        #expect(error?.kind == .timedOut)
        try await within { try await cancelled.value }
        await server.close()
    }

    // MARK: Clients

    @Test("A server that requires a certificate lets in who has one, and nobody else")
    func clientCertificate_isRequired() async throws {
        let all = Certificates.shared
        let known = try all.issue(CertificateRequest(name: "client"))
        var options = all.serverOptions
        options.ca = all.ca
        options.isBidirectionalAuthentication = true
        #expect(options.clientAuthentication == .required)
        let own = TLSSecureOptions(ca: all.ca, cert: [known.certificatePEM], key: known.keyPEM())
        let pair = try await makeTLSPair(server: options, client: own)
        #expect(pair.connection.remoteCertificates.first?.subject == "CN=client")
        #expect(try await pair.client.getCertificate().data == pair.connection.getRemoteCertificate().data)
        await pair.close()

        let (server, port) = try await makeTLSServer(options)
        let errors = EventRecorder<SocketError>()
        server.on(.error) { errors.record($0) }
        server.on(.connect) { _ in Issue.record("somebody was let in") }
        let stranger = try #require(MadeCertificate(CertificateRequest(name: "stranger")))
        for secure in [
            all.clientOptions,
            TLSSecureOptions(ca: all.ca, cert: [stranger.certificatePEM], key: stranger.keyPEM()),
        ] {
            let client = TLSSocket()
            // TLS 1.3: the client is done before the server has looked at it, and hears of it with the first read.
            let error = await failure { () throws(SocketError) in
                try await client.connect(clientOptions(port: port, secure))
                _ = try await client.receive(timeout: .seconds(10))
            }
            #expect(error?.kind == .tlsFailed)
            #expect(error?.message.hasPrefix("the peer refused: ") == true)
            await client.close()
        }
        let told = try await errors.wait(count: 2)
        #expect(told[0].kind == .certificateRejected)
        #expect(told[0].message == "the peer showed no certificate")
        #expect(told[1].message == "the peer's certificate, CN=stranger: self-signed certificate")
        #expect(told.allSatisfy { $0.address?.hasPrefix("127.0.0.1:") == true })
        await server.close()
    }

    @Test("A server that asks for a certificate also lets in who has none, but nobody with a bad one")
    func clientCertificate_isOptional() async throws {
        let all = Certificates.shared
        var options = all.serverOptions
        options.ca = all.ca
        options.clientAuthentication = .optional
        let pair = try await makeTLSPair(server: options)
        #expect(pair.connection.remoteCertificates.isEmpty)
        let error = await failure { () throws(SocketError) in try await pair.connection.getRemoteCertificate() }
        #expect(error?.kind == .invalidState)
        await pair.close()
        let stranger = try #require(MadeCertificate(CertificateRequest(name: "stranger")))
        let (server, port) = try await makeTLSServer(options)
        let errors = EventRecorder<SocketError>()
        server.on(.error) { errors.record($0) }
        server.on(.connect) { _ in Issue.record("somebody was let in") }
        let client = TLSSocket()
        var secure = stranger.options
        secure.ca = all.ca
        _ = try? await client.connect(clientOptions(port: port, secure))
        #expect(try await errors.wait(count: 1)[0].kind == .certificateRejected)
        await client.close()
        await server.close()
    }

    @Test("A server's verifier sees the client's chain, and the name that it asked for")
    func serverVerifier_isAsked() async throws {
        let all = Certificates.shared
        let known = try all.issue(CertificateRequest(name: "client"))
        let asked = EventRecorder<TLSPeerInfo>()
        var options = all.serverOptions
        options.ca = all.ca
        options.clientAuthentication = .required
        let pair = try await makeTLSPair(
            server: options, client: TLSSecureOptions(ca: all.ca, cert: [known.certificatePEM], key: known.keyPEM()),
            changeServer: {
                $0.verify = { info in
                    asked.record(info)
                    return .accept
                }
            })
        #expect(asked.events.map(\.serverName) == ["localhost"])
        #expect(asked.events.first?.certificates.first?.subject == "CN=client")
        await pair.close()
    }
}
