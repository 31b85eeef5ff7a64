import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    flags: ["--watch"],
    help: """
        interfaces: prints the network interfaces of this machine and their addresses.

          --watch   stays, and prints what comes, goes and changes, until Ctrl-C, SIGTERM, or the end of standard input if
                    that is a terminal or a pipe
        """)

do {
    // Before the first line: who reads it may send a signal.
    let stop = arguments.has("--watch") ? StopRequest(endOfInput: true) : nil
    let interfaces = try NetworkInterface.all()
    for line in table(interfaces) { say(line) }
    if let stop {
        // The loop runs on this thread, which sleeps while nothing changes.
        let group = SocketEventLoopGroup(count: 1)
        let loop = group.loops[0]
        loop.run {
            Task(executorPreference: loop) {
                do {
                    // Since the list: what changed while it was printed is told too.
                    for try await change in NetworkInterface.changes(since: interfaces, group: group) {
                        say("\(change)")
                    }
                } catch {
                    fail("\(error)")
                }
            }
            await stop.wait(on: loop)
        }
    }
} catch {
    fail("\(error)")
}
