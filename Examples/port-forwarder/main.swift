import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    words: ["HOST", "PORT"],
    help: """
        port-forwarder HOST PORT: passes what comes to one port on to another one, both ways.

          --host ADDRESS    where to listen (127.0.0.1)
          --port PORT       0 lets the system choose (7007)
          --idle SECONDS    ends a pair of connections on which nothing has moved for so long; 0 never (0)
          --timeout SECONDS for reaching HOST (5)
          --loops N         threads that serve the connections (1)
          --quiet YES|NO    no lines about connections (no)

        Prints "listening on ADDRESS:PORT" when it is ready, and a line with counters for each pair of connections that has
        ended. Ends on Ctrl-C, on SIGTERM, and at the end of standard input if that is a terminal or a pipe.
        """)

let target = NetAddress(arguments.text("HOST"), port: arguments.number("PORT", in: 1...65_535))
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))
let idle = arguments.seconds("--idle", default: 0)
let timeout = arguments.seconds("--timeout", default: 5)
let isQuiet = arguments.isYes("--quiet")
let group = SocketEventLoopGroup(count: arguments.number("--loops", in: 1...1024, default: 1))

func forward(_ client: TCPSocketConnection) async throws {
    let upstream = TCPSocket(group: group)
    do {
        try await upstream.connect(to: target, timeout: timeout)
    } catch {
        // The client has to learn that nobody is there: a plain end would look like an empty answer.
        await client.reset()
        throw error
    }
    let number = client.clientId
    do {
        // Each direction ends by itself, so a peer that has said all it had to still gets its answer.
        let counts = try await client.relay(with: upstream, idleTimeout: idle > .zero ? idle : nil)
        if !isQuiet { say("\(number): \(counts.forward) bytes there, \(counts.backward) bytes back") }
    } catch {
        let counts = error.counts
        if !isQuiet { say("\(number): \(counts.forward) bytes there, \(counts.backward) bytes back, \(error.error)") }
    }
    await upstream.close()
}

let server = TCPSocketServer(group: group)
server.on(.error) { complain("\($0)") }
let stop = StopRequest(endOfInput: true)
do {
    // The loop runs on this thread: see tcp-echo-server.
    try server.eventLoop.run {
        try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
        try await server.listen(address, backlog: 4096)
        say("listening on \(try await server.getLocalAddress())")
        let serving = Task(executorPreference: server.eventLoop) { try await server.serve(forward) }
        await stop.wait(on: server.eventLoop)
        // Relays end as cancelled, and their connections are closed.
        serving.cancel()
        _ = await serving.result
        await server.close()
    }
} catch {
    fail("\(error)")
}
