import HarmonySocket
import Testing

@testable import HarmonyWebSocket

@Suite(.bounded) struct WebSocketTests {
    // MARK: Three styles

    @Test func echo_withTasks() async throws {
        let server = WebSocketServer()
        try await server.start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 0))
        let serving = Task {
            try await server.serve { client in
                for try await message in client.messages { try await client.send(message) }
            }
        }
        let client = WebSocket()
        #expect(client.readyState == .invalid)
        try await client.connect("ws://\(try #require(server.localAddress))/chat?x=1")
        #expect(client.readyState == .open)
        for message in [WebSocketData.text("hello"), .binary([1, 2, 3]), .text(""), .binary(Array(0...255))] {
            try await client.send(message)
            #expect(try await client.receive(timeout: .seconds(20)) == message)
        }
        try await client.close(code: .normalClosure, reason: "done")
        #expect(client.readyState == .closed)
        #expect(client.closeCode == .normalClosure)
        #expect(client.closeWasClean)
        await server.stop()
        try await within { try await serving.value }
    }

    @Test func echo_withListeners() async throws {
        let server = WebSocketServer()
        let log = EventRecorder<String>()
        server.on(.connect) { log.record("connect \($0.request.path)") }
        server.on(.messageReceive) { message in message.clientConnection.send(message.data) { _ in } }
        server.on(.close) { log.record("close \($0.info.code.rawValue)") }
        try await server.start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 0))
        let client = WebSocket()
        client.on(.headerReceive) { log.record("headerReceive \($0["Upgrade"] ?? "")") }
        client.on(.open) { log.record("open \($0.status)") }
        client.on(.message) { log.record("message \($0.text ?? "-")") }
        client.on(.dataEnd) { log.record("dataEnd") }
        client.on(.close) { log.record("closed \($0.code.rawValue) \($0.wasClean)") }
        try await client.connect("ws://\(try #require(server.localAddress))/chat")
        client.send("hello") { _ in log.record("sent") }
        try await log.wait(for: "dataEnd")
        client.close(WebSocketCloseOptions(code: .init(rawValue: 4000), reason: "bye")) { _ in log.record("close done")
        }
        try await log.wait(for: "closed 4000 true")
        try await log.wait(for: "close 4000")
        let clientEvents = log.events.filter { $0 != "connect /chat" && $0 != "close 4000" }
        #expect(
            clientEvents == [
                "headerReceive websocket", "open 101", "sent", "message hello", "dataEnd", "close done",
                "closed 4000 true",
            ])
        await server.stop()
    }

    @Test func echo_withCompletionHandlers() async throws {
        let host = try await Host { connection in
            @Sendable func echo() {
                connection.receive { result in
                    guard case .success(let message?) = result else { return }
                    connection.send(message) { _ in echo() }
                }
            }
            echo()
        }
        let client = WebSocket()
        _ = try await answer { client.connect(host.url, completion: $0) }.get()
        _ = try await answer { client.send([9, 8], completion: $0) }.get()
        let reply = try await answer { client.receive(timeout: .seconds(20), completion: $0) }.get()
        #expect(reply == .binary([9, 8]))
        _ = try await answer { client.close(completion: $0) }.get()
        await host.stop()
    }

    @Test func echo_overALocalSocket() async throws {
        let directory = try TemporaryDirectory()
        let local = LocalSocketServer()
        try await local.listen(directory.address())
        let server = WebSocketServer()
        server.on(.messageReceive) { message in message.clientConnection.send(message.data) { _ in } }
        try await server.start(on: local, WebSocketServerConfig(serverPort: 0))
        let stream = LocalSocket()
        try await stream.connect(to: directory.address())
        let client = WebSocket(over: stream)
        try await client.connect("ws://localhost/events")
        try await client.send("over a path")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "over a path")
        #expect(server.listAllConnections().map(\.clientIP) == [""])
        await client.close()
        await server.stop()
    }

    // MARK: Sizes and order

    @Test(arguments: [0, 1, 125, 126, 127, 4095, 4096, 65_535, 65_536, 1_000_000, 5_000_000])
    func echo_ofAnySize_isWhole(_ size: Int) async throws {
        let host = try await Host { connection in
            connection.on(.message) { connection.send($0) { _ in } }
        }
        let client = try await host.connect()
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        async let reply = client.receive(timeout: .seconds(20))
        try await client.send(bytes)
        #expect(try await reply == .binary(bytes))
        await client.close()
        await host.stop()
    }

    @Test func send_fromManyThreads_keepsEachOnesOrder() async throws {
        let received = EventRecorder<WebSocketData>()
        let host = try await Host { connection in connection.on(.message) { received.record($0) } }
        let client = try await host.connect()
        await withTaskGroup { tasks in
            for sender in 0..<8 {
                tasks.addTask {
                    for number in 0..<50 {
                        if number % 2 == 0 {
                            client.send("\(sender) \(number)") { _ in }
                        } else {
                            try? await client.send("\(sender) \(number)")
                        }
                    }
                }
            }
        }
        try await received.wait(count: 400)
        for sender in 0..<8 {
            let numbers = received.events.compactMap(\.text).filter { $0.hasPrefix("\(sender) ") }
            #expect(numbers == (0..<50).map { "\(sender) \($0)" })
        }
        await client.close()
        await host.stop()
    }

    /// A peer that sends faster than we take is slowed down by the kernel: nothing but one message is read ahead.
    @Test func receive_slowly_slowsThePeerDown() async throws {
        let host = try await Host()
        let (client, connection) = try await host.pair()
        let message = [UInt8](repeating: 7, count: 100_000)
        let sending = Task {
            for _ in 0..<400 { try await connection.send(message) }
        }
        try await eventually("the sender has to wait") { connection.bufferedAmount > 0 }
        try await expectRest("the sender", for: .milliseconds(100)) { connection.bufferedAmount }
        for _ in 0..<400 { #expect(try await client.receive(timeout: .seconds(20))?.bytes.count == 100_000) }
        try await within { try await sending.value }
        await client.close()
        await host.stop()
    }

    @Test func receive_behindSeveralMessagesInOnePacket_getsEach() async throws {
        let frames = (0..<100).flatMap { Frames.text("\($0)", mask: nil) }
        let (peer, client) = try await RawPeer.server(behind: frames)
        for number in 0..<100 { #expect(try await client.receive(timeout: .seconds(20))?.text == "\(number)") }
        peer.socket.close()
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.receive() }?.kind
                == .connectionLost)
        #expect(client.closeCode == .abnormalClosure)
    }

    @Test func messages_beforeTheEnd_areNotLost() async throws {
        let frames = (0..<10).flatMap { Frames.text("\($0)", mask: nil) } + Frames.close(1000, "over", mask: nil)
        let (peer, client) = try await RawPeer.server(behind: frames)
        try await blocking { peer.socket.finish() }
        var texts: [String] = []
        for try await message in client.messages { texts.append(message.text ?? "") }
        #expect(texts == (0..<10).map { "\($0)" })
        await client.close()
        #expect(client.closeReason == "over")
        #expect(client.closeWasClean)
    }

    // MARK: Time-outs and cancellation

    @Test func receive_timedOutOrCancelled_leavesTheMessageToTheNext() async throws {
        let host = try await Host()
        let (client, connection) = try await host.pair()
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.receive(timeout: .zero) }?.kind
                == .timedOut)
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in
                try await client.receive(timeout: .milliseconds(10))
            }?.kind == .timedOut)
        let task = Task { await webSocketFailure { () async throws(WebSocketError) in try await client.receive() } }
        task.cancel()
        #expect(try await within { await task.value }?.kind == .cancelled)
        try await connection.send("still there")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "still there")
        await client.close()
        await host.stop()
    }

    @Test func connect_toNobody_tellsWhy() async throws {
        let client = WebSocket()
        let log = EventRecorder<String>()
        client.on(.close) { log.record("close \($0.code.rawValue)") }
        let port = try freePort()
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await client.connect("ws://127.0.0.1:\(port)/")
        }
        #expect(error?.kind == .socket)
        #expect(error?.socketError?.kind == .connectionRefused)
        #expect(client.readyState == .closed)
        try await log.wait(for: "close 1006")
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.send("x") }?.kind == .closed)
    }

    @Test func connect_toASilentServer_timesOutOrIsCancelled() async throws {
        let listener = try RawSocket.listening()
        let url = "ws://127.0.0.1:\(listener.port)/"
        let client = WebSocket()
        let options = WebSocketOptions(connectTimeout: .milliseconds(50))
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.connect(url, options) }?.kind
                == .timedOut)
        let other = WebSocket()
        let task = Task { await webSocketFailure { () async throws(WebSocketError) in try await other.connect(url) } }
        try await eventually("it connects") { other.readyState == .connecting }
        task.cancel()
        #expect(try await within { await task.value }?.kind == .cancelled)
        let third = WebSocket()
        let closed = Task { await webSocketFailure { () async throws(WebSocketError) in try await third.connect(url) } }
        try await eventually("it connects") { third.readyState == .connecting }
        await third.close()
        #expect(try await within { await closed.value }?.kind == .closed)
    }

    @Test func connect_withBadArguments_failsBeforeAnythingIsOpened() async throws {
        let client = WebSocket()
        func kind(_ url: String, _ options: WebSocketOptions = WebSocketOptions()) async -> WebSocketError? {
            await webSocketFailure { () async throws(WebSocketError) in try await client.connect(url, options) }
        }
        #expect(await kind("nonsense")?.kind == .invalidURL)
        #expect(await kind("nonsense")?.code == 2_302_001)
        #expect(await kind("ws://a/", WebSocketOptions(headers: ["a b": "c"]))?.field == "headers")
        #expect(await kind("ws://a/", WebSocketOptions(headers: ["a": "b\r\nc: d"]))?.field == "headers")
        #expect(await kind("ws://a/", WebSocketOptions(headers: ["Upgrade": "x"]))?.field == "headers")
        #expect(await kind("ws://a/", WebSocketOptions(subprotocols: ["a b"]))?.field == "subprotocols")
        #expect(await kind("ws://a/", WebSocketOptions(subprotocols: ["a", "a"]))?.field == "subprotocols")
        #expect(await kind("ws://a/", WebSocketOptions(pingInterval: .zero))?.field == "pingInterval")
        #expect(await kind("ws://a/", WebSocketOptions(limits: .init(maxFragments: 0)))?.field == "maxFragments")
        #expect(await kind("ws://a/", WebSocketOptions(compression: .init(level: 0)))?.field == "level")
        #expect(await kind("ws://a/", WebSocketOptions(reconnect: .init(jitter: 2)))?.field == "jitter")
        #expect(client.readyState == .invalid)
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.send("x") }?.kind
                == .notConnected)
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await client.receive() }?.kind
                == .notConnected)
        let host = try await Host()
        let connected = try await host.connect()
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await connected.connect(host.url) }?.kind
                == .alreadyConnected)
        await connected.close()
        #expect(
            await webSocketFailure { () async throws(WebSocketError) in try await connected.connect(host.url) }?.kind
                == .closed)
        await host.stop()
    }
}
