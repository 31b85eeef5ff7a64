import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketReceiveTests {
    @Test(arguments: Side.allCases, Loopback.allCases)
    func bothStyles_bringBytesThenNil(_ side: Side, _ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let socket = pair.tested(side)
        try await pair.other(side).send("one")
        #expect(try await socket.receive(timeout: .seconds(20))?.text == "one")
        let waiting = Outcome<SocketMessageInfo?>()
        socket.receive { waiting.set($0.mapError { $0 }) }
        try await pair.other(side).send("two")
        #expect(try await within { try await waiting.value }?.text == "two")
        try await pair.other(side).finish()
        let end: Result<SocketMessageInfo?, SocketError> = try await answer {
            socket.receive(timeout: .seconds(20), completion: $0)
        }
        #expect(try end.get() == nil)
        #expect(try await socket.receive() == nil)
        await pair.close()
    }

    @Test func waiting_isServedInCallOrder() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        for number in 0..<5 { pair.client.receive { log.record("\(number):\((try? $0.get())?.text ?? "-")") } }
        for number in 0..<5 {
            try await pair.connection.send("\(number)")
            try await log.wait(count: number + 1)
        }
        #expect(log.events == ["0:0", "1:1", "2:2", "3:3", "4:4"])
        await pair.close()
    }

    @Test func timeout_runsOut_andLeavesTheBytesToTheNext() async throws {
        let pair = try await makeTCPPair()
        let start = ContinuousClock.now
        let error = await failure { () async throws(SocketError) in
            try await pair.client.receive(timeout: .milliseconds(80))
        }
        #expect(ContinuousClock.now - start >= .milliseconds(80))
        #expect(error?.kind == .timedOut)
        #expect(error?.operation == .receive)
        #expect(error?.address == pair.client.remoteAddress?.description)
        let result: Result<SocketMessageInfo?, SocketError> = try await answer {
            pair.client.receive(timeout: .milliseconds(30), completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
        #expect(pair.client.state.isConnected)
        try await pair.connection.send("late")
        #expect(try await pair.client.receive(timeout: .seconds(20))?.text == "late")
        await pair.close()
    }

    @Test func zeroTimeout_doesNotWait_andTakesWhatIsThere() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        #expect(
            await failure { () async throws(SocketError) in try await client.receive(timeout: .zero) }?.kind
                == .timedOut)
        let nothing: Result<SocketMessageInfo?, SocketError> = try await answer {
            client.receive(timeout: .zero, completion: $0)
        }
        #expect(throws: SocketError.self) { try nothing.get() }
        // On loopback send(2) has put the bytes into our queue when it returns.
        try await blocking { try peer.send("now") }
        #expect(try await client.receive(timeout: .zero)?.text == "now")
        try await blocking { try peer.send("again") }
        let result: Result<SocketMessageInfo?, SocketError> = try await answer {
            client.receive(timeout: .zero, completion: $0)
        }
        #expect(try result.get()?.text == "again")
        await client.close()
    }

    @Test(arguments: Side.allCases)
    func cancelled_leavesSocketAndBytes(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let task = try await startWaiting(on: socket.eventLoop) {
            await failure { () async throws(SocketError) in try await socket.receive() }
        }
        task.cancel()
        let error = try await within { try await task.value }
        #expect(error?.kind == .cancelled)
        #expect(error?.code == 2_301_125)
        #expect(socket.state.isConnected)
        try await pair.other(side).send("x")
        #expect(try await socket.receive(timeout: .seconds(20))?.text == "x")
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_abortsPendingReceives_inBothStyles(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let log = EventLog()
        socket.receive { result in
            if case .failure(let error) = result { log.record("handler:\(error.kind):\(error.code)") }
        }
        let task = Task {
            let error = await failure { () async throws(SocketError) in try await socket.receive() }
            log.record("task:\(error.map { "\($0.kind):\($0.code)" } ?? "")")
        }
        try await settle(socket.eventLoop)
        await socket.close()
        try await log.wait(count: 2)
        await task.value
        // A task that had not begun to wait yet finds the socket closed.
        #expect(log.events.contains("handler:aborted:2301103"))
        #expect(log.events.contains("task:aborted:2301103") || log.events.contains("task:closed:2301009"))
        await pair.close()
    }

    @Test func beforeConnect_isNotConnected() async throws {
        let socket = TCPSocket()
        #expect(await failure { () async throws(SocketError) in try await socket.receive() }?.kind == .notConnected)
        let result: Result<SocketMessageInfo?, SocketError> = try await answer { socket.receive(completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        await socket.close()
    }

    @Test(arguments: Side.allCases)
    func afterClose_isClosed(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        await socket.close()
        #expect(await failure { () async throws(SocketError) in try await socket.receive() }?.kind == .closed)
        let result: Result<SocketMessageInfo?, SocketError> = try await answer { socket.receive(completion: $0) }
        guard case .failure(let error) = result else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .closed)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func whileAMessageListenerExists_isInvalidState(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let log = EventLog()
        recordMessages(socket, in: log)
        let error = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(error?.kind == .invalidState)
        #expect(error?.code == 2_301_022)
        let inMessages = await failure { () async throws(SocketError) in
            for try await _ in socket.messages { break }
        }
        #expect(inMessages?.kind == .invalidState)
        removeMessageListeners(socket)
        try await pair.other(side).send("x")
        #expect(try await socket.receive(timeout: .seconds(20))?.text == "x")
        #expect(log.events == [])
        await pair.close()
    }

    private func removeMessageListeners(_ socket: some StreamSocket) { socket.off(.message) }

    // MARK: messages

    @Test(arguments: Side.allCases)
    func messages_bringEverythingUntilThePeersEnd(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let bytes = pattern(3_000_000)
        let (socket, other) = (pair.tested(side), pair.other(side))
        let sending = Task {
            try await other.send(bytes)
            try await other.finish()
        }
        var received: [UInt8] = []
        for try await message in socket.messages {
            received += message.message
            #expect(message.remoteInfo.netAddress == other.localAddress)
        }
        #expect(received == bytes)
        try await sending.value
        #expect(socket.state.isConnected)
        await pair.close()
    }

    @Test func messages_slowDownTheSender() async throws {
        let pair = try await makeTCPPair()
        let client = pair.client
        let bytes = pattern(32 << 20)
        let sent = Outcome<Void>()
        client.send(bytes) { sent.set($0.mapError { $0 }) }
        var iterator = pair.connection.messages.makeAsyncIterator()
        var received = try #require(try await iterator.next()).message
        // Nobody reads on: the rest stays where it is, most of it with the sender.
        try await settle(pair.connection.eventLoop)
        #expect(sent.count == 0)
        #expect(client.bufferedAmount > 16 << 20)
        while received.count < bytes.count, let next = try await iterator.next() { received += next.message }
        #expect(received == bytes)
        try await within { try await sent.value }
        await pair.close()
    }

    @Test func messages_cancelled_throwsCancelled_andLeavesTheSocket() async throws {
        let pair = try await makeTCPPair()
        let client = pair.client
        let log = EventLog()
        let task = Task {
            do throws(SocketError) {
                for try await message in client.messages { log.record(message.text ?? "-") }
            } catch { log.record("\(error.kind)") }
        }
        try await pair.connection.send("1")
        try await log.wait(for: "1")
        task.cancel()
        try await log.wait(for: "cancelled")
        try await pair.connection.send("2")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "2")
        await pair.close()
    }

    /// What can end an iteration, and the error that it throws by it; nil when it just ends.
    enum End: String, CaseIterable, Sendable {
        case closeBefore, close, reset, peersEnd, peersReset, idleTime

        var kind: SocketError.Kind? {
            switch self {
            case .closeBefore, .close, .reset, .peersEnd: nil
            case .peersReset: .connectionReset
            case .idleTime: .timedOut
            }
        }
    }

    /// The sequences of a stream socket.
    enum Sequence: String, CaseIterable, Sendable {
        case messages, bytes, lines

        /// Whether there is a first element.
        func hasFirst(_ socket: TCPSocket) async throws(SocketError) -> Bool {
            switch self {
            case .messages:
                var iterator = socket.messages.makeAsyncIterator()
                return try await iterator.next() != nil
            case .bytes:
                var iterator = socket.bytes.makeAsyncIterator()
                return try await iterator.next() != nil
            case .lines:
                var iterator = socket.lines().makeAsyncIterator()
                return try await iterator.next() != nil
            }
        }
    }

    /// Our own end is no failure of the loop that reads.
    @Test(arguments: Sequence.allCases, End.allCases)
    func iteration_endsWithOurClose_andThrowsWhatOthersDid(_ sequence: Sequence, _ end: End) async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        if end == .closeBefore { await client.close() }
        let iterating = try await startWaiting(on: client.eventLoop) { () -> SocketError? in
            do throws(SocketError) {
                #expect(try await sequence.hasFirst(client) == false)
                return nil
            } catch {
                return error
            }
        }
        switch end {
        case .closeBefore: break
        case .close: await client.close()
        case .reset: await client.reset()
        case .peersEnd: peer.finish()
        case .peersReset: peer.reset()
        case .idleTime: try await client.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(20)))
        }
        let error = try await within { try await iterating.value }
        #expect(error?.kind == end.kind)
        await client.close()
    }

    @Test func oddPeer_oneByteAtATime_losesNothing() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let bytes = pattern(500)
        startThread {
            for byte in bytes { try? peer.send([byte]) }
            peer.finish()
        }
        #expect(try await readAll(client) == bytes)
        await client.close()
    }

    @Test func oddPeer_thatResetsBehindItsBytes_isConnectionReset() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await blocking {
            try peer.send("last words")
            peer.reset()
        }
        let error = await failure { () async throws(SocketError) in
            while try await client.receive() != nil {}
        }
        #expect(error?.kind == .connectionReset)
        #expect(error?.code == 2_301_104)
        #expect(error?.systemError?.name == "ECONNRESET")
        await client.close()
    }
}
