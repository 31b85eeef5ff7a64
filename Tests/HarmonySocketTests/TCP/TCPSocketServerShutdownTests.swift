import HarmonySocket
import Testing

@Suite(.bounded) struct TCPSocketServerShutdownTests {
    @Test func shutdown_withoutConnections_isAClose() async throws {
        for style in ["async", "handler"] {
            let (server, address) = try await makeServer()
            let log = EventLog()
            server.on(.close) { log.record("close") }
            if style == "async" {
                #expect(try await server.shutdown() == 0)
                log.record("returned")
            } else {
                server.shutdown { log.record("returned \((try? $0.get()) ?? -1)") }
            }
            try await log.wait(count: 2)
            #expect(log.events == ["close", style == "async" ? "returned" : "returned 0"])
            #expect(server.state.isClose)
            let client = TCPSocket()
            let error = await failure { () async throws(SocketError) in try await client.connect(to: address) }
            #expect(error?.kind == .connectionRefused)
            #expect(try await server.shutdown() == 0, "a second one does nothing")
        }
        let fresh = TCPSocketServer()
        #expect(try await fresh.shutdown(timeout: nil) == 0)
        #expect(fresh.state.isClose)
    }

    @Test func shutdown_letsHandlersFinish() async throws {
        let (server, address) = try await makeServer()
        let (begun, mayEnd) = (EventRecorder<Int>(), Outcome<Void>())
        let serving = Task {
            try await server.serve { client in
                begun.record(client.clientId)
                try await mayEnd.value
                try await client.send("the whole reply")
            }
        }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await begun.wait(count: 1)
        let over = Outcome<Int>()
        let shutting = Task { over.set(.success(try await server.shutdown(timeout: .seconds(30)))) }
        try await eventually("closed") { server.state.isClose }
        #expect(over.count == 0)
        mayEnd.set(.success(()))
        #expect(try await readAll(client) == Array("the whole reply".utf8))
        await client.close()
        #expect(try await within { try await over.value } == 0)
        try await within { try await serving.value }
        _ = await shutting.result
    }

    /// In each style: those that have not ended in time are reset, and their calls end.
    @Test(arguments: ["events", "serve", "accept", "connections"], [Duration.zero, .milliseconds(60)])
    func shutdown_whenTimeIsOver_cutsOffWhatIsLeft(_ style: String, _ timeout: Duration) async throws {
        let (server, address) = try await makeServer()
        let taken = EventRecorder<TCPSocketConnection>()
        let ended = EventRecorder<SocketError.Kind?>()
        let work: Task<Void, any Error>? =
            switch style {
            case "events": nil
            case "serve":
                Task {
                    try await server.serve { client in
                        taken.record(client)
                        do throws(SocketError) { _ = try await client.receive() } catch { ended.record(error.kind) }
                    }
                }
            case "accept": Task { while true { taken.record(try await server.accept()) } }
            default: Task { for try await connection in server.connections { taken.record(connection) } }
            }
        if work == nil {
            server.on(.connect) { connection in
                connection.on(.close) { ended.record($0.error?.kind) }
                taken.record(connection)
            }
        }
        let peers = try await blocking { try (0..<3).map { _ in try RawSocket.connected(to: address) } }
        try await taken.wait(count: 3)
        let start = ContinuousClock.now
        #expect(try await server.shutdown(timeout: timeout) == 3)
        #expect(ContinuousClock.now - start >= timeout)
        #expect(server.connectionCount == 0)
        for peer in peers { #expect(throws: RawError.self) { try peer.receive() } }
        // Or a handler had not begun to wait.
        if style == "serve" {
            #expect(try await ended.wait(count: 3).allSatisfy { $0 == .aborted || $0 == .closed })
        }
        if style == "events" { #expect(try await ended.wait(count: 3) == [nil, nil, nil]) }
        for connection in taken.events { #expect(connection.state.isClose) }
        _ = await work?.result
    }

    @Test func shutdown_withoutTimeLimit_waitsForTheLast() async throws {
        let pair = try await makeTCPPair()
        let over = Outcome<Int>()
        pair.server.shutdown(timeout: nil) { over.set($0.mapError { $0 }) }
        try await eventually("closed") { pair.server.state.isClose }
        try await pair.client.send("still here")
        #expect(try await read(10, from: pair.connection) == Array("still here".utf8))
        #expect(over.count == 0)
        await pair.client.close()
        await pair.connection.close()
        #expect(try await within { try await over.value } == 0)
    }

    @Test func shutdown_afterClose_worksAsWell() async throws {
        let pair = try await makeTCPPair()
        await pair.server.close()
        #expect(try await pair.server.shutdown(timeout: .milliseconds(10)) == 1)
        #expect(pair.connection.state.isClose)
        await pair.client.close()
    }

    /// close() has completed; what goes on in the background is no connection of the program's any more.
    @Test func shutdown_cutsTheBackgroundOfACloseShort_withoutCountingIt() async throws {
        let (server, address) = try await makeServer()
        let peer = try await blocking { try RawSocket.connected(to: address) }
        let connection = try await server.accept()
        connection.closeTimeout = .seconds(600)
        try await connection.send("goodbye")
        await connection.close()
        #expect(server.connectionCount == 1)
        #expect(try await within { try await server.shutdown(timeout: .milliseconds(10)) } == 0)
        #expect(server.connectionCount == 0)
        #expect(try peer.receiveAll() == Array("goodbye".utf8))
        peer.close()
    }

    @Test func shutdown_cancelled_cutsNobodyOff() async throws {
        let pair = try await makeTCPPair()
        let start = ContinuousClock.now
        let cancelled = Task {
            await failure { () async throws(SocketError) in
                try await pair.server.shutdown(timeout: .milliseconds(100))
            }
        }
        cancelled.cancel()
        let error = try await within { await cancelled.value }
        #expect(error?.kind == .cancelled)
        #expect(error?.operation == .shutdown)
        // The server is closed all the same, and another one has its own time.
        #expect(try await pair.server.shutdown(timeout: .milliseconds(300)) == 1)
        #expect(ContinuousClock.now - start >= .milliseconds(300))
        await pair.client.close()
    }

    @Test func shutdown_severalAtOnce_theFirstWhoseTimeIsOverCutsOff() async throws {
        let pair = try await makeTCPPair()
        let counts = try await within {
            try await withThrowingTaskGroup(of: Int.self) { tasks in
                for timeout in [nil, .seconds(600), .milliseconds(20)] as [Duration?] {
                    tasks.addTask { try await pair.server.shutdown(timeout: timeout) }
                }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(counts == [1, 1, 1])
        await pair.client.close()
    }
}
