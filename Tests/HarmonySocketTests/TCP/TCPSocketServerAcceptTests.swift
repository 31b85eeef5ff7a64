import HarmonySocket
import Testing

@Suite(.bounded) struct TCPSocketServerAcceptTests {
    private func accept(_ server: TCPSocketServer, _ timeout: Duration? = nil) async -> SocketError? {
        await failure { () async throws(SocketError) in try await server.accept(timeout: timeout) }
    }

    @Test(arguments: Loopback.allCases)
    func accept_inBothStyles_bringsTheNextConnection(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        for style in ["async", "handler"] {
            let client = TCPSocket()
            try await client.connect(to: address)
            let connection: TCPSocketConnection
            if style == "async" {
                connection = try await server.accept(timeout: .seconds(20))
            } else {
                connection = try await answer { server.accept(completion: $0) }.get()
            }
            #expect(connection.remoteAddress == client.localAddress)
            try await client.send("hello")
            #expect(try await read(5, from: connection) == Array("hello".utf8))
            await client.close()
            await connection.close()
        }
        await server.close()
    }

    /// Where the socket of Chrome fails the second, and that of Titanium replaces the first.
    @Test func accept_severalPending_areServedInOrder() async throws {
        let (server, address) = try await makeServer()
        let served = EventRecorder<(Int, TCPSocketConnection)>()
        for number in 0..<6 {
            server.accept(timeout: number.isMultiple(of: 2) ? nil : .seconds(30)) { result in
                if case .success(let connection) = result { served.record((number, connection)) }
            }
        }
        var clients: [TCPSocket] = []
        for _ in 0..<6 {
            let client = TCPSocket()
            try await client.connect(to: address)
            clients.append(client)
        }
        let all = try await served.wait(count: 6)
        #expect(all.map(\.0) == Array(0..<6))
        #expect(all.map(\.1.remoteAddress) == clients.map(\.localAddress))
        for client in clients { await client.close() }
        await server.close()
    }

    /// Before the loop has heard of anything: it is not let run.
    @Test func accept_withTimeoutZero_looksAtTheBacklogItself() async throws {
        let (server, address) = try await makeServer(group: SocketEventLoopGroup(count: 1))
        let (isHeld, mayGo) = (Outcome<Void>(), Gate())
        server.eventLoop.execute {
            isHeld.set(.success(()))
            mayGo.pass()
        }
        try await isHeld.value
        #expect(await accept(server, .zero)?.kind == .timedOut)
        let peers = try await blocking { try (0..<2).map { _ in try RawSocket.connected(to: address) } }
        let handled = Outcome<TCPSocketConnection>()
        let connection = try await server.accept(timeout: .zero)
        #expect(connection.remoteAddress?.address == "127.0.0.1")
        server.accept(timeout: .seconds(-1)) { handled.set($0.mapError { $0 }) }
        #expect(await accept(server, .zero)?.kind == .timedOut)
        mayGo.open()
        // It had been accepted before the loop could run.
        let second = try await within { try await handled.value }
        #expect(second.clientId != connection.clientId)
        let none: Result<TCPSocketConnection, SocketError> = try await answer {
            server.accept(timeout: .zero, completion: $0)
        }
        guard case .failure(let error) = none else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .timedOut)
        for peer in peers { peer.close() }
        await server.close()
    }

    @Test func accept_timedOut_leavesTheConnectionToTheNext() async throws {
        let (server, address) = try await makeServer()
        let start = ContinuousClock.now
        let error = await accept(server, .milliseconds(50))
        #expect(ContinuousClock.now - start >= .milliseconds(50))
        #expect(error?.kind == .timedOut)
        #expect(error?.code == 2_301_110)
        #expect(error?.operation == .accept)
        let byHandler: Result<TCPSocketConnection, SocketError> = try await answer {
            server.accept(timeout: .milliseconds(5), completion: $0)
        }
        #expect(throws: SocketError.self) { try byHandler.get() }
        let client = TCPSocket()
        try await client.connect(to: address)
        let connection = try await server.accept()
        #expect(connection.remoteAddress == client.localAddress)
        await client.close()
        await server.close()
    }

    @Test func accept_pendingAtClose_isAborted_andLaterClosed() async throws {
        let (server, _) = try await makeServer()
        let outcomes = EventRecorder<SocketError.Kind?>()
        server.accept { if case .failure(let error) = $0 { outcomes.record(error.kind) } }
        let pending = Task { await accept(server) }
        server.accept(timeout: .seconds(30)) { if case .failure(let error) = $0 { outcomes.record(error.kind) } }
        try await settle(server.eventLoop)
        await server.close()
        // Or the task had not begun when the server was closed.
        let kind = try await within { await pending.value }?.kind
        #expect(kind == .aborted || kind == .closed)
        #expect(try await outcomes.wait(count: 2) == [.aborted, .aborted])
        let late = await accept(server)
        #expect(late?.kind == .closed)
        #expect(late?.code == 2_301_009)
        let byHandler: Result<TCPSocketConnection, SocketError> = try await answer { server.accept(completion: $0) }
        #expect(throws: SocketError.self) { try byHandler.get() }
    }

    @Test func accept_beforeListen_isRefused() async throws {
        let server = TCPSocketServer()
        #expect(await accept(server)?.kind == .invalidState)
        let byHandler: Result<TCPSocketConnection, SocketError> = try await answer { server.accept(completion: $0) }
        #expect(throws: SocketError.self) { try byHandler.get() }
        await server.close()
    }

    @Test func accept_besideAListenerOrServe_isRefused() async throws {
        let (server, address) = try await makeServer()
        let listener = server.on(.connect) { _ in }
        let error = await accept(server)
        #expect(error?.kind == .invalidState)
        #expect(error?.message == "connections go to the connect listener or to serve")
        #expect(await accept(server, .zero)?.kind == .invalidState)
        server.off(listener)
        let begun = EventRecorder<Int>()
        let serving = Task { try await server.serve { begun.record($0.clientId) } }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await begun.wait(count: 1)
        #expect(await accept(server)?.kind == .invalidState)
        let byHandler: Result<TCPSocketConnection, SocketError> = try await answer { server.accept(completion: $0) }
        #expect(throws: SocketError.self) { try byHandler.get() }
        serving.cancel()
        _ = await serving.result
        await client.close()
        // Afterwards pulling works again.
        let next = TCPSocket()
        try await next.connect(to: address)
        _ = try await server.accept(timeout: .seconds(20))
        await next.close()
        await server.close()
    }

    @Test func accept_andConnections_shareInOrder() async throws {
        let (server, address) = try await makeServer()
        let order = EventLog()
        let iterating = Task {
            for try await connection in server.connections {
                order.record("connections \(connection.remoteAddress?.port ?? 0)")
                break
            }
        }
        // It waits: nobody is served before it.
        try await settle(server.eventLoop)
        server.accept { order.record("accept \((try? $0.get())?.remoteAddress?.port ?? 0)") }
        let clients = (0..<2).map { _ in TCPSocket() }
        for client in clients { try await client.connect(to: address) }
        let events = try await order.wait(count: 2)
        #expect(Set(events.map { $0.split(separator: " ").first }) == ["connections", "accept"])
        #expect(
            Set(events.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } })
                == Set(clients.compactMap { $0.localAddress?.port }))
        try await iterating.value
        for client in clients { await client.close() }
        await server.close()
    }

    @Test func connection_listenersAddedLater_missNothing() async throws {
        let (server, address) = try await makeServer()
        let client = TCPSocket()
        try await client.connect(to: address)
        try await client.send("early")
        try await client.finish()
        let connection = try await server.accept()
        try await settle(connection.eventLoop)
        let log = EventLog()
        record(connection, in: log)
        recordMessages(connection, in: log)
        try await log.wait(for: "close")
        #expect(log.events == ["message:early", "end", "close"])
        await client.close()
        await server.close()
    }

    @Test func connection_thatIsDropped_isClosed() async throws {
        let (server, address) = try await makeServer()
        let client = TCPSocket()
        try await client.connect(to: address)
        _ = try await server.accept()
        #expect(try await client.receive(timeout: .seconds(20)) == nil)
        server.accept { _ in }
        let second = TCPSocket()
        try await second.connect(to: address)
        #expect(try await second.receive(timeout: .seconds(20)) == nil)
        for client in [client, second] { await client.close() }
        await server.close()
    }
}
