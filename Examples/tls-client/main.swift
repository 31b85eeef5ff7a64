import ExampleSupport
import HarmonySocket
import HarmonyTLS

let arguments = Arguments(
    words: ["HOST", "PORT"], flags: ["--insecure"],
    help: """
        tls-client HOST PORT: connects with TLS, says on standard error what came of it, then sends standard input and prints what
        the peer answers, both at once.

          --ca FILE           trust these certificates (PEM), and not those of the system
          --cert FILE         show this certificate (PEM) to a server that asks for one
          --key FILE          its private key
          --servername NAME   the name to ask for, and to find in the certificate (HOST)
          --alpn NAMES        application protocols to offer, the best first, separated by commas
          --min VERSION       TLSv1.2 or TLSv1.3
          --max VERSION       TLSv1.2 or TLSv1.3
          --session FILE      resume the session that is in this file, and put a new one there
          --keylog FILE       add the secrets of the connection to this file, for Wireshark
          --insecure          do not check who the server is
          --timeout SECONDS   for connecting (10)

        At the end of input it ends its direction, and goes on reading until the peer has ended too. When input is typed at a
        terminal, the end of the peer is enough.
        """)
var secure = TLSSecureOptions()
if arguments.has("--ca") { secure.ca = [arguments.text("--ca")] }
if arguments.has("--cert") { secure.cert = [arguments.text("--cert")] }
if arguments.has("--key") { secure.key = arguments.text("--key") }
if arguments.has("--min") { secure.minVersion = arguments.choice("--min", default: .tls12) }
if arguments.has("--max") { secure.maxVersion = arguments.choice("--max", default: .tls13) }
var options = TLSConnectOptions(
    address: NetAddress(arguments.text("HOST"), port: arguments.number("PORT", in: 1...65_535)),
    secureOptions: secure, alpnProtocols: arguments.text("--alpn").split(separator: ",").map(String.init),
    skipRemoteValidation: arguments.has("--insecure"), timeout: arguments.seconds("--timeout", default: 10))
if arguments.has("--servername") { options.serverName = arguments.text("--servername") }
let sessionFile = SessionFile(arguments.has("--session") ? arguments.text("--session") : nil)
options.session = sessionFile.session
if arguments.has("--keylog") {
    do {
        let file = try DiskFile.appendingSecrets(arguments.text("--keylog"))
        options.keyLog = { line in try? file.write(Array((line + "\n").utf8)) }
    } catch {
        fail("\(error)")
    }
}

let tls = TLSSocket()
Task {
    await StopRequest().wait()
    leave(status: 0)
}
do {
    try await tls.connect(options)
    note(try await describe(tls))
    let upload = Task {
        for await chunk in StandardInput() { try await tls.send(chunk) }
        try await tls.finish()
    }
    // A peer that is cut off is an error here: TLS tells it from one that has said all.
    for try await chunk in tls.messages { await StandardOutput.write(chunk.message) }
    if !inputIsTerminal { try await upload.value }
    sessionFile.keep(tls.session)
    await tls.close()
} catch {
    fail("\(error)")
}
