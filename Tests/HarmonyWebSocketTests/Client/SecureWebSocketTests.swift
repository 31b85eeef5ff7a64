import HarmonySocket
import HarmonyTLS
import Testing

@testable import HarmonyWebSocket

@Suite(.bounded) struct SecureWebSocketTests {
    /// A server of `wss://` that sends everything back.
    private struct SecureHost {
        let server = WebSocketServer()
        let errors = EventRecorder<WebSocketError>()
        let url: String

        init(_ change: (inout TLSSecureOptions) -> Void = { _ in }) async throws {
            var secure = Certificates.shared.serverOptions
            change(&secure)
            let below = TLSSocketServer()
            try await below.listen(TLSConnectOptions(address: NetAddress("127.0.0.1"), secureOptions: secure))
            let errors = errors
            server.on(.error) { errors.record($0) }
            server.on(.messageReceive) { message in message.clientConnection.send(message.data) { _ in } }
            try await server.start(on: below, Host.config)
            url = "wss://localhost:\(try #require(server.localAddress).port)/"
        }
    }

    private var trusting: WebSocketOptions { WebSocketOptions(secureOptions: Certificates.shared.clientOptions) }

    @Test(arguments: [nil, WebSocketCompression()] as [WebSocketCompression?])
    func messages_overTLS_areEchoed(compression: WebSocketCompression?) async throws {
        let host = try await SecureHost()
        let client = WebSocket()
        var options = trusting
        options.compression = compression
        try await client.connect(host.url, options)
        for count in [0, 1, 126, 16_384, 65_536, 1 << 20] {
            let message = WebSocketData.binary((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            try await client.send(message)
            #expect(try await client.receive(timeout: .seconds(20)) == message)
        }
        try await client.close(code: .normalClosure, reason: "done")
        #expect(client.closeCode == .normalClosure && client.closeWasClean)
        #expect(host.errors.count == 0)
        await host.server.stop()
    }

    @Test func certificate_thatIsNotTrusted_endsWith1015_whichNobodyIsSent() async throws {
        let host = try await SecureHost()
        let client = WebSocket()
        let closes = EventRecorder<WebSocketCloseInfo>()
        client.on(.close) { closes.record($0) }
        let error = await webSocketFailure { () async throws(WebSocketError) in try await client.connect(host.url) }
        #expect(error?.kind == .socket)
        #expect(error?.socketError?.kind == .certificateRejected)
        #expect(client.readyState == .closed)
        #expect(client.closeCode == .tlsHandshake && !client.closeWasClean)
        #expect(try await closes.wait(count: 1).map(\.code) == [.tlsHandshake])
        // The server had no connection that could have been sent anything.
        #expect(try await host.errors.wait(count: 1)[0].socketError?.kind == .tlsFailed)
        #expect(host.server.listAllConnections().isEmpty)
        await host.server.stop()
    }

    @Test func skipServerCertVerification_takesAnybody() async throws {
        let host = try await SecureHost()
        let client = WebSocket()
        try await client.connect(
            host.url,
            WebSocketOptions(secureOptions: TLSSecureOptions(minVersion: .tls13), skipServerCertVerification: true))
        await client.close()
        await host.server.stop()
    }

    @Test func caPath_andClientCert_areOpenHarmonysNamesOfSecureOptions() async throws {
        let own = try Certificates.shared.issue(CertificateRequest(name: "client"))
        let host = try await SecureHost { secure in
            secure.ca = Certificates.shared.ca
            secure.clientAuthentication = .required
        }
        var options = WebSocketOptions()
        #expect(options.caPath == nil && options.clientCert == nil)
        options.caPath = Certificates.shared.authority.certificatePEM
        #expect(options.secureOptions.ca == Certificates.shared.ca)
        let nobody = WebSocket()
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await nobody.connect(host.url, options)
        }
        #expect(error?.socketError?.kind == .tlsFailed)
        #expect(nobody.closeCode == .tlsHandshake)
        let certificate = WebSocketClientCert(certPath: own.certificatePEM, keyPath: own.keyPEM())
        options.clientCert = certificate
        #expect(options.clientCert == certificate)
        let somebody = WebSocket()
        try await somebody.connect(host.url, options)
        try await somebody.send("it is me")
        #expect(try await somebody.receive(timeout: .seconds(20))?.text == "it is me")
        await somebody.close()
        await host.server.stop()
    }

    @Test func server_withoutTLS_isNoSecureServer() async throws {
        var config = Host.config
        // It does not wait for the end of a header, which a TLS handshake does not have.
        config.handshakeTimeout = .seconds(60)
        let host = try await Host(config)
        let client = WebSocket()
        let url = host.url.replacing("ws://", with: "wss://")
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await client.connect(url, trusting)
        }
        #expect(try await host.errors.wait(count: 1).first?.kind == .handshakeFailed)
        #expect([.tlsFailed, .truncated].contains(error?.socketError?.kind), "\(String(describing: error))")
        #expect(client.closeCode == .tlsHandshake)
        await host.stop()
    }

    @Test func options_thatCannotBe_areNamed() async throws {
        var options = WebSocketOptions()
        options.caPath = "/nowhere/ca.pem"
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await WebSocket().connect("wss://127.0.0.1:1/", options)
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "ca")
        #expect(error?.description.hasPrefix("ca: ") == true && error?.description.contains("ca: ca:") == false)
    }

    @Test func stream_thatIsSecureAlready_carriesAWebSocket() async throws {
        let host = try await SecureHost()
        let tls = TLSSocket()
        try await tls.connect(
            TLSConnectOptions(
                address: NetAddress("localhost", port: try #require(host.server.localAddress).port),
                secureOptions: Certificates.shared.clientOptions))
        let client = WebSocket(over: tls)
        try await client.connect(host.url)
        try await client.send("over it")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "over it")
        await client.close()
        await host.server.stop()
    }
}
