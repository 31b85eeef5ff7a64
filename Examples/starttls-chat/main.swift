import ExampleSupport
import HarmonySocket
import HarmonyTLS

let arguments = Arguments(
    help: """
        starttls-chat: two people type to each other. The connection begins in the open, and becomes secure before anything is said
        (STARTTLS). One of them waits:

          --listen ADDRESS   where to wait (127.0.0.1)
          --port PORT        0 lets the system choose (7007)

        It makes a key for this talk, and prints a pin: the other one, who got that by another way, knows by it that nobody is in
        between:

          --connect HOST     whom to talk to
          --port PORT        (7007)
          --pin PIN          as it was printed there: sha256/...

        Ends when one of them does, with Ctrl-D or Ctrl-C.
        """)
let port = arguments.number("--port", in: 0...65_535, default: 7007)
Task {
    await StopRequest().wait()
    leave(status: 0)
}
do {
    if arguments.has("--connect") {
        guard let pin = TLSPin(arguments.text("--pin")) else { fail("--pin is not as it was printed", status: 2) }
        let address = NetAddress(arguments.text("--connect"), port: port)
        try await talk(over: try await call(address, pin))
    } else {
        try await talk(
            over: try await wait(at: NetAddress(arguments.text("--listen", default: "127.0.0.1"), port: port)))
    }
} catch {
    fail("\(error)")
}
