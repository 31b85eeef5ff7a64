import ExampleSupport
import HarmonySocket
import HarmonyTLS
import HarmonyWebSocket

enum Style: String, CaseIterable { case async, callback, events }

let arguments = Arguments(
    flags: ["--no-compression"],
    help: """
        ws-echo-server: sends every WebSocket message back, with its type, with code in one of three styles.

          --host ADDRESS      where to listen (127.0.0.1)
          --port PORT         0 lets the system choose (7007)
          --style STYLE       async, callback or events (events)
          --loops N           threads that serve the clients (1)
          --max-message N     the largest message, in bytes (16777216)
          --no-compression    do not offer permessage-deflate
          --cert FILE         serve wss:// with this certificate, PEM, and those that lead to its root
          --key FILE          its private key, PEM
          --log YES|NO        a line on standard error for what happens to each socket (no)

        Prints "listening on ADDRESS:PORT" when it is ready. Ends on Ctrl-C, on SIGTERM, and at the end of standard
        input if that is a terminal or a pipe.
        """)
let style = arguments.choice("--style", default: Style.events)
let limit = arguments.number("--max-message", in: 125...1 << 40, default: 16 << 20)

var config = WebSocketServerConfig(
    serverIP: arguments.text("--host", default: "127.0.0.1"),
    serverPort: arguments.number("--port", in: 0...65_535, default: 7007),
    limits: WebSocketLimits(maxFrameSize: limit, maxMessageSize: limit))
guard arguments.has("--cert") == arguments.has("--key") else {
    fail("--cert and --key go together; --help says more", status: 2)
}
let identity =
    arguments.has("--cert") ? TLSSecureOptions(cert: [arguments.text("--cert")], key: arguments.text("--key")) : nil
if !arguments.has("--no-compression") { config.compression = WebSocketCompression() }

let group = SocketEventLoopGroup(count: arguments.number("--loops", in: 1...1024, default: 1))
if arguments.isYes("--log") {
    group.observer = SocketObserver { report in note("\(report)\n") }
}
let server = WebSocketServer(group: group)
server.on(.error) { error in
    // A client that is gone, or never spoke WebSocket, is nothing that anybody needs to hear of.
    if error.kind != .connectionLost && error.kind != .handshakeFailed { complain("\(error)") }
}
let stop = StopRequest(endOfInput: true)
do {
    try server.eventLoop.run { [config, identity] in
        if let identity {
            let below = TLSSocketServer(group: group)
            try await below.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
            try await below.listen(
                TLSConnectOptions(
                    address: NetAddress(config.serverIP, port: config.serverPort), secureOptions: identity),
                backlog: 4096)
            try await server.start(on: below, config)
        } else {
            try await server.start(config)
        }
        if let address = server.localAddress { say("listening on \(address)") }
        switch style {
        case .events: serveWithEvents(server)
        case .callback: serveWithCallbacks(server)
        case .async: Task(executorPreference: server.eventLoop) { try await serveWithTasks(server) }
        }
        await stop.wait(on: server.eventLoop)
        await server.stop()
    }
} catch {
    fail("\(error)")
}
