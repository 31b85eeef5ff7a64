import HarmonySocket
import HarmonyTLS
import Testing

// Each test is skipped, visibly, where its program is not installed.
@Suite("Interoperation with other TLS programs", .timeLimit(.minutes(2)))
struct TLSInteropTests {
    static let versions: [TLSProtocol] = [.tls12, .tls13]

    /// The files that other programs want.
    private struct Files {
        let ca: TemporaryFile
        let cert: TemporaryFile
        let key: TemporaryFile

        init(_ made: MadeCertificate = Certificates.shared.server) throws {
            ca = try TemporaryFile(Array(Certificates.shared.authority.certificatePEM.utf8))
            cert = try TemporaryFile(Array(made.certificatePEM.utf8))
            key = try TemporaryFile(Array(made.keyPEM().utf8))
        }
    }

    /// A server that answers each line with itself, and what was agreed on.
    private static func makeLineServer(
        _ change: (inout TLSConnectOptions) -> Void = { _ in }
    ) async throws -> (TLSSocketServer, Int, EventRecorder<TLSSocketConnection>) {
        let (server, port) = try await makeTLSServer(Certificates.shared.serverOptions, change)
        let connections = EventRecorder<TLSSocketConnection>()
        server.on(.connect) { connection in
            connections.record(connection)
            if let lines = try? LineFraming.lines() { connection.setFraming(lines) }
            connection.on(.message) { line in
                let facts = [
                    line.text ?? "", connection.negotiatedProtocol?.rawValue ?? "", connection.alpnProtocol ?? "none",
                    connection.serverName ?? "none", connection.remoteCertificates.first?.subject ?? "none",
                    connection.isResumed ? "resumed" : "new",
                ]
                connection.send(facts.joined(separator: " ")) { _ in }
            }
        }
        return (server, port, connections)
    }

    // MARK: openssl

    @Test(
        "openssl s_client talks to our server: version, ALPN, SNI, client certificate",
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"), arguments: versions)
    func sClient_talksToUs(version: TLSProtocol) async throws {
        let all = Certificates.shared
        let files = try Files(try all.issue(CertificateRequest(name: "client")))
        let (server, port, connections) = try await TLSInteropTests.makeLineServer {
            $0.secureOptions.ca = all.ca
            $0.secureOptions.clientAuthentication = .required
            $0.alpnProtocols = ["h2", "http/1.1"]
        }
        let child = try ChildProcess(
            "openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(port)", version == .tls12 ? "-tls1_2" : "-tls1_3", "-quiet",
                "-no_ign_eof",
                "-CAfile", files.ca.path, "-cert", files.cert.path, "-key", files.key.path, "-servername", "localhost",
                "-alpn", "http/1.1,h2", "-verify_return_error", "-verify_hostname", "localhost",
            ])
        try await blocking { try child.write(Array("hello\n".utf8)) }
        let answer = try await blocking { try child.readLine() }
        #expect(answer == "hello \(version) h2 localhost CN=client new")
        // s_client ends with close_notify, so nothing is truncated.
        let closed = Outcome<String>()
        try await connections.wait(count: 1)[0].on(.close) {
            closed.set(.success($0.error.map { "\($0)" } ?? "no error"))
        }
        child.closeInput()
        #expect(try await within { try await closed.value } == "no error")
        #expect(try await blocking { try child.waitForEnd() } == 0)
        await server.close()
    }

    @Test(
        "openssl s_client resumes a session of our server",
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"), arguments: versions)
    func sClient_resumes(version: TLSProtocol) async throws {
        let (server, port, _) = try await TLSInteropTests.makeLineServer()
        let files = try Files()
        let session = try TemporaryFile()
        let name = version == .tls12 ? "-tls1_2" : "-tls1_3"
        func exchange(_ arguments: [String]) async throws -> String {
            let child = try ChildProcess(
                "openssl",
                ["s_client", "-connect", "127.0.0.1:\(port)", name, "-quiet", "-no_ign_eof", "-CAfile", files.ca.path]
                    + arguments)
            try await blocking { try child.write(Array("hello\n".utf8)) }
            let answer = try await blocking { try child.readLine() }
            child.closeInput()
            _ = try await blocking { try child.waitForEnd() }
            return answer
        }
        #expect(try await exchange(["-sess_out", session.path]).hasSuffix(" new"))
        #expect(try await exchange(["-sess_in", session.path]).hasSuffix(" resumed"))
        await server.close()
    }

    @Test(
        "A client that asks for a renegotiation is refused, gives up, and the connection ends with a typed error",
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"))
    func renegotiation_isRefused() async throws {
        let (server, port, connections) = try await TLSInteropTests.makeLineServer {
            $0.secureOptions.maxVersion = .tls12
        }
        let child = try ChildProcess(
            "openssl", ["s_client", "-connect", "127.0.0.1:\(port)", "-tls1_2", "-legacy_renegotiation"])
        let connection = try await connections.wait(count: 1)[0]
        let closed = Outcome<SocketError?>()
        connection.on(.close) { closed.set(.success($0.error)) }
        // "R" at the beginning of a line is s_client's word for it.
        try await blocking { try child.write(Array("R\n".utf8)) }
        let output = try await blocking { String(decoding: try child.readAll(ofErrors: true), as: UTF8.self) }
        #expect(output.contains("no renegotiation"), "\(output)")
        child.closeInput()
        _ = try await blocking { try child.waitForEnd() }
        let error = try await within { try await closed.value }
        #expect(error?.kind == .tlsFailed)
        #expect(error?.message.contains("handshake failure") == true, "\(error?.message ?? "no error")")
        await server.close()
    }

    @Test(
        "Our client talks to openssl s_server: version, client certificate, ALPN, and 1 MB back",
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"), arguments: versions)
    func sServer_isTalkedTo(version: TLSProtocol) async throws {
        let all = Certificates.shared
        let files = try Files()
        let own = try all.issue(CertificateRequest(name: "client"))
        let port = try freePort()
        // Echoes each line backwards.
        let child = try ChildProcess(
            "openssl",
            [
                "s_server", "-accept", "127.0.0.1:\(port)", version == .tls12 ? "-tls1_2" : "-tls1_3", "-rev",
                "-CAfile", files.ca.path, "-cert", files.cert.path, "-key", files.key.path, "-Verify", "1",
                "-verify_return_error", "-alpn", "imap,h2", "-naccept", "1",
            ])
        let client = try await connectWhenItListens(
            port, TLSSecureOptions(ca: all.ca, cert: [own.certificatePEM], key: own.keyPEM())
        ) { $0.alpnProtocols = ["http/1.1", "h2"] }
        try await client.send("stressed\n")
        #expect(try await client.receive(until: "\n") == Array("desserts\n".utf8))
        #expect(client.negotiatedProtocol == version)
        #expect(client.alpnProtocol == "h2")
        await client.close()
        _ = try await blocking { try child.waitForEnd() }
    }

    @Test(
        "Our client resumes a session of openssl s_server, which knows it by the name that it asks for",
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"), arguments: versions)
    func sServer_resumes(version: TLSProtocol) async throws {
        let files = try Files()
        let port = try freePort()
        let child = try ChildProcess(
            "openssl",
            [
                "s_server", "-accept", "127.0.0.1:\(port)", version == .tls12 ? "-tls1_2" : "-tls1_3", "-rev",
                "-cert", files.cert.path, "-key", files.key.path, "-naccept", "2",
                // Whoever asks for this name gets the certificate for it; others would get one that is not for it.
                "-servername", "localhost", "-servername_fatal", "-cert2", files.cert.path, "-key2", files.key.path,
            ])
        var session: TLSSession?
        for isResumed in [false, true] {
            let client = try await connectWhenItListens(port, Certificates.shared.clientOptions) {
                $0.session = session
            }
            try await client.send("stressed\n")
            #expect(try await client.receive(until: "\n") == Array("desserts\n".utf8))
            #expect(client.isResumed == isResumed)
            session = client.session
            #expect(session != nil)
            await client.close()
        }
        _ = try await blocking { try child.waitForEnd() }
    }

    @Test(
        "A server that asks for a renegotiation is refused, gives up, and the connection ends with a typed error",
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"))
    func helloRequest_isRefused() async throws {
        let files = try Files()
        let port = try freePort()
        let child = try ChildProcess(
            "openssl",
            [
                "s_server", "-accept", "127.0.0.1:\(port)", "-tls1_2", "-cert", files.cert.path, "-key", files.key.path,
                "-naccept", "1",
            ])
        let client = try await connectWhenItListens(port, Certificates.shared.clientOptions)
        try await client.send("before\n")
        var line = ""
        repeat { line = try await blocking { try child.readLine() } } while line != "before"
        // "r" at the beginning of a line is s_server's word for it.
        try await blocking { try child.write(Array("r\n".utf8)) }
        let error = await failure { () throws(SocketError) in
            while try await client.receive(timeout: .seconds(20)) != nil {}
        }
        #expect(error?.kind == .tlsFailed)
        #expect(error?.message.contains("handshake failure") == true, "\(error?.message ?? "no error")")
        let output = try await blocking { String(decoding: try child.readAll(ofErrors: true), as: UTF8.self) }
        #expect(output.contains("no renegotiation"), "\(output)")
        await client.close()
        child.closeInput()
        _ = try await blocking { try child.waitForEnd() }
    }

    /// s_server says nothing of its own when it listens.
    private func connectWhenItListens(
        _ port: Int, _ secure: TLSSecureOptions, _ change: (inout TLSConnectOptions) -> Void = { _ in }
    ) async throws -> TLSSocket {
        var options = clientOptions(port: port, secure)
        change(&options)
        for _ in 0..<400 {
            let client = TLSSocket()
            do throws(SocketError) {
                try await client.connect(options)
                return client
            } catch {
                guard error.kind == .connectionRefused else { throw error }
                try await Task.sleep(for: .milliseconds(25))
            }
        }
        throw WaitTimedOut(what: "s_server listens")
    }

    // MARK: Python

    private static let pythonClient = """
        import hashlib, select, socket, ssl, sys
        c = ssl.create_default_context(cafile=sys.argv[2])
        c.minimum_version = c.maximum_version = getattr(ssl.TLSVersion, sys.argv[3])
        c.set_alpn_protocols(["h2"])
        s = c.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 15), server_hostname="localhost")
        # In one thread: two at once inside of one connection of OpenSSL is what Python before 3.13 does not prevent.
        data = bytes(i * 7 % 251 for i in range(251)) * 40000
        h = hashlib.sha256(); n = sent = 0
        s.setblocking(False)
        while n < len(data):
            mustWait = True
            if sent < len(data):
                try: sent += s.send(data[sent:sent + 65536]); mustWait = False
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError): pass
            try:
                b = s.recv(1 << 20)
                if not b: break
                h.update(b); n += len(b); mustWait = False
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError): pass
            if mustWait: select.select([s], [s] if sent < len(data) else [], [], 15)
        s.settimeout(15)
        print("ok" if h.digest() == hashlib.sha256(data).digest() else "bad %d" % n, s.version(),
              s.selected_alpn_protocol(), flush=True)
        s.unwrap()
        print("closed", flush=True)
        """

    @Test(
        "A Python client gets 10 MB back whole from our server",
        .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"), arguments: versions)
    func pythonClient_getsItsBytesBack(version: TLSProtocol) async throws {
        let (server, port) = try await makeTLSServer { $0.alpnProtocols = ["h2"] }
        let serving = Task {
            try await server.serve { client in
                for try await chunk in client.messages { try await client.send(chunk.message) }
            }
        }
        let files = try Files()
        let child = try ChildProcess(
            "python3",
            ["-c", TLSInteropTests.pythonClient, "\(port)", files.ca.path, version == .tls12 ? "TLSv1_2" : "TLSv1_3"])
        let answer = try await blocking(.seconds(60)) { try child.readLine() }
        #expect(answer == "ok \(version) h2")
        #expect(try await blocking { try child.readLine() } == "closed")
        #expect(try await blocking { try child.waitForEnd() } == 0)
        await server.close()
        try await within { try await serving.value }
    }

    private static let pythonServer = """
        import socket, ssl, sys
        c = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        c.load_cert_chain(sys.argv[1], sys.argv[2])
        c.minimum_version = c.maximum_version = getattr(ssl.TLSVersion, sys.argv[3])
        l = socket.create_server(("127.0.0.1", 0)); l.settimeout(15)
        print(l.getsockname()[1], flush=True)
        s = c.wrap_socket(l.accept()[0], server_side=True); s.settimeout(15)
        data = b""
        while len(data) < 1000000:
            b = s.recv(1 << 20)
            if not b: break
            data += b
        s.sendall(data)
        s.unwrap()
        print("closed", flush=True)
        """

    @Test(
        "Our client gets 1 MB back whole from a Python server, and its end",
        .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"), arguments: versions)
    func pythonServer_sendsBytesBack(version: TLSProtocol) async throws {
        let files = try Files()
        let child = try ChildProcess(
            "python3",
            [
                "-c", TLSInteropTests.pythonServer, files.cert.path, files.key.path,
                version == .tls12 ? "TLSv1_2" : "TLSv1_3",
            ])
        let port = try #require(Int(try await blocking { try child.readLine() }))
        let client = TLSSocket()
        try await client.connect(clientOptions(port: port))
        let bytes = pattern(1_000_000)
        async let sending: Void = client.send(bytes)
        #expect(try await readAll(client) == bytes)
        try await sending
        await client.close()
        #expect(try await blocking { try child.readLine() } == "closed")
        #expect(try await blocking { try child.waitForEnd() } == 0)
    }

    // MARK: GnuTLS

    @Test(
        "gnutls-cli talks to our server",
        .enabled(if: ChildProcess.find("gnutls-cli") != nil, "gnutls-cli is not installed"), arguments: versions)
    func gnutlsClient_talksToUs(version: TLSProtocol) async throws {
        let (server, port, _) = try await TLSInteropTests.makeLineServer { $0.alpnProtocols = ["h2"] }
        let files = try Files()
        let child = try ChildProcess(
            "gnutls-cli",
            [
                "127.0.0.1", "--port=\(port)", "--sni-hostname=localhost", "--verify-hostname=localhost", "--alpn=h2",
                "--x509cafile=\(files.ca.path)", "--logfile=/dev/null",
                "--priority=NORMAL:-VERS-ALL:+VERS-\(version == .tls12 ? "TLS1.2" : "TLS1.3")",
            ])
        try await blocking { try child.write(Array("hello\n".utf8)) }
        var line = ""
        repeat { line = try await blocking { try child.readLine() } } while !line.hasPrefix("hello")
        #expect(line == "hello \(version) h2 localhost none new")
        child.closeInput()
        #expect(try await blocking { try child.waitForEnd() } == 0)
        await server.close()
    }

    @Test(
        "Our client talks to gnutls-serv",
        .enabled(if: ChildProcess.find("gnutls-serv") != nil, "gnutls-serv is not installed"), arguments: versions)
    func gnutlsServer_isTalkedTo(version: TLSProtocol) async throws {
        let files = try Files()
        let port = try freePort()
        let child = try ChildProcess(
            "gnutls-serv",
            [
                "--echo", "--port=\(port)", "--x509certfile=\(files.cert.path)", "--x509keyfile=\(files.key.path)",
                "--disable-client-cert",
                "--priority=NORMAL:-VERS-ALL:+VERS-\(version == .tls12 ? "TLS1.2" : "TLS1.3")",
            ])
        let client = try await connectWhenItListens(port, Certificates.shared.clientOptions)
        try await client.send("hello\n")
        #expect(try await client.receive(until: "\n") == Array("hello\n".utf8))
        #expect(client.negotiatedProtocol == version)
        await client.close()
        withExtendedLifetime(child) {}
    }
}
