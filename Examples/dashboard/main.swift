import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    help: """
        dashboard: a TCP echo server that shows its sockets live in a browser: what goes through each, and what waits.

          --host ADDRESS       where to listen (127.0.0.1)
          --port PORT          of the echo server; 0 lets the system choose (7007)
          --page-port PORT     of the page; 0 lets the system choose (8080)
          --interval SECONDS   between two pictures, at least 0.05 (0.5)
          --most N             connections of the echo server at a time; further clients are refused (1000000)
          --demo N             so many clients of its own keep the server busy (0)
          --loops N            threads that serve the sockets (1)

        Prints "listening on ADDRESS:PORT", and where the page is, when it is ready. /state of the page's port answers with
        what the page shows, as JSON. Ends on Ctrl-C, on SIGTERM, and at the end of standard input if that is a terminal
        or a pipe.
        """)
let host = arguments.text("--host", default: "127.0.0.1")
let address = NetAddress(host, port: arguments.number("--port", in: 0...65_535, default: 7007))
let pageAddress = NetAddress(host, port: arguments.number("--page-port", in: 0...65_535, default: 8080))
let interval = arguments.seconds("--interval", default: 0.5)
if interval < .milliseconds(50) { fail("--interval: less than 0.05; --help says more", status: 2) }
let clients = arguments.number("--demo", in: 0...10_000)

let ledger = Ledger(interval: interval)
let group = SocketEventLoopGroup(count: arguments.number("--loops", in: 1...1024, default: 1))
group.observer = SocketObserver { report in ledger.hear(report) }
let server = TCPSocketServer(group: group)
server.maxConnections = arguments.number("--most", in: 0...1_000_000, default: 1_000_000)
server.overloadPolicy = .refuse
ledger.addGroup("echo server", of: server)
let page = Page(of: ledger, every: interval, group: group)
if clients > 0 { ledger.addGroup("demo clients") }

server.on(.connect) { client in
    ledger.add(client)
    client.on(.message) { message in
        guard !client.write(message.message) else { return }
        // What a client does not read waits here, and is shown. So no more is taken from it until it has read.
        client.pause()
        client.once(.drain) { client.resume() }
    }
}
let stop = StopRequest(endOfInput: true)
do {
    try server.eventLoop.run {
        // With little room in the kernel, what a client does not read is soon ours to keep, and to be seen.
        try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true, sendBufferSize: 32_768))
        try await server.listen(address, backlog: 4096)
        let pageAddress = try await page.start(pageAddress)
        let address = try await server.getLocalAddress()
        say("listening on \(address)\nthe page is at http://\(pageAddress)/")
        let demo = Task(executorPreference: server.eventLoop) {
            await Demo(server: address, group: group, ledger: ledger).run(clients)
        }
        await stop.wait(on: server.eventLoop)
        demo.cancel()
        await demo.value
        await page.stop()
        await server.close()
    }
} catch {
    fail("\(error)")
}
