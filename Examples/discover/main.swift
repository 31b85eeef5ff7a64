import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    help: """
        discover: finds its copies on the network by multicast, and prints them as they come and go.

          --name NAME        what the others call this one (somebody); up to 32 characters
          --group ADDRESS    a multicast address, IPv4 or IPv6 (239.255.70.7)
          --port PORT        (7070)
          --interface NAME   only there; without it, on each interface that carries multicast, also on those that come later
          --interval SECONDS how often each copy says that it is there (1); who is silent for three times as long is gone

        Prints "+ NAME at ADDRESS (INTERFACE)" for a copy that comes, and "- NAME" for one that goes. Ends on Ctrl-C, on
        SIGTERM, and at the end of standard input if that is a terminal or a pipe, saying goodbye to the others.
        """)
let name = arguments.text("--name", default: "somebody")
let group = NetAddress(
    arguments.text("--group", default: "239.255.70.7"), port: arguments.number("--port", in: 1...65_535, default: 7070))
let interval = arguments.seconds("--interval", default: 1)
if interval < .milliseconds(50) { fail("--interval: not below 0.05 seconds", status: 2) }
guard let greeting = Greeting(name: name) else { fail("--name: \"\(name)\" cannot be a name", status: 2) }

// Everything runs on one loop: the sockets, the watch on the interfaces, and the actor that they belong to.
let loops = SocketEventLoopGroup(count: 1)
let station = Station(
    greeting, group, loops, onlyOn: arguments.has("--interface") ? arguments.text("--interface") : nil)
let stop = StopRequest(endOfInput: true)
do {
    try loops.loops[0].run {
        try await station.open()
        say("\(name) listens to \(group)")
        let work = [
            Task { await failing { try await station.followInterfaces() } },
            Task { await failing { try await station.greetEvery(interval) } },
        ]
        await stop.wait(on: loops.loops[0])
        for task in work { task.cancel() }
        await station.close()
    }
} catch {
    fail("\(error)")
}

/// Ends the program when `body` fails, unless that is because it was cancelled.
@Sendable func failing(_ body: () async throws -> Void) async {
    do {
        try await body()
    } catch {
        if !Task.isCancelled { fail("\(error)") }
    }
}
