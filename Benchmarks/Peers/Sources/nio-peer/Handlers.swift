import NIOCore
import NIOPosix

struct HandlerServer {
    let mode: Mode

    func run() async throws {
        let mode = mode
        let server = try await serverBootstrap()
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    switch mode {
                    case .echo: try channel.pipeline.syncOperations.addHandler(EchoHandler())
                    case .discard: try channel.pipeline.syncOperations.addHandler(DiscardHandler())
                    case .chargen: try channel.pipeline.syncOperations.addHandler(CharactersHandler())
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        sayListening(server)
        try await server.closeFuture.get()
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class DiscardHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class CharactersHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) { generate(context) }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func generate(_ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(characters)).assumeIsolated().whenSuccess { self.generate(context) }
    }
}

// MARK: Datagrams

private final class DatagramEchoHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// With the reads in batches that SwiftNIO's own echo server has behind an option.
func datagramBootstrap() -> DatagramBootstrap {
    DatagramBootstrap(group: oneLoop)
        .channelOption(.datagramVectorReadMessageCount, value: 30)
        .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 30 * 2048))
}

func serveDatagramsWithHandlers() async throws {
    let socket = try await datagramBootstrap()
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(DatagramEchoHandler())
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    sayListening(socket)
    try await socket.closeFuture.get()
}

// MARK: Client

struct HandlerClient {
    let host: String
    let port: Int
    let messages: Int

    init(_ arguments: [String]) {
        guard let port = Int(arguments[3]), let messages = Int(arguments[4]) else { fail("HOST PORT MESSAGES") }
        (host, self.port, self.messages) = (arguments[2], port, messages)
    }

    func run() async throws {
        let channel = try await ClientBootstrap(group: oneLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: host, port: port).get()
        try await exchange(messages / 10, on: channel)
        say("ready")
        guard readLine() != nil else { return }
        let time = try await ContinuousClock().measure { try await exchange(messages, on: channel) }
        sayDone(time)
        while readLine() != nil {}
    }

    private func exchange(_ count: Int, on channel: any Channel) async throws {
        let loop = channel.eventLoop
        let end = loop.makePromise(of: Void.self)
        try await loop.submit {
            let rally = RallyHandler(count, end)
            try channel.pipeline.syncOperations.addHandler(rally)
        }.get()
        try await end.futureResult.get()
    }
}

func sayDone(_ time: Duration) {
    say("done \(Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18)")
}

/// A message, its reply, the next message.
private final class RallyHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let message = ByteBuffer(repeating: 0x2a, count: 64)
    private var left: Int
    private var received = 0
    private let end: EventLoopPromise<Void>

    init(_ count: Int, _ end: EventLoopPromise<Void>) { (left, self.end) = (count, end) }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(message), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytes
        guard received == message.readableBytes else { return }
        received = 0
        left -= 1
        if left > 0 {
            context.writeAndFlush(wrapOutboundOut(message), promise: nil)
        } else {
            context.pipeline.syncOperations.removeHandler(context: context, promise: end)
        }
    }
}
