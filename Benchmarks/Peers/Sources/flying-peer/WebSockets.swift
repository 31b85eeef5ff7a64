import FlyingFox
import Glibc

/// Sends every message back, with FlyingFox.
func serveWebSockets() async throws {
    // A message in one frame, as all others send it.
    let echo = WebSocketHTTPHandler.webSocket(EchoWSMessageHandler(), frameSize: 1 << 24)
    let server = HTTPServer(address: .inet(port: 0), logger: .disabled, handler: echo)
    let running = Task { try await server.run() }
    try await server.waitUntilListening()
    guard case .ip4(_, let port)? = await server.listeningAddress else { fail("not an IPv4 address") }
    say("listening on 127.0.0.1:\(port)")
    try await running.value
}
