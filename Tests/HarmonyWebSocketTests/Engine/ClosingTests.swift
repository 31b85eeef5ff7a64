import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// Ends, good and bad, of real connections.
@Suite(.bounded) struct ClosingTests {
    @Test func close_ofAClient_sendsCodeAndReason_andAwaitsTheServersEnd() async throws {
        let (peer, client) = try await RawPeer.server()
        async let closing: Void = client.close(code: .init(rawValue: 4321), reason: "grund")
        let frame = try await blocking { try peer.readFrame() }
        #expect(frame == .close(4321, "grund"))
        #expect(client.readyState == .closing)
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.send("late") }?.kind == .closed
        )
        try await blocking {
            // What comes behind our close frame is dropped.
            try peer.socket.send(Frames.text("late", mask: nil))
            try peer.socket.send(Frames.close(1001, "auch", mask: nil))
            peer.socket.finish()
        }
        try await closing
        #expect(client.closeCode == .goingAway)
        #expect(client.closeReason == "auch")
        #expect(client.closeWasClean)
        #expect(try await client.receive() == nil)
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]) func close_withACodeThatCannotBeSent_isRefused(
        _ code: Int
    ) async throws {
        let host = try await Host()
        let client = try await host.connect()
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await client.close(code: WebSocketCloseCode(rawValue: code))
        }
        #expect(error?.field == "code")
        #expect(client.readyState == .open)
        let long = await webSocketFailure { () async throws(WebSocketError) in
            try await client.close(code: .normalClosure, reason: String(repeating: "x", count: 124))
        }
        #expect(long?.field == "reason")
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.close(code: nil, reason: "x")
            }?.field == "reason")
        try await client.close(code: .normalClosure, reason: String(repeating: "x", count: 123))
        await host.stop()
    }

    /// A peer may break the connection between the last byte of the handshake and what follows from it.
    @Test func aStream_thatHasEndedBeforeItIsUsed_endsTheWebSocket() async throws {
        let pair = try await makeTCPPair()
        await pair.connection.reset()
        let driver = WebSocketDriver(isServer: true, loop: pair.connection.stream.driver.loop, group: nil)
        let info = WebSocketOpenInfo(
            status: 101, message: "", protocol: "", extensions: "", headers: WebSocketHeaders())
        driver.post { driver.accept(pair.connection, "/", info, Host.config, nil) }
        try await eventually("it has ended") { driver.withState { $0.readyState } == .closed }
        #expect(driver.withState { $0.closeInfo?.code } == .abnormalClosure)
        await pair.close()
    }

    @Test func close_withoutACode_sendsNone() async throws {
        let (peer, client) = try await RawPeer.server()
        async let closing: Void = client.close(code: nil)
        #expect(try await blocking { try peer.readFrame() } == RawPeer.Frame(first: 0x88, payload: []))
        try await blocking {
            try peer.socket.send(Frames.make(8, mask: nil))
            peer.socket.finish()
        }
        try await closing
        #expect(client.closeCode == .noStatusReceived)
        #expect(client.closeWasClean)
    }

    @Test func close_ofAPeerThatNeverAnswers_endsInTime() async throws {
        let (peer, client) = try await RawPeer.server(WebSocketOptions(closeTimeout: .milliseconds(50)))
        let log = EventRecorder<WebSocketCloseInfo>()
        client.on(.close) { log.record($0) }
        try await within { await client.close() }
        let info = try #require(try await log.wait(count: 1).first)
        #expect(info.code == .abnormalClosure && !info.wasClean)
        #expect(info.error?.kind == .closeTimedOut)
        peer.socket.close()
    }

    @Test func close_ofAServer_endsTheConnectionItself() async throws {
        let host = try await Host()
        let peer = try await RawPeer.client(of: host)
        let connection = try #require(try await host.connections.wait(count: 1).first)
        async let closing: Void = connection.close(code: .serviceRestart)
        let frames = try await blocking {
            let first = try peer.readFrame()
            try peer.socket.send(Frames.close(1012))
            return (first, try peer.readFrame())
        }
        #expect(frames.0 == .close(1012))
        // The server is the first to end the connection.
        #expect(frames.1 == nil)
        try await closing
        #expect(connection.closeWasClean)
        await host.stop()
    }

    @Test func end_withoutACloseFrame_isAbnormal() async throws {
        let (peer, client) = try await RawPeer.server()
        let log = EventRecorder<String>()
        client.on(.error) { log.record("error \($0.kind)") }
        client.on(.close) { log.record("close \($0.code.rawValue) \($0.wasClean)") }
        client.on(.message) { _ in }
        peer.socket.close()
        try await log.wait(for: "close 1006 false")
        #expect(log.events == ["error connectionLost", "close 1006 false"])
        #expect(client.lastError?.kind == .connectionLost)
    }

    @Test func reset_byThePeer_isAbnormal() async throws {
        let (peer, client) = try await RawPeer.server()
        peer.socket.reset()
        let error = await webSocketFailure { () async throws(WebSocketError) in try await client.receive() }
        #expect(error?.kind == .connectionLost)
        #expect(error?.socketError?.kind == .connectionReset)
    }

    @Test func violation_isToldToBothSides() async throws {
        let (peer, client) = try await RawPeer.server()
        let closed = EventRecorder<WebSocketCloseInfo>()
        client.on(.close) { closed.record($0) }
        let frames = try await blocking {
            try peer.socket.send(Frames.make(3, mask: nil))
            return try peer.readFrames()
        }
        #expect(frames.map(\.closeCode) == [1002])
        peer.socket.close()
        let info = try #require(try await closed.wait(count: 1).first)
        #expect(info.error?.kind == .protocolViolation)
        #expect(info.error?.closeCode == .protocolError)
        #expect(info.code == .abnormalClosure)
    }

    @Test func close_fromBothSidesAtOnce_isClean() async throws {
        let host = try await Host()
        for _ in 0..<20 {
            let (client, connection) = try await host.pair()
            async let first: Void = client.close()
            async let second: Void = connection.close()
            _ = await (first, second)
            #expect(client.closeWasClean && connection.closeWasClean)
            #expect(client.closeCode == .normalClosure)
        }
        await host.stop()
    }

    @Test func close_fromAListener_andAgain_completesOnce() async throws {
        let host = try await Host { connection in connection.send("go") { _ in } }
        let client = WebSocket()
        let log = EventRecorder<String>()
        client.on(.message) { _ in
            client.close { _ in log.record("first") }
            client.close { _ in log.record("second") }
        }
        client.on(.close) { _ in log.record("close") }
        try await client.connect(host.url)
        try await log.wait(for: "close")
        #expect(log.events == ["first", "second", "close"])
        try await within { await client.close() }
        #expect(client.readyState == .closed)
        await host.stop()
    }

    @Test func handle_thatIsDropped_closesTheConnection() async throws {
        let (peer, _) = try await RawPeer.server()
        #expect(try await blocking { try peer.readFrame() } == .close(1001))
        peer.socket.close()
    }

    @Test func handle_withAListener_staysUntilTheEnd() async throws {
        let received = EventRecorder<String>()
        func start() async throws -> (RawPeer, Weak<WebSocket>) {
            let (peer, client) = try await RawPeer.server()
            client.on(.message) { received.record($0.text ?? "") }
            return (peer, Weak(client))
        }
        let (peer, _) = try await start()
        try await blocking { try peer.socket.send(Frames.text("still here", mask: nil)) }
        try await received.wait(for: "still here")
        peer.socket.close()
    }

    // MARK: Heartbeat

    @Test func heartbeat_ofASilentPeer_pingsAndGivesUp() async throws {
        let options = WebSocketOptions(pingInterval: .milliseconds(30), pongTimeout: .milliseconds(60))
        let client = WebSocket()
        let closed = EventRecorder<WebSocketCloseInfo>()
        client.on(.close) { closed.record($0) }
        let (peer, _) = try await RawPeer.server(options, client: client)
        let frames = try await blocking { try peer.readFrames() }
        #expect(frames.first?.first == 0x89)
        #expect(frames.last?.closeCode == 1008)
        peer.socket.close()
        #expect(try await closed.wait(count: 1).first?.error?.kind == .pongTimedOut)
    }

    @Test func heartbeat_ofAPeerThatAnswers_goesOn() async throws {
        var config = Host.config
        config.pingInterval = .milliseconds(20)
        config.pongTimeout = .seconds(10)
        let host = try await Host(config)
        let client = WebSocket()
        let pings = EventRecorder<[UInt8]>()
        client.on(.ping) { pings.record($0) }
        try await client.connect(host.url)
        try await pings.wait(count: 5)
        #expect(client.readyState == .open)
        await client.close()
        await host.stop()
    }

    @Test func ping_isAnswered_andTold() async throws {
        let host = try await Host()
        let client = WebSocket()
        let pongs = EventRecorder<[UInt8]>()
        client.on(.pong) { pongs.record($0) }
        try await client.connect(host.url)
        try await client.ping([1, 2, 3])
        client.ping { _ in }
        #expect(try await pongs.wait(count: 2) == [[1, 2, 3], []])
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await client.ping([UInt8](repeating: 0, count: 126))
        }
        #expect(error?.field == "payload")
        await client.close()
        await host.stop()
    }

    /// A peer that asks and asks, and does not read what is answered, does not fill our memory.
    @Test func pings_ofAPeerThatDoesNotRead_areNotAllAnswered() async throws {
        let host = try await Host()
        let peer = try await RawPeer.client(of: host)
        let connection = try #require(try await host.connections.wait(count: 1).first)
        let ping = Frames.make(9, [UInt8](repeating: 1, count: 125))
        let burst = (0..<100).flatMap { _ in ping }
        try await blocking { for _ in 0..<1000 { try peer.socket.send(burst) } }
        #expect(connection.bufferedAmount < 1 << 20)
        peer.socket.close()
        await host.stop()
    }
}
