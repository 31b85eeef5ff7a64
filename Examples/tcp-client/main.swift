import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    words: ["HOST", "PORT"],
    help: """
        tcp-client HOST PORT: sends standard input to a peer and prints what it answers, both at once.

          --timeout SECONDS   for connecting (5)

        At the end of input it ends its direction, and goes on reading until the peer has ended too. When input is typed
        at a terminal, the end of the peer is enough.
        """)
let address = NetAddress(arguments.text("HOST"), port: arguments.number("PORT", in: 1...65_535))
let timeout = arguments.seconds("--timeout", default: 5)

let tcp = TCPSocket()
Task {
    await StopRequest().wait()
    leave(status: 0)
}
do {
    try await tcp.connect(to: address, timeout: timeout)
    // A chunk is read when the one before is sent: a slow peer slows standard input down.
    let upload = Task {
        for await chunk in StandardInput() { try await tcp.send(chunk) }
        try await tcp.finish()
    }
    // And a slow standard output slows the peer down.
    for try await chunk in tcp.messages { await StandardOutput.write(chunk.message) }
    if !inputIsTerminal { try await upload.value }
    await tcp.close()
} catch {
    fail("\(error)")
}
