import ExampleSupport
import HarmonySocket

enum Style: String, CaseIterable { case async, callback, events }

let arguments = Arguments(
    help: """
        udp-echo-server: sends each datagram back to where it came from (RFC 862), with code in one of three styles.

          --host ADDRESS   where to listen (127.0.0.1)
          --port PORT      0 lets the system choose (7007)
          --style STYLE    async, callback or events (events)
          --loops N        threads; one socket uses one of them (1)

        Prints "listening on ADDRESS:PORT" when it is ready. Ends on Ctrl-C, on SIGTERM, and at the end of standard
        input if that is a terminal or a pipe.
        """)
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))
let style = arguments.choice("--style", default: Style.events)
let loops = arguments.number("--loops", in: 1...1024, default: 1)

let udp = UDPSocket(group: SocketEventLoopGroup(count: loops))
let stop = StopRequest(endOfInput: true)
do {
    // The loop runs on this thread. What follows runs on the socket's loop, and nothing on Swift's own threads: a server
    // that nobody talks to sleeps.
    try udp.eventLoop.run {
        try await udp.bind(address)
        say("listening on \(try await udp.getLocalAddress())")
        switch style {
        case .events: serveWithEvents(udp)
        case .callback: serveWithCallbacks(udp)
        case .async: Task(executorPreference: udp.eventLoop) { try await serveWithTasks(udp) }
        }
        await stop.wait(on: udp.eventLoop)
        await udp.close()
    }
} catch {
    fail("\(error)")
}
