import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    help: """
        line-server: answers each line that a client sends, in upper case. "quit" ends the conversation.

          --host ADDRESS   where to listen (127.0.0.1)
          --port PORT      0 lets the system choose (7007)

        Try it with tcp-client, nc or telnet. A line may have 1000 bytes. Ends on Ctrl-C, on SIGTERM, and at the end of
        standard input if that is a terminal or a pipe.
        """)
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))

/// With a framing, a message is a line, however it arrives, and what is sent becomes one.
@Sendable func answerLines(of client: TCPSocketConnection) async throws {
    client.setFraming(try .lines(maxLength: 1000))
    do {
        for try await line in client.messages {
            if line.text == "quit" { break }
            try await client.send(line.text?.uppercased() ?? "that is not UTF-8")
        }
        try await client.send("bye")
    } catch {
        guard error.kind == .messageTooLong else { throw error }
        try await client.send("that line is too long")
    }
}

let server = TCPSocketServer()
server.on(.error) { if $0.kind != .connectionReset { complain("\($0)") } }
let stop = StopRequest(endOfInput: true)
do {
    try server.eventLoop.run {
        try await server.listen(address)
        say("listening on \(try await server.getLocalAddress())")
        Task(executorPreference: server.eventLoop) { try await server.serve(answerLines) }
        await stop.wait(on: server.eventLoop)
        await server.close()
    }
} catch {
    fail("\(error)")
}
