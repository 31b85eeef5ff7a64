import HarmonySocket
import Testing

@testable import HarmonyWebSocket

@Suite(.bounded) struct WebSocketReconnectTests {
    private static let policy = WebSocketReconnectPolicy(initialDelay: .milliseconds(1), maxDelay: .milliseconds(10))

    private func lose(_ listener: RawSocket) async throws {
        try await blocking {
            let peer = RawPeer(socket: try listener.accept())
            try peer.shakeHands()
            peer.socket.reset()
        }
    }

    private func keep(_ listener: RawSocket) async throws -> RawPeer {
        try await blocking {
            let peer = RawPeer(socket: try listener.accept())
            try peer.shakeHands()
            return peer
        }
    }

    @Test func connection_thatIsLost_comesBack() async throws {
        let listener = try RawSocket.listening()
        let client = WebSocket()
        let log = EventRecorder<String>()
        client.on(.open) { log.record("open") }
        client.on(.reconnecting) { log.record("reconnecting \($0.attempt)") }
        client.on(.close) { log.record("close") }
        async let first: Void = lose(listener)
        try await client.connect("ws://127.0.0.1:\(listener.port)/", WebSocketOptions(reconnect: Self.policy))
        try await first
        let peer = try await keep(listener)
        try await log.wait { $0.filter { $0 == "open" }.count == 2 }
        #expect(log.events == ["open", "reconnecting 1", "open"])
        // The same sequence goes on.
        try await blocking { try peer.socket.send(Frames.text("again", mask: nil)) }
        #expect(try await client.receive(timeout: .seconds(20))?.text == "again")
        async let closing: Void = client.close()
        try await blocking {
            _ = try peer.readFrame()
            try peer.socket.send(Frames.close(1000, mask: nil))
            peer.socket.finish()
        }
        await closing
        try await log.wait(for: "close")
    }

    @Test func connection_thatNobodyTakes_isGivenUp() async throws {
        let listener = try RawSocket.listening()
        let port = listener.port
        let client = WebSocket()
        let log = EventRecorder<String>()
        client.on(.reconnecting) { log.record("reconnecting \($0.attempt)") }
        client.on(.close) { log.record("close \($0.error?.kind.rawValue ?? "")") }
        var policy = Self.policy
        policy.maxAttempts = 3
        async let lost: Void = {
            try await lose(listener)
            listener.close()
        }()
        try await client.connect("ws://127.0.0.1:\(port)/", WebSocketOptions(reconnect: policy))
        try await lost
        let events = try await log.wait { $0.last?.hasPrefix("close") == true }
        #expect(events == ["reconnecting 1", "reconnecting 2", "reconnecting 3", "close socket"])
        #expect(client.readyState == .closed)
    }

    @Test func close_whileItWaits_endsIt() async throws {
        let listener = try RawSocket.listening()
        let client = WebSocket()
        let log = EventRecorder<String>()
        client.on(.reconnecting) { log.record("reconnecting") }
        client.on(.close) { log.record("close") }
        async let lost: Void = lose(listener)
        let policy = WebSocketReconnectPolicy(initialDelay: .seconds(600), maxDelay: .seconds(600))
        try await client.connect("ws://127.0.0.1:\(listener.port)/", WebSocketOptions(reconnect: policy))
        try await lost
        try await log.wait(for: "reconnecting")
        #expect(client.readyState == .connecting)
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.send("x") }?.kind
                == .notConnected)
        try await within { await client.close() }
        try await log.wait(for: "close")
        #expect(client.readyState == .closed)
    }

    @Test func goodbye_ofTheServer_isHeeded_unlessItRestarts() async throws {
        for (code, comesBack) in [(1000, false), (1012, true)] {
            let listener = try RawSocket.listening()
            let client = WebSocket()
            let log = EventRecorder<String>()
            client.on(.reconnecting) { log.record("reconnecting") }
            client.on(.close) { log.record("close") }
            async let leaving: Void = blocking {
                let peer = RawPeer(socket: try listener.accept())
                try peer.shakeHands(behind: Frames.close(code, mask: nil))
                _ = try peer.readFrame()
                peer.socket.close()
            }
            try await client.connect("ws://127.0.0.1:\(listener.port)/", WebSocketOptions(reconnect: Self.policy))
            try await leaving
            try await log.wait(for: comesBack ? "reconnecting" : "close")
            await client.close()
        }
    }
}
