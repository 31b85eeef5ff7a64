import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// Sends every message back, as SwiftNIO's own WebSocket server does it.
func serveWebSocketsWithHandlers() async throws {
    let server = try await serverBootstrap()
        .childChannelInitializer { channel in
            let upgrader = NIOWebSocketServerUpgrader(
                maxFrameSize: 1 << 24,
                shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
                upgradePipelineHandler: { channel, _ in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(WebSocketEchoHandler())
                    }
                })
            return channel.pipeline.configureHTTPServerPipeline(
                withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        }
        .bind(host: "127.0.0.1", port: 0).get()
    sayListening(server)
    try await server.closeFuture.get()
}

private final class WebSocketEchoHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary, .continuation: send(frame.opcode, frame, context)
        case .ping: send(.pong, frame, context)
        case .connectionClose: context.close(promise: nil)
        default: break
        }
    }

    private func send(_ opcode: WebSocketOpcode, _ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        let reply = WebSocketFrame(fin: frame.fin, opcode: opcode, data: frame.unmaskedData)
        context.write(wrapOutboundOut(reply), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
