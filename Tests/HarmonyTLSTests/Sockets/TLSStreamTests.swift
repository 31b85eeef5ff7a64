import HarmonySocket
import HarmonyTLS
import Testing

@Suite("What all stream sockets do, over TLS", .timeLimit(.minutes(2)))
struct TLSStreamTests {
    // MARK: Styles

    @Test("Listeners, on both sides: messages, the end, and the close that follows")
    func listeners_hearEverything() async throws {
        let log = EventLog()
        let pair = try await makeTLSPair(prepareConnection: { connection in
            connection.on(.message) { message in
                log.record("server:\(message.text ?? "")")
                connection.send("you said \(message.text ?? "")") { _ in }
            }
            connection.on(.end) { log.record("server:end") }
            connection.on(.close) { log.record($0.error.map { "server:close:\($0)" } ?? "server:close") }
        })
        pair.client.on(.message) { log.record("client:\($0.text ?? "")") }
        pair.client.on(.close) { log.record($0.error.map { "client:close:\($0)" } ?? "client:close") }
        pair.client.send("hello") { log.record("sent:\($0)") }
        try await log.wait(for: "client:you said hello")
        await pair.client.close()
        try await log.wait(for: "server:close")
        try await log.wait(for: "client:close")
        #expect(log.events.filter { $0.hasPrefix("server") } == ["server:hello", "server:end", "server:close"])
        await pair.close()
    }

    @Test("serve: many clients at once, each with its own handler, and a shutdown that waits for them")
    func serve_handlesMany() async throws {
        let (server, port) = try await makeTLSServer()
        let serving = Task {
            try await server.serve { client in
                for try await line in client.lines() { try await client.send(line.uppercased() + "\n") }
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let client = TLSSocket()
                    try await client.connect(clientOptions(port: port))
                    for round in 0..<5 {
                        try await client.send("client \(number) round \(round)\n")
                        let line = try await client.receive(until: "\n")
                        #expect(line == Array("CLIENT \(number) ROUND \(round)\n".utf8))
                    }
                    await client.close()
                }
            }
            try await group.waitForAll()
        }
        #expect(try await server.shutdown(timeout: .seconds(10)) == 0)
        try await within { try await serving.value }
    }

    @Test("accept: a time-out of zero takes who is ready, and sees to it that there will be somebody")
    func accept_withoutWaiting_beginsHandshakes() async throws {
        let (server, port) = try await makeTLSServer()
        let client = TLSSocket()
        let connecting = Task { try await client.connect(clientOptions(port: port)) }
        let accepted = TestLock<TLSSocketConnection?>(nil)
        try await eventually("somebody is ready") {
            guard let connection = try? await server.accept(timeout: .zero) else { return false }
            accepted.withLock { $0 = connection }
            return true
        }
        try await within { try await connecting.value }
        let connection = try #require(accepted.withLock { $0 })
        try await connection.send("hello")
        #expect(try await client.receive()?.text == "hello")
        await client.close()
        await connection.close()
        await server.close()
    }

    @Test("Connections that are secure, and that nobody has taken, are cut off when the server closes")
    func close_cutsOffTheUnclaimed() async throws {
        let (server, port) = try await makeTLSServer()
        let accepting = Task { try await server.accept() }
        let clients = (0..<3).map { _ in TLSSocket() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in clients { group.addTask { try await client.connect(clientOptions(port: port)) } }
            // The first to come wins; others may stay in the backlog, or be secure and wait.
            try await group.next()
            let connection = try await within { try await accepting.value }
            await server.close()
            await connection.close()
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
        for client in clients { await client.reset() }
        #expect(try await server.shutdown(timeout: .seconds(10)) == 0)
    }

    // MARK: Moving bytes

    @Test("A relay between TLS and plain TCP is a TLS terminator", arguments: [false, true])
    func relay_terminatesTLS(isBackwards: Bool) async throws {
        let secure = try await makeTLSPair()
        let plain = try await makeTCPPair()
        let relaying = Task { try await secure.connection.relay(with: plain.client) }
        let bytes = pattern(5_000_000)
        let (source, sink): (any StreamSocket, any StreamSocket) =
            isBackwards ? (plain.connection, secure.client) : (secure.client, plain.connection)
        async let sending: Void = source.send(bytes)
        #expect(try await read(bytes.count, from: sink) == bytes)
        try await sending
        try await source.finish()
        #expect(try await sink.receive() == nil)
        try await sink.finish()
        #expect(try await source.receive() == nil)
        _ = try await within { try await relaying.value }
        await secure.close()
        await plain.close()
    }

    @Test("A file goes through TLS in its place among other sends")
    func sendFile_goesThrough() async throws {
        let pair = try await makeTLSPair()
        let bytes = pattern(3_000_000)
        let file = try TemporaryFile(bytes)
        async let sending: Void = {
            try await pair.client.send("before")
            try await pair.client.sendFile(file.path, offset: 1_000, count: 2_500_000)
            try await pair.client.send("after")
        }()
        let expected = Array("before".utf8) + bytes[1_000..<2_501_000] + Array("after".utf8)
        #expect(try await read(expected.count, from: pair.connection) == expected)
        try await sending
        await pair.close()
    }

    @Test("A file that becomes shorter while it is sent breaks the connection off, as on TCP")
    func sendFile_thatShrinks_breaksOff() async throws {
        let pair = try await makeTLSPair()
        let file = try TemporaryFile(pattern(50_000_000))
        let sending = Task { try await pair.client.sendFile(file.path) }
        _ = try await read(1_000_000, from: pair.connection)
        try file.setSize(2_000_000)
        let reading = Task { try await readAll(pair.connection) }
        do {
            try await within { try await sending.value }
            Issue.record("it was sent")
        } catch let error as SocketError {
            #expect(error.kind == .incomplete)
        }
        await #expect(throws: SocketError.self) { try await reading.value }
        await pair.close()
    }

    @Test("trySend takes what goes, loses nothing of it, and drain tells of room")
    func trySend_losesNothing() async throws {
        let pair = try await makeTLSPair()
        let drains = EventRecorder<Void>()
        pair.client.on(.drain) { drains.record(()) }
        let bytes = pattern(100_000)
        var sent: [UInt8] = []
        var isFull = false
        while !isFull {
            let count = try pair.client.trySend(bytes)
            sent += bytes[..<count]
            isFull = count < bytes.count
        }
        #expect(try pair.client.trySend(bytes) == 0)
        let expected = sent
        #expect(try await read(expected.count, from: pair.connection) == expected)
        try await drains.wait(count: 1)
        let more = try pair.client.trySend(bytes)
        #expect(more == bytes.count)
        #expect(try await read(more, from: pair.connection) == bytes)
        await pair.close()
    }

    @Test("Several buffers go as one, and borrowed bytes are copied only as far as they must wait")
    func partsAndSpans_goThrough() async throws {
        let pair = try await makeTLSPair()
        let parts = (0..<100).map { pattern($0 * 100) }
        let whole = Array(parts.joined())
        async let sending: Void = {
            try await pair.client.send(parts: parts)
            try await pair.client.send(whole.span.bytes)
        }()
        #expect(try await read(whole.count * 2, from: pair.connection) == whole + whole)
        try await sending
        #expect(pair.client.statistics.bytesSent == whole.count * 2)
        #expect(pair.connection.statistics.bytesReceived == whole.count * 2)
        await pair.close()
    }

    // MARK: Giving up

    @Test("A cancelled send that has begun says so, and its bytes go out; one that has not is removed")
    func cancelledSends_leaveTheStreamWhole() async throws {
        let pair = try await makeTLSPair()
        let loop = pair.client.eventLoop
        let big = pattern(20_000_000)
        let first = try await startWaiting(on: loop) { try await pair.client.send(big) }
        let second = try await startWaiting(on: loop) { try await pair.client.send([1, 2, 3]) }
        let third = try await startWaiting(on: loop) { try await pair.client.send([9]) }
        second.cancel()
        first.cancel()
        do {
            try await second.value
            Issue.record("the second was sent")
        } catch let error as SocketError {
            #expect(error.kind == .cancelled)
            #expect(error.sent == 0)
            #expect(error.remaining == 3)
        }
        do {
            try await first.value
            Issue.record("the first was sent")
        } catch let error as SocketError {
            #expect(error.kind == .cancelled)
            #expect(error.sent > 0)
            #expect(error.sent + error.remaining == big.count)
        }
        #expect(try await read(big.count + 1, from: pair.connection) == big + [9])
        try await third.value
        await pair.close()
    }

    @Test("close() flushes what is queued, then says that it ends; unread input does not destroy it")
    func close_flushes() async throws {
        let pair = try await makeTLSPair()
        let bytes = pattern(8_000_000)
        try await pair.connection.send("never read")
        let sending = Task { try await pair.client.send(bytes) }
        try await eventually("it is queued") { pair.client.bufferedAmount > 0 }
        let closing = Task { await pair.client.close() }
        #expect(try await readAll(pair.connection) == bytes)
        try await within { try await sending.value }
        try await within { await closing.value }
        await pair.close()
    }

    @Test("A reset says nothing of an end, so the peer does not take it for one")
    func reset_isNoEnd() async throws {
        let pair = try await makeTLSPair()
        try await pair.client.send("almost all")
        #expect(try await pair.connection.receive()?.text == "almost all")
        await pair.client.reset()
        let error = await failure { () throws(SocketError) in try await pair.connection.receive() }
        #expect(error?.kind == .connectionReset)
        await pair.close()
    }

    @Test("The end is told to a socket that nobody reads from")
    func end_isTold_withoutReader() async throws {
        let log = EventLog()
        let pair = try await makeTLSPair(prepareConnection: { connection in
            connection.on(.end) { log.record("end") }
            connection.on(.close) { log.record($0.error.map { "close:\($0)" } ?? "close") }
        })
        await pair.client.close()
        try await log.wait(for: "end")
        await pair.connection.close()
        try await log.wait(for: "close")
        #expect(log.events == ["end", "close"])
        await pair.close()
    }

    @Test("Urgent data, and giving the descriptor away, do not go with TLS, and disturb nothing")
    func whatDoesNotFit_isRefused() async throws {
        let pair = try await makeTLSPair()
        let error = await failure { () throws(SocketError) in try await pair.client.sendUrgent(1) }
        #expect(error?.kind == .notSupported)
        try await pair.client.send("fine")
        #expect(try await pair.connection.receive()?.text == "fine")
        await pair.close()
    }

    @Test("Requests of all kinds are cut out of records as out of any stream")
    func requests_areCut() async throws {
        let pair = try await makeTLSPair()
        try await pair.client.send("abcdefghij")
        try await pair.client.send("one\ntwo\n")
        #expect(try await pair.connection.receive(upTo: 3) == Array("abc".utf8))
        #expect(try await pair.connection.peek(upTo: 2) == Array("de".utf8))
        #expect(try await pair.connection.receive(exactly: 7) == Array("defghij".utf8))
        #expect(try await pair.connection.receive(until: "\n") == Array("one\n".utf8))
        var buffer = [UInt8](repeating: 0, count: 4)
        #expect(try await pair.connection.receive(exactly: 4) == Array("two\n".utf8))
        buffer[0] = 1
        try await pair.client.finish()
        #expect(try await pair.connection.receive(upTo: 1) == nil)
        await pair.close()
    }

    @Test("A socket that is silent for too long is closed, handshakes or not")
    func idleTimeout_closes() async throws {
        let pair = try await makeTLSPair()
        let log = EventLog()
        pair.client.on(.timeout) { log.record("timeout") }
        pair.client.on(.close) { log.record("close:\($0.error?.kind.rawValue ?? "")") }
        try await pair.client.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(100)))
        try await log.wait(for: "close:timedOut")
        #expect(log.events == ["timeout", "close:timedOut"])
        await pair.close()
    }

    @Test("Threads that send and receive at once, on one socket, do not disturb each other")
    func threads_shareASocket() async throws {
        let pair = try await makeTLSPair()
        let piece = pattern(1_000)
        let count = 2_000
        for _ in 0..<2 {
            for socket in [pair.client, pair.connection] as [any StreamSocket] {
                startThread { for _ in 0..<count { socket.send(piece) { _ in } } }
            }
        }
        async let there = read(piece.count * count * 2, from: pair.connection)
        async let back = read(piece.count * count * 2, from: pair.client)
        let expected = Array((0..<count * 2).map { _ in piece }.joined())
        #expect(try await there == expected)
        #expect(try await back == expected)
        await pair.close()
    }
}
