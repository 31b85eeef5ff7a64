import ExampleSupport
import HarmonySocket

enum Role: String, CaseIterable { case receive, send }

let arguments = Arguments(
    words: ["ROLE"],
    help: """
        udp-meter receive, udp-meter send: two copies measure the way between them: rate, loss and jitter of datagrams.

          --host ADDRESS   where to listen, or the receiver (127.0.0.1)
          --port PORT      0 lets the system choose (7007)
          --rate N         of send: datagrams a second; 0 is as many as go (1000)
          --size BYTES     of send: of each datagram (1200)
          --seconds S      of send: how long (5)

        The receiver prints "listening on ADDRESS:PORT" when it is ready and a line for each stream that ends. It ends on
        Ctrl-C, on SIGTERM, and at the end of standard input if that is a terminal or a pipe. The sender prints the
        receiver's line. Mind that the way may belong to others too.
        """)
let role = Role(rawValue: arguments.text("ROLE"))
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))
let rate = arguments.number("--rate", in: 0...10_000_000, default: 1000)
let size = arguments.number("--size", in: Probe.size...UDPSocket.maximumSizeIPv4, default: 1200)
let time = arguments.seconds("--seconds", default: 5)

let udp = UDPSocket(group: SocketEventLoopGroup(count: 1))
let stop = StopRequest(endOfInput: role == .receive)
do {
    try udp.eventLoop.run {
        switch role {
        case .receive:
            // Room for what comes while the loop is busy; the system gives less, if that is its limit.
            try await udp.setExtraOptions(UDPExtraOptions(receiveBufferSize: 4 << 20))
            try await udp.bind(address)
            say("listening on \(try await udp.getLocalAddress())")
            Task(executorPreference: udp.eventLoop) {
                var receiver = Receiver(udp)
                try await receiver.run()
            }
            await stop.wait(on: udp.eventLoop)
        case .send:
            try await udp.connect(to: address)
            let sending = Task(executorPreference: udp.eventLoop) {
                try await Sender(udp: udp, size: size, rate: rate, time: time).run()
            }
            Task(executorPreference: udp.eventLoop) {
                await stop.wait(on: udp.eventLoop)
                sending.cancel()
            }
            guard let report = try await sending.value else { fail("\(address) does not answer") }
            say(report)
        case nil: fail("the role is receive or send; --help says more", status: 2)
        }
        await udp.close()
    }
} catch {
    fail("\(error)")
}
