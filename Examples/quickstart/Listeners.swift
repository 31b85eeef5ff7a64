import HarmonySocket

/// A server and a client with listeners, as in OpenHarmony: each is told what happens.
func runListeners() async throws {
    chapter("TCP with listeners")
    let closed = Moment("the client's close event")
    let serverClosed = Moment("the server's close event")
    let server = TCPSocketServer()
    server.on(.listening) { note("server", "on listening", server.localAddress?.description ?? "") }
    server.on(.close) {
        note("server", "on close")
        serverClosed.reached()
    }
    server.on(.connect) { client in
        note("server", "on connect", "accepted client \(client.clientId)")
        client.on(.message) { message in
            note("accepted", "on message", "\"\(message.text ?? "")\"")
            client.write(message.message)
        }
        // The peer has ended its direction; with a message listener, close follows by itself.
        client.on(.end) { note("accepted", "on end") }
        client.on(.close) { note("accepted", "on close", "with an error: \($0.hadError)") }
    }
    try await server.listen(NetAddress("127.0.0.1", port: 0))

    let tcp = TCPSocket()
    tcp.on(.connect) { note("client", "on connect", "\(tcp.state)") }
    let listener = tcp.on(.message) { message in
        note("client", "on message", "\"\(message.text ?? "")\"")
        expect(message.text == "listen!", "the echo")
        tcp.close { _ in }
    }
    tcp.on(.close) { info in
        note("client", "on close", "with an error: \(info.hadError)")
        expect(!info.hadError, "a close in good order")
        closed.reached()
    }
    try await tcp.connect(to: try await server.getLocalAddress(), timeout: .seconds(2))
    try await tcp.send("listen!")
    await closed.wait()
    tcp.off(listener)
    await server.close()
    await serverClosed.wait()
}
