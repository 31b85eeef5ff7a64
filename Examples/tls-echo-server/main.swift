import ExampleSupport
import HarmonySocket
import HarmonyTLS

// The files of the styles are those of tcp-echo-server: what differs is what these names stand for.
typealias Server = TLSSocketServer
typealias Connection = TLSSocketConnection

enum Style: String, CaseIterable { case async, callback, events }
enum Mode: String, CaseIterable { case echo, discard, chargen }

let arguments = Arguments(
    flags: ["--self-signed"],
    help: """
        tls-echo-server: answers every client over TLS, as tcp-echo-server does without.

          --cert FILE      the certificate, PEM, with those that lead to its root
          --key FILE       its private key, PEM
          --self-signed    instead: makes a certificate for localhost, and says where it put it
          --client-ca FILE ask clients for a certificate that this one has signed
          --alpn NAMES     application protocols, the best first, separated by commas
          --host ADDRESS   where to listen (127.0.0.1)
          --port PORT      0 lets the system choose (8443)
          --mode MODE      echo what comes, discard it, or discard it and send characters: chargen (echo)
          --style STYLE    async, callback or events (events)
          --loops N        threads that serve the clients (1)
          --share YES|NO   let other servers that do so too have the same port (no)
          --log YES|NO     a line on standard error for what happens to each socket (no)

        Prints "listening on ADDRESS:PORT" when it is ready, and a line on standard error for each handshake that failed. Ends on
        Ctrl-C, on SIGTERM, and at the end of standard input if that is a terminal or a pipe.
        """)
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 8443))
let mode = arguments.choice("--mode", default: Mode.echo)
let style = arguments.choice("--style", default: Style.events)
let loops = arguments.number("--loops", in: 1...1024, default: 1)
let isShared = arguments.isYes("--share")
guard arguments.has("--self-signed") != (arguments.has("--cert") && arguments.has("--key")) else {
    fail("either --cert and --key or --self-signed; --help says more", status: 2)
}

var secure = TLSSecureOptions(cert: [arguments.text("--cert")], key: arguments.text("--key"))
if arguments.has("--self-signed") {
    do {
        guard let identity = TLSIdentity.makeSelfSigned(for: ["localhost", "127.0.0.1", "::1"]) else {
            fail("cannot make a certificate")
        }
        let file = try DiskFile.temporary("tls-echo-server")
        try file.write(Array(identity.cert.joined().utf8))
        note("the certificate is in \(file.path)\n")
        secure.cert = identity.cert
        secure.key = identity.key
    } catch {
        fail("\(error)")
    }
}
if arguments.has("--client-ca") {
    secure.ca = [arguments.text("--client-ca")]
    secure.clientAuthentication = .required
}
let options = TLSConnectOptions(
    address: address, secureOptions: secure,
    alpnProtocols: arguments.text("--alpn").split(separator: ",").map(String.init))

let group = SocketEventLoopGroup(count: loops)
if arguments.isYes("--log") {
    group.observer = SocketObserver { report in note("\(report)\n") }
}
let server = TLSSocketServer(group: group)
server.on(.error) { error in
    if error.kind != .connectionReset { complain("\(error)") }
}
let stop = StopRequest(endOfInput: true)
do {
    try server.eventLoop.run {
        try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true, reusePort: isShared))
        try await server.listen(options, backlog: 4096)
        say("listening on \(try await server.getLocalAddress())")
        switch style {
        case .events: serveWithEvents(server, mode)
        case .callback: serveWithCallbacks(server, mode)
        case .async: Task(executorPreference: server.eventLoop) { try await serveWithTasks(server, mode) }
        }
        await stop.wait(on: server.eventLoop)
        await server.close()
    }
} catch {
    fail("\(error)")
}
