import HarmonySocket
import HarmonyTLS
import Testing

@Suite("Sessions, key logs, and certificates that change", .timeLimit(.minutes(1)))
struct TLSSessionTests {
    /// A server that greets each client, since a ticket comes with the first bytes at the latest.
    private static func makeGreetingServer(
        _ change: (inout TLSConnectOptions) -> Void = { _ in }
    ) async throws -> (TLSSocketServer, Int) {
        let (server, port) = try await makeTLSServer(Certificates.shared.serverOptions, change)
        server.on(.connect) { $0.send("welcome") { _ in } }
        return (server, port)
    }

    private static func connect(
        port: Int, _ change: (inout TLSConnectOptions) -> Void = { _ in }
    ) async throws -> (isResumed: Bool, session: TLSSession?) {
        let client = TLSSocket()
        try await client.connect(clientOptions(port: port, Certificates.shared.clientOptions, change))
        #expect(try await client.receive(timeout: .seconds(10))?.text == "welcome")
        #expect(client.remoteCertificates.first?.subject == "CN=server")
        defer { client.close { _ in } }
        return (client.isResumed, client.session)
    }

    @Test("A session is resumed, and brings the server's certificates along", arguments: [TLSProtocol.tls12, .tls13])
    func session_isResumed(version: TLSProtocol) async throws {
        let (server, port) = try await TLSSessionTests.makeGreetingServer { $0.secureOptions.protocols = [version] }
        let first = try await TLSSessionTests.connect(port: port)
        #expect(!first.isResumed)
        let session = try #require(first.session)
        #expect("\(session)" == "a session with localhost")
        let stored = try #require(TLSSession(data: session.data))
        #expect(stored == session)
        let second = try await TLSSessionTests.connect(port: port) { $0.session = stored }
        #expect(second.isResumed)
        #expect(second.session != nil)
        await server.close()
    }

    @Test("What is no session, or half of one, is none")
    func data_thatIsNoSession_isRefused() async throws {
        let (server, port) = try await TLSSessionTests.makeGreetingServer()
        let data = try #require(try await TLSSessionTests.connect(port: port).session).data
        for count in stride(from: 0, to: data.count, by: 13) {
            // Cut at the bounds of a field it may read, but then there is nothing in it that could be resumed.
            guard let session = TLSSession(data: Array(data[..<count])) else { continue }
            _ = try await TLSSessionTests.connect(port: port) { $0.session = session }
        }
        var changed = data
        changed[0] = 9
        #expect(TLSSession(data: changed) == nil)
        await server.close()
    }

    @Test("A session does not go around the checks: another name, other trust or pins, or checks where there were none")
    func session_doesNotGoAroundChecks() async throws {
        let all = Certificates.shared
        let (server, port) = try await TLSSessionTests.makeGreetingServer()
        let session = try #require(try await TLSSessionTests.connect(port: port).session)
        let ofAddress = try await TLSSessionTests.connect(port: port) {
            $0.session = session
            $0.serverName = "127.0.0.1"
        }
        #expect(!ofAddress.isResumed)
        let ofOtherTrust = try await TLSSessionTests.connect(port: port) {
            $0.session = session
            $0.secureOptions.ca = [all.authority.certificatePEM, all.server.certificatePEM]
        }
        #expect(!ofOtherTrust.isResumed)
        let unchecked = try #require(
            try await TLSSessionTests.connect(port: port) { $0.skipRemoteValidation = true }.session)
        let checked = try await TLSSessionTests.connect(port: port) { $0.session = unchecked }
        #expect(!checked.isResumed)
        let still = try await TLSSessionTests.connect(port: port) {
            $0.session = unchecked
            $0.skipRemoteValidation = true
        }
        #expect(still.isResumed)
        let pin = try #require(TLSPin(sha256: [UInt8](repeating: 1, count: 32)))
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(
                clientOptions(port: port) {
                    $0.session = session
                    $0.secureOptions.pins = [pin]
                })
        }
        #expect(error?.kind == .certificateRejected)
        #expect(error?.message == "none of the pinned keys is in the chain of the resumed session")
        await server.close()
    }

    @Test("A verifier is told that the session was resumed, and shown the chain of the first time")
    func verifier_isToldOfResumption() async throws {
        let (server, port) = try await TLSSessionTests.makeGreetingServer()
        let session = try #require(try await TLSSessionTests.connect(port: port).session)
        let asked = EventRecorder<TLSPeerInfo>()
        _ = try await TLSSessionTests.connect(port: port) {
            $0.session = session
            $0.verify = { info in
                asked.record(info)
                return .accept
            }
        }
        #expect(asked.events.map(\.isResumed) == [true])
        #expect(asked.events.first?.certificates.map(\.subject) == ["CN=server"])
        await server.close()
    }

    @Test("The key log has the secrets of the handshake, from both ends the same")
    func keyLog_isTold() async throws {
        let ofClient = EventRecorder<String>()
        let ofServer = EventRecorder<String>()
        let pair = try await makeTLSPair(
            changeServer: { $0.keyLog = { ofServer.record($0) } }, changeClient: { $0.keyLog = { ofClient.record($0) } }
        )
        #expect(Set(ofClient.events) == Set(ofServer.events))
        #expect(ofClient.events.contains { $0.hasPrefix("CLIENT_TRAFFIC_SECRET_0 ") })
        await pair.close()
    }

    @Test("A renewed certificate is shown from the next handshake on; connections that stand stay")
    func certificate_isReloaded() async throws {
        let all = Certificates.shared
        let pair = try await makeTLSPair()
        #expect(try await pair.server.getCertificate().data == pair.client.getRemoteCertificate().data)
        let renewed = try all.issue(CertificateRequest(name: "renewed", hosts: ["localhost"]))
        try pair.server.setSecureOptions(
            TLSConnectOptions(address: .any, secureOptions: renewed.options))
        let client = TLSSocket()
        try await client.connect(clientOptions(port: try await pair.server.getLocalAddress().port))
        #expect(client.remoteCertificates.first?.subject == "CN=renewed")
        #expect(try await pair.server.getCertificate().data == client.remoteCertificates.first?.der)
        // One that cannot be changes nothing.
        let bad = TLSConnectOptions(
            address: .any, secureOptions: TLSSecureOptions(cert: [all.server.certificatePEM], key: renewed.keyPEM()))
        #expect(throws: SocketError.self) { try pair.server.setSecureOptions(bad) }
        #expect(try await pair.server.getCertificate().data == client.remoteCertificates.first?.der)
        try await pair.client.send("still here")
        #expect(try await pair.connection.receive()?.text == "still here")
        await client.close()
        await pair.close()
    }
}
