import HarmonySocket
import Testing

@Suite(.bounded) struct TCPSocketServerLimitsTests {
    /// The ways in which connections can go.
    enum Style: String, CaseIterable, Sendable {
        case events, serve, accept, connections
    }

    /// What happens to a server that echoes.
    private struct Echo: Sendable {
        let server: TCPSocketServer
        let address: NetAddress
        let overloads = EventRecorder<SocketOverloadInfo>()
        let served = EventRecorder<TCPSocketConnection>()

        init(_ style: Style, limit: Int, _ policy: SocketOverloadPolicy = .wait) async throws {
            (server, address) = try await makeServer()
            server.maxConnections = limit
            server.overloadPolicy = policy
            server.on(.overload) { [overloads] in overloads.record($0) }
            let serve: @Sendable (TCPSocketConnection) -> Void = { [served] connection in
                served.record(connection)
                connection.on(.message) { connection.send($0.message) { _ in } }
            }
            let server = server
            switch style {
            case .events: server.on(.connect, serve)
            case .serve:
                let served = served
                Task {
                    try await server.serve { connection in
                        served.record(connection)
                        for try await chunk in connection.messages { try await connection.send(chunk.message) }
                    }
                }
            case .accept: Task { while true { serve(try await server.accept()) } }
            case .connections: Task { for try await connection in server.connections { serve(connection) } }
            }
        }

        /// What a peer gets back.
        func echo(_ peer: RawSocket) async throws -> Bool {
            try await blocking {
                try peer.send("x")
                return try peer.receive(exactly: 1) == [0x78]
            }
        }

        func connect(_ count: Int) async throws -> [RawSocket] {
            let address = address
            return try await blocking { try (0..<count).map { _ in try RawSocket.connected(to: address) } }
        }

        func end(_ peers: [RawSocket]) async {
            for peer in peers { peer.close() }
            await server.close()
        }
    }

    @Test(arguments: Style.allCases)
    func waiting_peersBeyondTheLimit_areServedWhenThereIsRoom(_ style: Style) async throws {
        let echo = try await Echo(style, limit: 2)
        let peers = try await echo.connect(4)
        for peer in peers { try peer.send("x") }
        let info = try #require(try await echo.overloads.wait(count: 1).first)
        #expect(info.connectionCount == 2 && info.maxConnections == 2 && !info.isRefused)
        for peer in peers[..<2] { #expect(try await blocking { try peer.receive(exactly: 1) } == [0x78]) }
        try await settle(echo.server.eventLoop)
        #expect(echo.served.count == 2)
        #expect(echo.server.connectionCount == 2)
        peers[0].close()
        #expect(try await blocking { try peers[2].receive(exactly: 1) } == [0x78])
        // Raising the limit is as good as an end.
        echo.server.maxConnections = 3
        #expect(try await blocking { try peers[3].receive(exactly: 1) } == [0x78])
        #expect(echo.served.count == 4)
        #expect(echo.overloads.count == 1, "once for the crowd")
        await echo.end(peers)
    }

    @Test(arguments: Style.allCases)
    func refusing_peersBeyondTheLimit_areReset(_ style: Style) async throws {
        let echo = try await Echo(style, limit: 1, .refuse)
        let first = try await echo.connect(1)
        #expect(try await echo.echo(first[0]))
        for _ in 0..<3 {
            let refused = try await echo.connect(1)[0]
            let error = try await blocking { () -> RawError? in
                do {
                    _ = try refused.receive()
                    return nil
                } catch let error as RawError {
                    return error
                }
            }
            #expect(error?.isReset == true)
        }
        #expect(echo.overloads.count == 1, "once for the crowd")
        let info = try #require(echo.overloads.events.first)
        #expect(info.connectionCount == 1 && info.maxConnections == 1 && info.isRefused)
        #expect(echo.served.count == 1)
        #expect(try await echo.echo(first[0]), "the one that is served goes on")
        first[0].close()
        let server = echo.server
        try await eventually("the end of the first") { server.connectionCount == 0 }
        let next = try await echo.connect(1)
        #expect(try await echo.echo(next[0]))
        await echo.end(first + next)
    }

    @Test func overload_afterTheCrowdHasGone_isToldAgain() async throws {
        let echo = try await Echo(.events, limit: 1)
        let server = echo.server
        for round in 1...3 {
            let peers = try await echo.connect(2)
            try await echo.overloads.wait(count: round)
            #expect(try await echo.echo(peers[0]))
            peers[0].close()
            #expect(try await echo.echo(peers[1]))
            peers[1].close()
            try await eventually("nobody is left") { server.connectionCount == 0 }
            // The last look at the backlog found nobody.
            try await settle(server.eventLoop)
        }
        #expect(echo.overloads.count == 3)
        await echo.end([])
    }

    @Test func maxConnections_canBeSetAtAnyTime() async throws {
        let server = TCPSocketServer()
        #expect(server.maxConnections == nil)
        #expect(server.overloadPolicy == .wait)
        #expect(server.connectionCount == 0)
        server.maxConnections = -3
        #expect(server.maxConnections == 0)
        server.overloadPolicy = .refuse
        #expect(server.overloadPolicy == .refuse)
        server.overloadPolicy = .wait
        try await server.listen(NetAddress("127.0.0.1"))
        let client = TCPSocket()
        try await client.connect(to: server.getLocalAddress())
        let accepting = Outcome<TCPSocketConnection>()
        server.accept { accepting.set($0.mapError { $0 }) }
        try await settle(server.eventLoop)
        #expect(accepting.count == 0)
        server.maxConnections = nil
        let connection = try await within { try await accepting.value }
        #expect(connection.remoteAddress == client.localAddress)
        #expect(server.connectionCount == 1)
        await client.close()
        await connection.close()
        await server.close()
    }

    @Test func maxConnections_belowThePresentNumber_closesNobody() async throws {
        let echo = try await Echo(.events, limit: 3)
        let server = echo.server
        let peers = try await echo.connect(3)
        try await echo.served.wait(count: 3)
        server.maxConnections = 1
        for peer in peers { #expect(try await echo.echo(peer)) }
        let late = try await echo.connect(1)
        try late[0].send("x")
        try await echo.overloads.wait(count: 1)
        for (number, peer) in peers.enumerated() {
            #expect(echo.served.count == 3, "\(number) ended")
            peer.close()
            if number < 2 { try await eventually("an end") { server.connectionCount == 2 - number } }
        }
        #expect(try await blocking { try late[0].receive(exactly: 1) } == [0x78])
        await echo.end(late)
    }

    @Test func accept_atTheLimit_waits_orTimesOut() async throws {
        let (server, address) = try await makeServer()
        server.maxConnections = 1
        let clients = [TCPSocket(), TCPSocket()]
        for client in clients { try await client.connect(to: address) }
        let first = try await server.accept()
        for timeout in [Duration.zero, .milliseconds(20)] {
            let error = await failure { () async throws(SocketError) in try await server.accept(timeout: timeout) }
            #expect(error?.kind == .timedOut)
        }
        let second = Task { try await server.accept() }
        await first.reset()
        #expect(try await within { try await second.value }.remoteAddress == clients[1].localAddress)
        for client in clients { await client.close() }
        await server.close()
    }

    @Test func connectionCount_isOfThisServer_andOutlivesIt() async throws {
        let pair = try await makeTCPPair()
        #expect(pair.server.connectionCount == 1)
        await pair.server.close()
        #expect(pair.server.connectionCount == 1)
        let other = TCPSocketServer()
        #expect(other.connectionCount == 0)
        await pair.client.close()
        await pair.connection.close()
        try await eventually("it has ended") { pair.server.connectionCount == 0 }
        await other.close()
    }
}
