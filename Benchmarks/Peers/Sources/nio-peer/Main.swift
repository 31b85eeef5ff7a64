import Glibc
import NIOCore
import NIOPosix

/// Servers and clients with SwiftNIO: with handlers on the loop, and with NIOAsyncChannel in ordinary tasks. One loop.
///
///     nio-peer tcp-handlers|tcp-async echo|discard|chargen
///     nio-peer udp-handlers|udp-async
///     nio-peer ws-handlers
///     nio-peer client-handlers|client-async HOST PORT MESSAGES
@main
struct Main {
    static func main() async throws {
        let arguments = CommandLine.arguments
        switch (arguments.dropFirst().first, arguments.count) {
        case ("tcp-handlers", 3): try await HandlerServer(mode: Mode(arguments[2])).run()
        case ("tcp-async", 3): try await AsyncServer(mode: Mode(arguments[2])).run()
        case ("udp-handlers", 2): try await serveDatagramsWithHandlers()
        case ("udp-async", 2): try await serveDatagramsWithTasks()
        case ("ws-handlers", 2): try await serveWebSocketsWithHandlers()
        case ("client-handlers", 5): try await HandlerClient(arguments).run()
        case ("client-async", 5): try await AsyncClient(arguments).run()
        default: fail("see the head of its source")
        }
    }
}

enum Mode: String {
    case echo, discard, chargen

    init(_ name: String) {
        guard let mode = Mode(rawValue: name) else { fail("no mode \(name)") }
        self = mode
    }
}

let oneLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

/// What a character generator sends (RFC 864), as much of it as goes into one write of the others too.
let characters: ByteBuffer = {
    var characters = ByteBuffer()
    for line in 0..<9 * 95 {
        for column in 0..<72 { characters.writeInteger(UInt8(32 + (line + column) % 95)) }
        characters.writeBytes([13, 10])
    }
    return characters
}()

/// How reads are made: as SwiftNIO's own echo server has it.
func serverBootstrap() -> ServerBootstrap {
    ServerBootstrap(group: oneLoop)
        .serverChannelOption(.backlog, value: 4096)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .childChannelOption(.maxMessagesPerRead, value: 16)
        .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator())
}

func say(_ line: String) {
    _ = Array("\(line)\n".utf8).withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

func sayListening(_ channel: any Channel) {
    say("listening on 127.0.0.1:\(channel.localAddress?.port ?? 0)")
}

func fail(_ reason: String) -> Never {
    _ = Array("nio-peer: \(reason)\n".utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(2)
}
