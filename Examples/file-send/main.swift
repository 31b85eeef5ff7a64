import ExampleSupport
import HarmonySocket

let arguments = Arguments(
    words: ["HOST", "PORT", "FILE"],
    help: """
        file-send HOST PORT FILE: sends a file to file-receive, and says whether it has arrived as it is.

          --timeout SECONDS   for connecting, and for the answer at the end (10)
          --method METHOD     sendfile, or read: through the program's memory (sendfile)
          --checksum YES|NO   read the file once more to compare checksums (yes)

        Goes over the wire as eight bytes with the length, most significant first, then the file; the answer is its CRC-32
        in hexadecimal, and a line feed.
        """)
enum Method: String, CaseIterable { case sendfile, read }

let address = NetAddress(arguments.text("HOST"), port: arguments.number("PORT", in: 1...65_535))
let path = arguments.text("FILE")
let timeout = arguments.seconds("--timeout", default: 10)
let method = arguments.choice("--method", default: Method.sendfile)
let isCompared = arguments.isYes("--checksum", default: true)
let tcp = TCPSocket()

func checksum() throws -> String {
    let file = try DiskFile.reading(path)
    var sum = Checksum()
    while case let bytes = try file.read(upTo: 1 << 20), !bytes.isEmpty { sum.add(bytes) }
    return sum.description
}

func sendByReading(_ file: DiskFile, _ size: Int, _ display: ProgressDisplay) async throws {
    var sent = 0
    // No further than the length that was said, should the file grow meanwhile.
    while sent < size, case let bytes = try file.read(upTo: min(1 << 16, size - sent)), !bytes.isEmpty {
        try await tcp.send(bytes)
        sent += bytes.count
        display.show(sent)
    }
    if sent < size { fail("\(path) became shorter meanwhile") }
}

do {
    try tcp.eventLoop.run {
        Task(executorPreference: tcp.eventLoop) {
            await StopRequest().wait(on: tcp.eventLoop)
            await tcp.reset()
            fail("interrupted")
        }
        let file = try DiskFile.reading(path)
        let size = try file.size()
        try await tcp.connect(to: address, timeout: timeout)
        try await tcp.send((0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * $0)) })
        let display = ProgressDisplay(total: size)
        switch method {
        case .sendfile: try await tcp.sendFile(path, count: size) { display.show($0.sent) }
        case .read: try await sendByReading(file, size, display)
        }
        display.end()
        guard let answer = try await tcp.receive(until: [0x0a], maxLength: 64, timeout: timeout) else {
            fail("the receiver has left without an answer")
        }
        let there = String(decoding: answer.dropLast(), as: UTF8.self)
        await tcp.close()
        if isCompared, case let here = try checksum(), here != there {
            fail("checksum \(here) here, but \(there) there")
        }
        say("\(size) bytes sent, checksum \(there)")
    }
} catch {
    fail("\(error)")
}
