import HarmonySocket
import Testing

@testable import HarmonyWebSocket

@Suite(.bounded) struct WebSocketServerLifetimeTests {
    /// Whether somebody listens there.
    private func answers(_ address: NetAddress) async -> Bool {
        let socket = TCPSocket()
        do throws(SocketError) {
            try await socket.connect(to: address)
            await socket.close()
            return true
        } catch {
            return false
        }
    }

    @Test("7. A server that nobody has or hears stops listening")
    func server_thatNobodyHas_stopsListening() async throws {
        var server: WebSocketServer? = WebSocketServer()
        try await server?.start(Host.config)
        let address = try #require(server?.localAddress)
        #expect(await answers(address))
        server = nil
        try await eventually("nobody listens") { await !answers(address) }
    }

    @Test("7. A listener keeps a server; when it is taken away, the connections go too that nobody has")
    func listener_keepsTheServer() async throws {
        var server: WebSocketServer? = WebSocketServer()
        let weak = Weak(server)
        let kept = EventRecorder<WebSocketConnection>()
        // A listener for one event takes itself away.
        server?.once(.close) { _ in }
        let connects = EventRecorder<Void>()
        let connect = server?.on(.connect) { connection in
            if connection.request.path == "/kept" { kept.record(connection) }
            connects.record(())
        }
        let host = try #require(server?.host)
        try await server?.start(Host.config)
        let address = try #require(server?.localAddress)
        server = nil
        #expect(weak.value == nil)
        let (lost, held) = (WebSocket(), WebSocket())
        try await lost.connect("ws://\(address)/lost")
        try await held.connect("ws://\(address)/kept")
        let third = WebSocket()
        try await third.connect("ws://\(address)/third")
        try await connects.wait(count: 3)
        host.remove { $0.ticket == connect?.ticket }
        #expect(await answers(address))
        await third.close()
        try await eventually("nobody listens") { await !answers(address) }
        #expect(try await lost.receive(timeout: .seconds(20)) == nil)
        #expect(lost.closeCode == .goingAway)
        let connection = try #require(kept.events.first)
        try await connection.send("still here")
        #expect(try await held.receive(timeout: .seconds(20))?.text == "still here")
        await held.close()
    }

    @Test("7. A server that was stopped lets go of its listeners, and of what they hold")
    func stop_letsGoOfTheListeners() async throws {
        var server: WebSocketServer? = WebSocketServer()
        let weak = Weak(server)
        server?.on(.connect) { [server] _ in _ = server?.listAllConnections() }
        try await server?.start(Host.config)
        await server?.stop()
        server?.on(.error) { [server] _ in _ = server?.listAllConnections() }
        server = nil
        #expect(weak.value == nil)
    }
}
