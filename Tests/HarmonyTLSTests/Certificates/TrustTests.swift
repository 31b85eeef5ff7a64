import HarmonySocket
import HarmonyTLS
import Testing

@Suite("Whom a client trusts", .timeLimit(.minutes(1)))
struct TrustTests {
    @Test(
        "The system's certificates are those that SSL_CERT_FILE or SSL_CERT_DIR names, as for other programs of OpenSSL",
        .enabled(if: ChildProcess.findExample("tls-client") != nil, "the examples are not built"),
        .enabled(if: ChildProcess.find("openssl") != nil, "openssl is not installed"),
        arguments: ["SSL_CERT_FILE", "SSL_CERT_DIR"])
    func systemTrust_isThatOfTheEnvironment(variable: String) async throws {
        let program = try #require(ChildProcess.findExample("tls-client"))
        let folder = try TemporaryDirectory()
        let root = try TemporaryFile(Array(Certificates.shared.authority.certificatePEM.utf8))
        for arguments in [["cp", root.path, folder.entry("root.pem")], ["openssl", "rehash", folder.path]] {
            let child = try ChildProcess(arguments[0], Array(arguments.dropFirst()))
            #expect(try await blocking { try child.waitForEnd() } == 0)
        }
        let (server, port) = try await makeTLSServer()
        server.on(.connect) { client in client.send("welcome\n") { _ in client.close { _ in } } }
        func visit(_ setting: String) async throws -> (output: [UInt8], status: Int32) {
            let child = try ChildProcess("env", [setting, program, "localhost", "\(port)"])
            child.closeInput()
            let output = try await blocking { try child.readAll() }
            return (output, try await blocking { try child.waitForEnd() })
        }
        let trusted = try await visit("\(variable)=\(variable == "SSL_CERT_FILE" ? root.path : folder.path)")
        #expect(trusted.output == Array("welcome\n".utf8))
        #expect(trusted.status == 0)
        #expect(try await visit("\(variable)=/nowhere").status == 1)
        await server.close()
    }

    @Test("What connects share does not go around the checks: other options, in turn, count each time")
    func options_inTurn_countEachTime() async throws {
        let all = Certificates.shared
        let stranger = try #require(MadeCertificate(CertificateRequest(name: "Stranger", isAuthority: true)))
        let (server, port) = try await makeTLSServer { $0.secureOptions.maxVersion = .tls12 }
        server.on(.connect) { _ in }
        func connect(_ secure: TLSSecureOptions) async -> SocketError? {
            let client = TLSSocket()
            do throws(SocketError) {
                try await client.connect(clientOptions(port: port, secure))
                await client.close()
                return nil
            } catch {
                return error
            }
        }
        for _ in 0..<2 {
            for _ in 0..<2 { #expect(await connect(TLSSecureOptions(ca: all.ca)) == nil) }
            for secure in [TLSSecureOptions(ca: [stranger.certificatePEM]), TLSSecureOptions()] {
                #expect(await connect(secure)?.kind == .certificateRejected)
            }
            #expect(await connect(TLSSecureOptions(ca: all.ca, minVersion: .tls13))?.kind == .tlsFailed)
        }
        await server.close()
    }

    @Test("A file of trusted certificates is read for each connect, so what has changed in it counts")
    func file_isReadEachTime() async throws {
        let stranger = try #require(MadeCertificate(CertificateRequest(name: "Stranger", isAuthority: true)))
        let file = try TemporaryFile(Array(Certificates.shared.authority.certificatePEM.utf8))
        let (server, port) = try await makeTLSServer()
        server.on(.connect) { _ in }
        let options = clientOptions(port: port, TLSSecureOptions(ca: [file.path]))
        let first = TLSSocket()
        try await first.connect(options)
        try file.replace(Array(stranger.certificatePEM.utf8))
        let error = await failure { () throws(SocketError) in try await TLSSocket().connect(options) }
        #expect(error?.kind == .certificateRejected)
        await first.close()
        await server.close()
    }
}
