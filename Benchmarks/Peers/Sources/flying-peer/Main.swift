import FlyingSocks
import Foundation
import Glibc

/// Servers and a client with FlyingSocks, in ordinary tasks: it has no other style.
///
///     flying-peer tcp-async echo|discard|chargen
///     flying-peer ws-async
///     flying-peer client-async HOST PORT MESSAGES
@main
struct Main {
    static func main() async throws {
        let arguments = CommandLine.arguments
        switch (arguments.dropFirst().first, arguments.count) {
        case ("tcp-async", 3): try await serve(arguments[2])
        case ("ws-async", 2): try await serveWebSockets()
        case ("client-async", 5):
            guard let port = UInt16(arguments[3]), let messages = Int(arguments[4]) else { fail("HOST PORT MESSAGES") }
            // Away from the main actor, as tasks usually are.
            try await Task.detached { try await play(arguments[2], port, messages) }.value
        default: fail("see the head of its source")
        }
    }
}

private var noDelay: BoolSocketOption { BoolSocketOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY) }

// MARK: Server

private func serve(_ mode: String) async throws {
    let pool: some AsyncSocketPool = .make(maxEvents: 1024)
    try await pool.prepare()
    let running = Task { try await pool.run() }
    let listener = try Socket(domain: AF_INET, type: .stream)
    try listener.setValue(true, for: .localAddressReuse)
    try listener.setValue(true, for: noDelay) // connections inherit it
    try listener.bind(to: sockaddr_in.inet(ip4: "127.0.0.1", port: 0))
    try listener.listen(maxPendingConnection: 4096)
    guard case .ip4(_, let port) = try listener.sockname() else { fail("not an IPv4 address") }
    say("listening on 127.0.0.1:\(port)")
    let server = try AsyncSocket(socket: listener, pool: pool)
    try await withThrowingDiscardingTaskGroup { tasks in
        for try await client in server.sockets {
            tasks.addTask {
                // Its end is an error here.
                try? await exchange(with: client, mode)
                try? client.close()
            }
        }
    }
    running.cancel()
}

private func exchange(with client: AsyncSocket, _ mode: String) async throws {
    switch mode {
    case "echo": while true { try await client.write(Data(client.read(atMost: 65_536))) }
    case "discard": while true { _ = try await client.read(atMost: 65_536) }
    case "chargen":
        let characters = generatedCharacters()
        while true { try await client.write(characters) }
    default: fail("no mode \(mode)")
    }
}

/// RFC 864, as much of it as goes into one write of the others too.
private func generatedCharacters() -> Data {
    var characters = Data()
    for line in 0..<9 * 95 {
        for column in 0..<72 { characters.append(UInt8(32 + (line + column) % 95)) }
        characters.append(contentsOf: [13, 10])
    }
    return characters
}

// MARK: Client

private func play(_ host: String, _ port: UInt16, _ messages: Int) async throws {
    let socket = try await AsyncSocket.connected(to: sockaddr_in.inet(ip4: host, port: port))
    try socket.socket.setValue(true, for: noDelay)
    let message = Data(repeating: 0x2a, count: 64)
    func exchange(_ count: Int) async throws {
        for _ in 0..<count {
            try await socket.write(message)
            var received = 0
            while received < 64 { received += try await socket.read(atMost: 65_536).count }
        }
    }
    try await exchange(messages / 10)
    say("ready")
    guard readLine() != nil else { return }
    let clock = ContinuousClock()
    let start = clock.now
    try await exchange(messages)
    let time = start.duration(to: clock.now)
    say("done \(Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18)")
    while readLine() != nil {}
}

func say(_ line: String) {
    _ = Array("\(line)\n".utf8).withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

func fail(_ reason: String) -> Never {
    _ = Array("flying-peer: \(reason)\n".utf8).withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(2)
}
