import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    words: ["HOST", "PORT"],
    help: """
        udp-client HOST PORT: sends standard input to a peer as datagrams and prints the datagrams that it answers.

          --chunk BYTES    the most that one datagram carries (1400)
          --wait SECONDS   how long to wait for answers after the end of input (1)

        HOST is an IP address. Each line typed at a terminal, and each chunk of a file or a pipe, is one datagram.
        """)
let peer = NetAddress(arguments.text("HOST"), port: arguments.number("PORT", in: 1...65_535))
let chunkSize = arguments.number("--chunk", in: 1...UDPSocket.maximumSizeIPv4, default: 1400)
let wait = arguments.seconds("--wait", default: 1)

let udp = UDPSocket()
Task {
    await StopRequest().wait()
    leave(status: 0)
}
udp.on(.message) { StandardOutput.writeNow($0.message) }
// That nobody has the port is not known when a datagram is sent: the answer comes later, as an event.
udp.on(.error) { fail("\($0)") }
do {
    // The first send gives the socket an address.
    for await chunk in StandardInput(chunkSize: chunkSize) { try await udp.send(chunk, to: peer) }
    try await Task.sleep(for: wait)
    await udp.close()
} catch {
    fail("\(error)")
}
