import HarmonySocket
import Testing

@Suite(.bounded) struct TCPSocketServerServeTests {
    private struct Whim: Error {}

    @Test(arguments: Loopback.allCases)
    func serve_runsAHandlerForEachConnection_onItsLoop(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let onLoop = EventRecorder<Bool>()
        let serving = Task {
            try await server.serve { client in
                for try await message in client.messages {
                    onLoop.record(client.eventLoop.isCurrent)
                    try await client.send(message.message)
                }
            }
        }
        try await withThrowingTaskGroup { tasks in
            for number in 0..<20 {
                tasks.addTask {
                    let client = TCPSocket()
                    try await client.connect(to: address)
                    let bytes = pattern(number * 5000)
                    try await client.send(bytes)
                    try await client.finish()
                    #expect(try await readAll(client) == bytes)
                    await client.close()
                }
            }
            try await tasks.waitForAll()
        }
        #expect(onLoop.count > 0 && onLoop.events.allSatisfy { $0 })
        await server.close()
        try await within { try await serving.value }
    }

    @Test func serve_closesTheConnectionWhenItsHandlerReturns_afterWhatItSent() async throws {
        let (server, address) = try await makeServer()
        let serving = Task { try await server.serve { try await $0.send("hello and goodbye") } }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await client.send("unread by the handler")
        #expect(try await readAll(client) == Array("hello and goodbye".utf8))
        await client.close()
        await server.close()
        try await within { try await serving.value }
    }

    @Test func serve_handlersError_goesToTheServersError_andLeavesTheOthers() async throws {
        let (server, address) = try await makeServer()
        let log = EventLog()
        let addresses = EventRecorder<String?>()
        server.on(.error) {
            addresses.record($0.address)
            log.record("\($0.kind) \($0.code) \($0.message)")
        }
        let serving = Task {
            try await server.serve { client in
                let command = try await client.receive()?.text
                if command == "throw" { throw Whim() }
                try await client.send("fine")
            }
        }
        let (bad, good) = (TCPSocket(), TCPSocket())
        try await bad.connect(to: address)
        try await good.connect(to: address)
        let badAddress = try await bad.getLocalAddress()
        try await bad.send("throw")
        try await log.wait(count: 1)
        #expect(log.events == ["handlerFailed 2300002 the handler threw Whim()"])
        #expect(addresses.events == [badAddress.description])
        #expect(server.lastError?.kind == .handlerFailed)
        #expect(try await bad.receive(timeout: .seconds(20)) == nil)
        try await good.send("go")
        #expect(try await readAll(good) == Array("fine".utf8))
        await bad.close()
        await good.close()
        await server.close()
        try await within { try await serving.value }
        #expect(log.count == 1)
    }

    @Test func serve_errorsOfClosingAndCancelling_areNotReported() async throws {
        let (server, address) = try await makeServer()
        let log = EventLog()
        server.on(.error) { log.record("\($0.kind)") }
        let handled = EventRecorder<Int>()
        let serving = Task {
            try await server.serve { client in
                defer { handled.record(client.clientId) }
                await client.close()
                _ = try await client.receive()
            }
        }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await handled.wait(count: 1)
        #expect(try await client.receive(timeout: .seconds(20)) == nil)
        await client.close()
        await server.close()
        try await within { try await serving.value }
        #expect(log.events == [])
    }

    @Test func serve_cancelled_stopsAccepting_cancelsHandlers_andKeepsListening() async throws {
        let (server, address) = try await makeServer()
        let log = EventLog()
        let serving = Task {
            await failure { () async throws(SocketError) in
                try await server.serve { client in
                    log.record("begun")
                    do throws(SocketError) {
                        _ = try await client.receive()
                    } catch {
                        log.record("\(error.kind)")
                        throw error
                    }
                }
            }
        }
        let clients = [TCPSocket(), TCPSocket()]
        for client in clients { try await client.connect(to: address) }
        try await log.wait(count: 2)
        serving.cancel()
        let error = try await within { await serving.value }
        #expect(error?.kind == .cancelled)
        #expect(error?.operation == .serve)
        #expect(log.events == ["begun", "begun", "cancelled", "cancelled"])
        for client in clients { #expect(try await client.receive(timeout: .seconds(20)) == nil) }
        #expect(server.state.isBound)
        // Another one may take over.
        let again = Task { try await server.serve { try await $0.send("second") } }
        let client = TCPSocket()
        try await client.connect(to: address)
        #expect(try await readAll(client) == Array("second".utf8))
        await server.close()
        try await within { try await again.value }
        for client in clients + [client] { await client.close() }
    }

    @Test func serve_cancelledBeforeItStarts_isCancelled() async throws {
        let (server, _) = try await makeServer()
        let error = try await within {
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await failure { () async throws(SocketError) in try await server.serve { _ in } }
            }
            return await task.value
        }
        #expect(error?.kind == .cancelled)
        await server.close()
    }

    @Test func serve_waitsForItsHandlers_afterClose() async throws {
        let (server, address) = try await makeServer()
        let log = EventLog()
        let mayEnd = Outcome<Void>()
        let serving = Task {
            try await server.serve { client in
                log.record("begun")
                try await mayEnd.value
                log.record("ended")
            }
            log.record("returned")
        }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await log.wait(for: "begun")
        await server.close()
        #expect(log.events == ["begun"])
        mayEnd.set(.success(()))
        try await log.wait(for: "returned")
        #expect(log.events == ["begun", "ended", "returned"])
        try await within { try await serving.value }
        await client.close()
    }

    @Test func serve_whereItDoesNotFit_isRefused() async throws {
        let server = TCPSocketServer()
        let fresh = await failure { () async throws(SocketError) in try await server.serve { _ in } }
        #expect(fresh?.kind == .invalidState)
        try await server.listen(NetAddress("127.0.0.1"))
        server.on(.connect) {}
        let taken = await failure { () async throws(SocketError) in try await server.serve { _ in } }
        #expect(taken?.kind == .invalidState)
        #expect(taken?.code == 2_301_022)
        server.off(.connect)
        await server.close()
        let closed = await failure { () async throws(SocketError) in try await server.serve { _ in } }
        #expect(closed?.kind == .closed)
        #expect(closed?.operation == .serve)
    }

    @Test func serve_besideAnotherServeOrConnections_isRefused() async throws {
        let (server, address) = try await makeServer()
        let begun = EventRecorder<Int>()
        let serving = Task { try await server.serve { begun.record($0.clientId) } }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await begun.wait(count: 1)
        let second = await failure { () async throws(SocketError) in try await server.serve { _ in } }
        #expect(second?.kind == .invalidState)
        let iterated = try await within {
            await failure { () async throws(SocketError) in for try await _ in server.connections { break } }
        }
        #expect(iterated?.kind == .invalidState)
        // A listener that comes now waits for the serve to end.
        let heard = EventRecorder<Int>()
        server.on(.connect) { heard.record($0.clientId) }
        for number in 2...10 {
            let another = TCPSocket()
            try await another.connect(to: address)
            try await begun.wait(count: number)
            await another.close()
        }
        #expect(heard.count == 0)
        await client.close()
        await server.close()
        try await within { try await serving.value }
    }

    // MARK: connections

    @Test(arguments: Loopback.allCases)
    func connections_bringEachConnection_andEndWithClose(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let log = EventLog()
        let iterating = Task {
            var kept: [TCPSocketConnection] = []
            for try await connection in server.connections {
                kept.append(connection)
                try await connection.send("\(kept.count)")
                log.record(connection.remoteAddress?.description ?? "-")
            }
            return kept
        }
        var clients: [TCPSocket] = []
        for number in 1...5 {
            let client = TCPSocket()
            try await client.connect(to: address)
            #expect(try await read(1, from: client) == Array("\(number)".utf8))
            clients.append(client)
        }
        try await log.wait(count: 5)
        #expect(log.events == clients.map { $0.localAddress?.description })
        await server.close()
        let kept = try await within { try await iterating.value }
        #expect(kept.count == 5)
        for connection in kept { #expect(connection.state.isConnected) }
        for client in clients { await client.close() }
        for connection in kept { await connection.close() }
    }

    @Test func connections_listenersAddedInTheLoop_missNothing() async throws {
        let (server, address) = try await makeServer()
        let log = EventLog()
        let iterating = Task {
            for try await connection in server.connections {
                record(connection, in: log)
                recordMessages(connection, in: log)
            }
        }
        let client = TCPSocket()
        try await client.connect(to: address)
        try await client.send("early")
        try await client.finish()
        try await log.wait(for: "close")
        #expect(log.events == ["message:early", "end", "close"])
        await client.close()
        await server.close()
        try await within { try await iterating.value }
    }

    @Test func connections_thatTheLoopDrops_areClosed() async throws {
        let (server, address) = try await makeServer()
        let iterating = Task { for try await _ in server.connections {} }
        let client = TCPSocket()
        try await client.connect(to: address)
        #expect(try await client.receive(timeout: .seconds(20)) == nil)
        await client.close()
        await server.close()
        try await within { try await iterating.value }
    }

    @Test func connections_cancelled_throwCancelled_andTheServerGoesOn() async throws {
        let (server, address) = try await makeServer()
        let task = Task {
            await failure { () async throws(SocketError) in for try await _ in server.connections {} }
        }
        task.cancel()
        #expect(try await within { await task.value }?.kind == .cancelled)
        let client = TCPSocket()
        try await client.connect(to: address)
        let next = Task {
            var iterator = server.connections.makeAsyncIterator()
            return try await iterator.next()
        }
        let connection = try #require(try await within { try await next.value })
        #expect(connection.remoteAddress == client.localAddress)
        await client.close()
        await connection.close()
        await server.close()
    }

    @Test func connections_whereTheyDoNotFit_areRefused() async throws {
        let server = TCPSocketServer()
        @Sendable func next() async -> SocketError? {
            await failure { () async throws(SocketError) in for try await _ in server.connections { break } }
        }
        #expect(await next()?.kind == .invalidState)
        try await server.listen(NetAddress("127.0.0.1"))
        let listener = server.on(.connect) {}
        #expect(try await within { await next() }?.kind == .invalidState)
        server.off(listener)
        await server.close()
        var iterator = server.connections.makeAsyncIterator()
        #expect(try await iterator.next() == nil)
    }
}
