import NIOCore
import NIOPosix

typealias BytesChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

struct AsyncServer {
    let mode: Mode

    func run() async throws {
        let server = try await serverBootstrap().bind(host: "127.0.0.1", port: 0) { channel in
            channel.eventLoop.makeCompletedFuture { try BytesChannel(wrappingChannelSynchronously: channel) }
        }
        sayListening(server.channel)
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    tasks.addTask { try? await serve(connection) } // a connection that broke
                }
            }
        }
    }

    private func serve(_ connection: BytesChannel) async throws {
        try await connection.executeThenClose { input, output in
            switch mode {
            case .echo: for try await bytes in input { try await output.write(bytes) }
            case .discard: for try await _ in input {}
            case .chargen: while true { try await output.write(characters) }
            }
        }
    }
}

func serveDatagramsWithTasks() async throws {
    typealias Envelope = AddressedEnvelope<ByteBuffer>
    let socket = try await datagramBootstrap().bind(host: "127.0.0.1", port: 0) { channel in
        channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<Envelope, Envelope>(wrappingChannelSynchronously: channel)
        }
    }
    sayListening(socket.channel)
    try await socket.executeThenClose { input, output in
        for try await datagram in input { try await output.write(datagram) }
    }
}

struct AsyncClient {
    let host: String
    let port: Int
    let messages: Int

    init(_ arguments: [String]) {
        guard let port = Int(arguments[3]), let messages = Int(arguments[4]) else { fail("HOST PORT MESSAGES") }
        (host, self.port, self.messages) = (arguments[2], port, messages)
    }

    func run() async throws {
        let connection = try await ClientBootstrap(group: oneLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try BytesChannel(wrappingChannelSynchronously: channel) }
            }
        // Away from the main actor, as tasks usually are.
        try await Task.detached { [messages] in
            try await connection.executeThenClose { input, output in
                var replies = input.makeAsyncIterator()
                try await exchange(messages / 10, &replies, output)
                say("ready")
                guard readLine() != nil else { return }
                let clock = ContinuousClock()
                let start = clock.now
                try await exchange(messages, &replies, output)
                sayDone(start.duration(to: clock.now))
                while readLine() != nil {}
            }
        }.value
    }
}

private func exchange(
    _ count: Int, _ replies: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
    _ output: NIOAsyncChannelOutboundWriter<ByteBuffer>
) async throws {
    let message = ByteBuffer(repeating: 0x2a, count: 64)
    for _ in 0..<count {
        try await output.write(message)
        var received = 0
        while received < 64, let reply = try await replies.next() { received += reply.readableBytes }
    }
}
