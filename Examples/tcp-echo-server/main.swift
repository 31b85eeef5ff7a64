import ExampleSupport
import HarmonySocket

// The files of the styles serve TLS as well, in tls-echo-server, which has other types for these names.
typealias Server = TCPSocketServer
typealias Connection = TCPSocketConnection

enum Style: String, CaseIterable { case async, callback, events }
enum Mode: String, CaseIterable { case echo, discard, chargen }

let arguments = Arguments(
    help: """
        tcp-echo-server: answers every client, in one of three ways (RFC 862, 863, 864), with code in one of three styles.

          --host ADDRESS   where to listen (127.0.0.1)
          --port PORT      0 lets the system choose (7007)
          --mode MODE      echo what comes, discard it, or discard it and send characters: chargen (echo)
          --style STYLE    async, callback or events (events)
          --loops N        threads that serve the clients (1)
          --share YES|NO   let other servers that do so too have the same port (no)
          --log YES|NO     a line on standard error for what happens to each socket (no)

        Prints "listening on ADDRESS:PORT" when it is ready. Ends on Ctrl-C, on SIGTERM, and at the end of standard
        input if that is a terminal or a pipe.
        """)
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))
let mode = arguments.choice("--mode", default: Mode.echo)
let style = arguments.choice("--style", default: Style.events)
let loops = arguments.number("--loops", in: 1...1024, default: 1)
let isShared = arguments.isYes("--share")

let group = SocketEventLoopGroup(count: loops)
if arguments.isYes("--log") {
    group.observer = SocketObserver { report in note("\(report)\n") }
}
let server = TCPSocketServer(group: group)
server.on(.error) { error in
    // A client that is gone, in the middle of something or not, is nothing that anybody needs to hear of.
    if error.kind != .connectionReset { complain("\(error)") }
}
let stop = StopRequest(endOfInput: true)
do {
    // The server's loop runs on this thread, and what follows runs on the loop: nothing on Swift's own threads. A server
    // that nobody talks to sleeps.
    try server.eventLoop.run {
        // What is set on the server holds for the connections that it accepts.
        try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true, reusePort: isShared))
        try await server.listen(address, backlog: 4096)
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
