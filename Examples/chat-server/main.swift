import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    help: """
        chat-server: passes each line that a client sends on to all others. Try it with tcp-client, nc or telnet.

          --host ADDRESS   where to listen (127.0.0.1)
          --port PORT      0 lets the system choose (7007)
          --clients N      how many may be in the room (1000)

        Clients type /name NEW, /who and /quit. One that does not read what is sent to it has to leave, so that it neither
        keeps the others waiting nor costs memory. Ends on Ctrl-C, on SIGTERM, and at the end of standard input if that
        is a terminal or a pipe.
        """)
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))
let room = Room(limit: arguments.number("--clients", in: 1...100_000, default: 1000))

// One loop: what happens in the room happens in one order, and everybody sees the same.
let server = TCPSocketServer(group: SocketEventLoopGroup(count: 1))
server.on(.error) { complain("\($0)") }
server.on(.connect) { client in
    let lines = LineReader()
    client.on(.message) { message in
        guard lines.read(message.message, { room.hear($0, from: client) }) else {
            return room.dismiss(client, because: "sent a line that is too long")
        }
    }
    client.on(.close) { room.leave(client) }
    room.enter(client)
}
let stop = StopRequest(endOfInput: true)
do {
    // The loop runs on this thread; the room's own thread sleeps too while nobody says anything.
    try server.eventLoop.run {
        try await server.listen(address)
        say("listening on \(try await server.getLocalAddress())")
        await stop.wait(on: server.eventLoop)
        await server.close()
        await room.closeAll()
    }
} catch {
    fail("\(error)")
}
