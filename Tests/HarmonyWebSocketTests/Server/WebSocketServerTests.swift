import HarmonySocket
import Testing

@testable import HarmonyWebSocket

@Suite(.bounded) struct WebSocketServerTests {
    private func rejection(
        _ host: Host, _ options: WebSocketOptions = WebSocketOptions(), path: String = ""
    ) async -> WebSocketError? {
        await webSocketFailure { () async throws(WebSocketError) in
            try await WebSocket().connect(host.url + path, options)
        }
    }

    // MARK: Who may connect

    @Test func subprotocol_isTheServersFirstThatTheClientOffers() async throws {
        var config = Host.config
        config.subprotocols = ["v3", "v2", "v1"]
        let host = try await Host(config)
        for (offered, chosen) in [(["v1", "v2"], "v2"), (["v1"], "v1"), (["x"], ""), ([], "")] {
            let (client, connection) = try await host.pair(WebSocketOptions(subprotocols: offered))
            #expect(client.protocol == chosen)
            #expect(connection.protocol == chosen)
            #expect(connection.request.subprotocols == offered)
            await client.close()
        }
        await host.stop()
    }

    @Test func origin_thatIsNotAllowed_isForbidden() async throws {
        var config = Host.config
        config.allowedOrigins = ["https://good.example"]
        let host = try await Host(config)
        #expect(await rejection(host, WebSocketOptions(headers: ["Origin": "https://evil.example"]))?.status == 403)
        let page = try await host.connect(WebSocketOptions(headers: ["Origin": "https://good.example"]))
        let program = try await host.connect()
        await page.close()
        await program.close()
        await host.stop()
    }

    @Test func authorize_looksAtTheRequest_andDecides() async throws {
        var config = Host.config
        config.subprotocols = ["a"]
        config.authorize = { request in
            switch request.path {
            case "/open": return .accept(headers: ["X-Room": request.query ?? ""])
            case "/special": return .accept(subprotocol: "b")
            case "/odd": return .accept(subprotocol: "never offered")
            case "/broken": return .accept(headers: ["X": "a\r\nb"])
            default:
                return .reject(WebSocketResponse(status: 404, headers: ["X-Why": "no such path"], body: "nothing here"))
            }
        }
        let host = try await Host(config)
        let (client, connection) = (
            try await host.connect(path: "open?room=7"), try await host.connections.wait(count: 1)[0]
        )
        #expect(connection.request.path == "/open")
        #expect(connection.request.query == "room=7")
        #expect(connection.request.remoteAddress?.address == "127.0.0.1")
        #expect(connection.url == "/open?room=7")
        #expect(connection.clientIP == "127.0.0.1" && connection.clientPort > 0)
        await client.close()
        let special = try await host.connect(WebSocketOptions(subprotocols: ["a", "b"]), path: "special")
        #expect(special.protocol == "b")
        await special.close()
        let refused = await rejection(host, path: "other")
        #expect(refused?.status == 404 && refused?.headers["X-Why"] == "no such path")
        #expect(await rejection(host, path: "odd")?.status == 500)
        #expect(await rejection(host, path: "broken")?.status == 500)
        await host.stop()
    }

    @Test func clients_beyondTheirLimit_areToldToComeBack() async throws {
        var config = Host.config
        config.maxConnectionsForOneClient = 2
        let host = try await Host(config)
        let first = try await host.connect()
        let second = try await host.connect()
        #expect(await rejection(host)?.status == 503)
        await first.close()
        try await eventually("a place is free") {
            let client = WebSocket()
            do throws(WebSocketError) { try await client.connect(host.url) } catch { return false }
            await client.close()
            return true
        }
        await second.close()
        await host.stop()
    }

    @Test func clients_beyondTheLimitOfAll_wait() async throws {
        var config = Host.config
        config.maxConcurrentClientsNumber = 1
        let host = try await Host(config)
        let first = try await host.connect()
        let options = WebSocketOptions(connectTimeout: .milliseconds(100))
        #expect(await rejection(host, options)?.kind == .timedOut)
        await first.close()
        let next = try await host.connect()
        await next.close()
        await host.stop()
    }

    // MARK: Pages

    @Test func respond_answersPlainRequests_fromTheSamePort() async throws {
        var config = Host.config
        config.respond = { request in
            WebSocketResponse(
                status: request.path == "/" ? 200 : 404, headers: ["Content-Type": "text/plain"], body: request.path)
        }
        let host = try await Host(config)
        let address = try host.address
        func get(_ request: String) async throws -> String {
            try await blocking {
                let socket = try RawSocket.connected(to: address)
                try socket.send(request)
                return String(decoding: try socket.receiveAll(), as: UTF8.self)
            }
        }
        #expect(
            try await get("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\nConnection: close\r\n\r\n/")
        #expect(try await get("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 404 Not Found"))
        #expect(
            try await get("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").hasSuffix(
                "Content-Length: 1\r\nConnection: close\r\n\r\n"))
        #expect(try await get("PUT / HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 405 "))
        let client = try await host.connect()
        await client.close()
        await host.stop()
    }

    // MARK: OpenHarmony's shape

    @Test func server_listsSendsAndCloses() async throws {
        let host = try await Host()
        let (first, firstConnection) = try await host.pair()
        let (second, secondConnection) = try await host.pair()
        #expect(
            host.server.listAllConnections().map(\.clientId) == [firstConnection.clientId, secondConnection.clientId])
        try await host.server.send(.text("for you"), to: secondConnection)
        #expect(try await second.receive(timeout: .seconds(20))?.text == "for you")
        async let end = first.receive()
        try await host.server.close(firstConnection, WebSocketCloseOptions(code: .goingAway, reason: "go"))
        #expect(try await end == nil)
        #expect(first.closeCode == .goingAway)
        try await eventually("it has left the list") { host.server.listAllConnections().count == 1 }
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await host.server.send(.text("x"), to: firstConnection)
        }
        #expect(error?.code == 2_302_006)
        await second.close()
        await host.stop()
    }

    @Test func server_withCompletionHandlers_startsSendsAndCloses() async throws {
        let below = TCPSocketServer()
        try await below.listen(NetAddress("127.0.0.1"))
        let server = WebSocketServer()
        let connections = EventRecorder<WebSocketConnection>()
        server.on(.connect) { connections.record($0) }
        try await answer { (done: @escaping @Sendable (Result<Void, WebSocketError>) -> Void) in
            server.start(on: below, completion: done)
        }.get()
        let client = WebSocket()
        try await client.connect("ws://\(try #require(server.localAddress))/")
        let connection = try #require(try await connections.wait(count: 1).first)
        try await answer { server.send(.text("for you"), to: connection, completion: $0) }.get()
        #expect(try await client.receive(timeout: .seconds(20))?.text == "for you")
        async let end = client.receive()
        try await answer {
            server.close(connection, WebSocketCloseOptions(code: .goingAway), completion: $0)
        }.get()
        #expect(try await end == nil)
        try await eventually("it has left the list") { server.listAllConnections().isEmpty }
        let late = try await answer { server.send(.text("late"), to: connection, completion: $0) }
        #expect(late.failure?.kind == .notConnected)
        #expect(try await answer { server.close(connection, completion: $0) }.failure?.kind == .notConnected)
        let again = WebSocketServer()
        let config = WebSocketServerConfig(serverPort: 0, limits: WebSocketLimits(maxFrameSize: 1))
        let refused = try await answer { again.start(on: TCPSocketServer(), config, completion: $0) }
        #expect(refused.failure?.kind == .invalidArgument)
        await server.stop()
    }

    @Test func stop_closesAllWith1001_andFreesThePort() async throws {
        let host = try await Host()
        let port = try host.address.port
        let client = try await host.connect()
        async let end = client.receive()
        await host.stop()
        #expect(try await end == nil)
        #expect(client.closeCode == .goingAway)
        let again = WebSocketServer()
        try await again.start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: port))
        let taken = await webSocketFailure { () async throws(WebSocketError) in
            try await WebSocketServer().start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: port))
        }
        #expect(taken?.code == 2_302_007)
        let twice = await webSocketFailure { () async throws(WebSocketError) in
            try await again.start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 0))
        }
        #expect(twice?.kind == .alreadyConnected)
        await again.stop()
    }

    @Test func stop_duringAHandshake_closesThatConnectionToo() async throws {
        let (asked, stopped) = (Outcome<Void>(), Outcome<Void>())
        var config = Host.config
        config.authorize = { _ in
            asked.set(.success(()))
            try? await stopped.value
            return .accept()
        }
        let host = try await Host(config)
        let client = WebSocket()
        let closed = EventRecorder<WebSocketCloseCode>()
        client.on(.close) { closed.record($0.code) }
        async let connecting: Void = client.connect(host.url)
        try await within { try await asked.value }
        await host.stop()
        stopped.set(.success(()))
        try await connecting
        #expect(try await closed.wait(count: 1) == [.goingAway])
    }

    @Test func serve_withAHandlerThatThrows_closesWith1011_andTells() async throws {
        struct Oops: Error {}
        let server = WebSocketServer()
        let errors = EventRecorder<WebSocketError>()
        server.on(.error) { errors.record($0) }
        try await server.start(Host.config)
        let serving = Task { try await server.serve { _ in throw Oops() } }
        let client = WebSocket()
        try await client.connect("ws://\(try #require(server.localAddress))/")
        #expect(try await client.receive() == nil)
        #expect(client.closeCode == .internalServerError)
        #expect(try await errors.wait(count: 1).first?.kind == .handlerFailed)
        serving.cancel()
        #expect(await serving.result.error?.kind == .cancelled)
        await server.stop()
    }

    @Test func secondServe_thatIsRefusedOrCancelled_doesNothingToTheFirst() async throws {
        let server = WebSocketServer()
        try await server.start(Host.config)
        let serving = Task {
            try await server.serve { client in
                while let message = try await client.receive() { try await client.send(message) }
            }
        }
        let client = WebSocket()
        try await client.connect("ws://\(try #require(server.localAddress))/")
        try await client.send("before")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "before")
        // By now the handler waits for its next message.
        let second = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await server.serve { _ in }
        }
        #expect(await second.result.error?.kind == .invalidState)
        try await client.send("after")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "after")
        serving.cancel()
        #expect(await serving.result.error?.kind == .cancelled)
        await server.stop()
    }

    @Test func serve_cancelled_endsTheReceivesOfItsHandlers() async throws {
        let server = WebSocketServer()
        try await server.start(Host.config)
        let ends = EventRecorder<WebSocketError.Kind?>()
        let serving = Task {
            try await server.serve { client in
                try await client.send("welcome")
                let waiting = await webSocketFailure { () async throws(WebSocketError) in try await client.receive() }
                let next = await webSocketFailure { () async throws(WebSocketError) in try await client.receive() }
                ends.record(waiting?.kind)
                ends.record(next?.kind)
            }
        }
        let client = WebSocket()
        try await client.connect("ws://\(try #require(server.localAddress))/")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "welcome")
        serving.cancel()
        #expect(try await ends.wait(count: 2) == [.cancelled, .cancelled])
        #expect(await serving.result.error?.kind == .cancelled)
        await server.stop()
    }

    @Test func messageReceive_onTheMainActor_isInOrder() async throws {
        let server = WebSocketServer()
        server.deliver(on: .mainActor)
        let received = EventRecorder<String>()
        server.on(.messageReceive) { message in
            MainActor.assumeIsolated { received.record(message.data.text ?? "") }
        }
        try await server.start(Host.config)
        let client = WebSocket()
        try await client.connect("ws://\(try #require(server.localAddress))/")
        for number in 0..<100 { client.send("\(number)") { _ in } }
        #expect(try await received.wait(count: 100) == (0..<100).map { "\($0)" })
        await client.close()
        await server.stop()
    }

    @Test func messageReceive_takenAwayAndAddedAgain_isToldOnce_andBetweenThemMessagesAreForThoseWhoPull() async throws
    {
        let server = WebSocketServer()
        let received = EventRecorder<String>()
        server.on(.connect) { _ in }
        server.once(.messageReceive) { received.record("once " + ($0.data.text ?? "")) }
        try await server.start(Host.config)
        let client = WebSocket()
        try await client.connect("ws://\(try #require(server.localAddress))/")
        try await client.send("a")
        #expect(try await received.wait(count: 1) == ["once a"])
        let connection = try #require(server.listAllConnections().first)
        try await client.send("b")
        #expect(try await connection.receive(timeout: .seconds(20))?.text == "b")
        for name in ["first", "second"] {
            let listener = server.on(.messageReceive) { received.record(name + " " + ($0.data.text ?? "")) }
            try await client.send("c")
            _ = try await received.wait(count: name == "first" ? 2 : 3)
            server.off(listener)
            try await client.send("d")
            #expect(try await connection.receive(timeout: .seconds(20))?.text == "d")
        }
        #expect(received.events == ["once a", "first c", "second c"])
        await client.close()
        await server.stop()
    }

    // MARK: Broadcast

    @Test func broadcast_reachesEverybody_howeverTheyCompress() async throws {
        var config = Host.config
        config.compression = WebSocketCompression(threshold: 1)
        let host = try await Host(config)
        let all: [WebSocketCompression?] = [
            nil, WebSocketCompression(), WebSocketCompression(serverMaxWindowBits: 9),
            WebSocketCompression(serverNoContextTakeover: true), WebSocketCompression(clientNoContextTakeover: true),
        ]
        var clients: [WebSocket] = []
        for compression in all { clients.append(try await host.connect(WebSocketOptions(compression: compression))) }
        try await host.connections.wait(count: all.count)
        for round in 0..<5 {
            let text = String(repeating: "round \(round) ", count: 50)
            // What each gets for itself in between refers to what came before, or to nothing.
            for connection in host.server.listAllConnections() { try await connection.send("own " + text) }
            #expect(host.server.broadcast(.text(text)) == all.count)
            for client in clients {
                #expect(try await client.receive(timeout: .seconds(20))?.text == "own " + text)
                #expect(try await client.receive(timeout: .seconds(20))?.text == text)
            }
        }
        #expect(host.server.broadcast(.text("some")) { $0.extensions.isEmpty } == 1)
        #expect(try await clients[0].receive(timeout: .seconds(20))?.text == "some")
        for client in clients { await client.close() }
        await host.stop()
    }

    @Test func broadcast_passesOverAClientThatDoesNotRead() async throws {
        var config = Host.config
        config.broadcastLimit = 100_000
        let host = try await Host(config)
        let peer = try await RawPeer.client(of: host)
        try await host.connections.wait(count: 1)
        let message = WebSocketData.binary([UInt8](repeating: 1, count: 100_000))
        try await eventually("its queue is full") { host.server.broadcast(message) == 0 }
        peer.socket.close()
        await host.stop()
    }
}

extension Result where Failure == WebSocketError {
    fileprivate var failure: WebSocketError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

extension Result where Success == Void, Failure == any Error {
    var error: WebSocketError? {
        if case .failure(let error) = self { error as? WebSocketError } else { nil }
    }
}
