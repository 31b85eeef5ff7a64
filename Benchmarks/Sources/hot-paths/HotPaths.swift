import HarmonySocket

/// The hot paths of the library, each as short as a program can write it.
///
///     hot-paths SERVER                       answers until standard input ends
///     hot-paths CLIENT HOST PORT MESSAGES    exchanges a tenth of them, prints "ready", waits for a line, exchanges
///                                            MESSAGES of 64 bytes, one after the other, and prints "done" and the seconds
///
/// What is measured from outside is the whole process, so nothing else happens in it: one loop, on the main thread.
@main
struct HotPaths {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let path = arguments.first else { fail("name one of \(names)") }
        if let server = TCPServerPath(rawValue: path) {
            try server.run()
        } else if let server = UDPServerPath(rawValue: path) {
            try server.run()
        } else if let server = WebSocketServerPath(rawValue: path) {
            try server.run()
        } else if let client = ClientPath(rawValue: path) {
            let words = Array(arguments.dropFirst())
            guard words.count == 3, let port = Int(words[1]), let messages = Int(words[2]) else {
                fail("\(path) takes HOST PORT MESSAGES")
            }
            try client.run(to: NetAddress(words[0], port: port), messages: messages)
        } else {
            fail("no \(path): there are \(names)")
        }
    }

    private static var names: String {
        let servers =
            TCPServerPath.allCases.map(\.rawValue) + UDPServerPath.allCases.map(\.rawValue)
            + WebSocketServerPath.allCases.map(\.rawValue)
        return (servers + ClientPath.allCases.map(\.rawValue)).joined(separator: ", ")
    }
}
