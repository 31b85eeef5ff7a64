import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    words: ["FILE"],
    help: """
        file-receive FILE: waits for one file-send, and writes what it sends.

          --host ADDRESS      where to listen (127.0.0.1)
          --port PORT         0 lets the system choose (7007)
          --limit MEGABYTES   refuse what is larger (4096)
          --timeout SECONDS   give up when nothing more comes for so long (30)

        Prints "listening on ADDRESS:PORT" when it is ready. Until everything is there the file is called FILE.part.
        """)
let path = arguments.text("FILE")
let address = NetAddress(
    arguments.text("--host", default: "127.0.0.1"), port: arguments.number("--port", in: 0...65_535, default: 7007))
let limit = arguments.number("--limit", in: 0...1_000_000_000, default: 4096) * 1_000_000
let timeout = arguments.seconds("--timeout", default: 30)

/// Writes what the sender sends; the number of bytes and their checksum.
func receive(from sender: TCPSocketConnection, into file: DiskFile) async throws -> (size: Int, checksum: Checksum) {
    guard let header = try await sender.receive(exactly: 8, timeout: timeout) else {
        fail("the sender has left without a word")
    }
    let size = header.reduce(0) { $0 << 8 | Int($1) }
    guard (0...limit).contains(size) else { fail("the sender has \(UInt(bitPattern: size)) bytes: too many") }
    let display = ProgressDisplay(total: size)
    defer { display.end() }
    var checksum = Checksum()
    var rest = size
    while rest > 0 {
        // Asked for no more than what is left, so a sender that goes on is not read.
        guard let bytes = try await sender.receive(upTo: min(rest, 65_536), timeout: timeout) else {
            throw FileCut(received: size - rest, size: size)
        }
        checksum.add(bytes)
        try file.write(bytes)
        rest -= bytes.count
        display.show(size - rest)
    }
    return (size, checksum)
}

struct FileCut: Error, CustomStringConvertible {
    let received: Int
    let size: Int
    var description: String { "the sender has left after \(received) of \(size) bytes" }
}

let server = TCPSocketServer()
let stop = StopRequest()
do {
    try server.eventLoop.run {
        try await server.listen(address)
        say("listening on \(try await server.getLocalAddress())")
        let work = Task(executorPreference: server.eventLoop) {
            for try await sender in server.connections {
                // One is all that is waited for.
                await server.close()
                let file = try DiskFile.writing(path + ".part")
                do {
                    let (size, checksum) = try await receive(from: sender, into: file)
                    try file.rename(to: path)
                    try await sender.send("\(checksum)\n")
                    await sender.close()
                    return "\(size) bytes received, checksum \(checksum)"
                } catch {
                    file.remove()
                    throw error
                }
            }
            return ""
        }
        Task(executorPreference: server.eventLoop) {
            await stop.wait(on: server.eventLoop)
            work.cancel()
        }
        do {
            say(try await work.value)
        } catch let error as SocketError where error.kind == .cancelled {
            // Nobody has come: then there is nothing to be sorry about.
            if error.operation == .accept { leave(status: 0) }
            fail("interrupted")
        }
    }
} catch {
    fail("\(error)")
}
