import HarmonySocket
import Testing

/// Each event: when it comes, and with what.
@Suite(.bounded) struct StreamSocketEventsTests {
    // MARK: Binding and connecting

    @Test(arguments: [true, false])
    func bind_emitsListening_beforeItEnds(_ isAsync: Bool) async throws {
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.listening) { log.record("listening") }
        if isAsync {
            try await socket.bind(NetAddress("127.0.0.1"))
            log.record("bound true")
        } else {
            socket.bind(NetAddress("127.0.0.1")) { log.record("bound \((try? $0.get()) != nil)") }
        }
        try await log.wait(count: 2)
        #expect(log.events == ["listening", "bound true"])
        await socket.close()
    }

    @Test func bind_thatFails_emitsNothing() async throws {
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.listening) { log.record("listening") }
        socket.bind(NetAddress("127.0.0.1", port: -1)) { log.record("bound \((try? $0.get()) != nil)") }
        try await log.wait(count: 1)
        #expect(log.events == ["bound false"])
        await socket.close()
    }

    @Test(arguments: Loopback.allCases, [true, false])
    func connect_emitsConnect_beforeItEnds(_ loopback: Loopback, _ isAsync: Bool) async throws {
        let (server, address) = try await makeServer(loopback)
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.connect) { [weak socket] in log.record("connect \(socket?.state.description ?? "")") }
        if isAsync {
            try await socket.connect(to: address)
            log.record("connected true")
        } else {
            socket.connect(to: address) { log.record("connected \((try? $0.get()) != nil)") }
        }
        try await log.wait(count: 2)
        #expect(log.events == ["connect bound, connected", "connected true"])
        await socket.close()
        await server.close()
    }

    @Test func connect_thatFails_emitsCloseOnly_behindItsCompletion() async throws {
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.connect) { log.record("connect") }
        record(socket, in: log)
        socket.connect(to: NetAddress("127.0.0.1", port: try freePort())) { result in
            if case .failure(let error) = result { log.record("failed:\(error.kind)") }
        }
        try await log.wait(count: 2)
        try await settle(socket.eventLoop)
        #expect(log.events == ["failed:connectionRefused", "close:connectionRefused"])
    }

    // MARK: Messages

    @Test(arguments: Side.allCases, Loopback.allCases)
    func message_carriesBytesAndSender_inOrder(_ side: Side, _ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let messages = EventRecorder<SocketMessageInfo>()
        record(messages, of: pair.tested(side))
        let sent = pattern(300_000)
        try await pair.other(side).send(sent)
        try await messages.wait { $0.reduce(0) { $0 + $1.message.count } >= sent.count }
        #expect(messages.events.flatMap(\.message) == sent)
        for message in messages.events {
            #expect(message.remoteInfo.netAddress == pair.other(side).localAddress)
            #expect(message.remoteInfo.size == message.message.count)
            #expect(!message.message.isEmpty)
            #expect(!message.isTruncated)
        }
        await pair.close()
    }

    private func record(_ messages: EventRecorder<SocketMessageInfo>, of socket: some StreamSocket) {
        socket.on(.message) { messages.record($0) }
    }

    private func record(_ socket: some StreamSocket, in log: EventLog) { HarmonySocketTests.record(socket, in: log) }

    // MARK: The peer's end

    @Test(arguments: Side.allCases)
    func peersEnd_withMessageListener_emitsMessageEndClose(_ side: Side) async throws {
        let tested = try await TestedEnd(side, recordsMessages: true)
        try await tested.other.send("bye")
        try await tested.other.finish()
        try await tested.log.wait(for: "close")
        // Our close was said to the peer.
        #expect(try await tested.other.receive(timeout: .seconds(20)) == nil)
        await tested.close()
        try await tested.expect(["message:bye", "end", "close"])
    }

    @Test(arguments: Side.allCases)
    func peersEnd_withHalfOpenAllowed_leavesItOpenForSending(_ side: Side) async throws {
        let tested = try await TestedEnd(side, recordsMessages: true)
        tested.socket.allowsHalfOpen = true
        #expect(tested.socket.allowsHalfOpen)
        try await tested.other.send("question")
        try await tested.other.finish()
        try await tested.log.wait(for: "end")
        try await tested.expect(["message:question", "end"])
        try await tested.socket.send("answer")
        await tested.socket.close()
        #expect(try await readAll(tested.other) == Array("answer".utf8))
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func peersEnd_withoutReader_emitsEndAndStaysOpen(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        try await tested.other.finish()
        try await tested.log.wait(for: "end")
        try await tested.expect(["end"])
        #expect(tested.socket.state.isConnected && tested.socket.canSend)
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func peersEnd_withPullingReader_emitsEndOnce(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        try await tested.other.send("x")
        try await tested.other.finish()
        #expect(try await readAll(tested.socket) == Array("x".utf8))
        #expect(try await tested.socket.receive(timeout: .seconds(20)) == nil)
        try await tested.log.wait(for: "end")
        try await tested.expect(["end"])
        await tested.close()
    }

    // MARK: Close and errors

    @Test(arguments: Side.allCases)
    func close_emitsCloseOnceAndLast_howeverOftenItIsCalled(_ side: Side) async throws {
        let tested = try await TestedEnd(side, recordsMessages: true)
        let (socket, log) = (tested.socket, tested.log)
        socket.close { _ in log.record("closed") }
        await socket.close()
        await socket.reset()
        try await log.wait(for: "close")
        socket.close { _ in log.record("after") }
        socket.reset { _ in log.record("after") }
        try await log.wait(count: 4)
        try await tested.expect(["closed", "close", "after", "after"])
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func reset_emitsCloseWithoutError(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        await tested.socket.reset()
        try await tested.log.wait(count: 1)
        try await tested.expect(["close"])
        await tested.close()
    }

    @Test(arguments: Side.allCases, [true, false])
    func peersReset_withoutCall_emitsErrorAndCloseWithIt(_ side: Side, _ listensToMessages: Bool) async throws {
        let tested = try await TestedEnd(side, recordsMessages: listensToMessages)
        await tested.other.reset()
        try await tested.log.wait(for: "close:connectionReset")
        try await tested.expect(["error:connectionReset", "close:connectionReset"])
        #expect(tested.socket.lastError?.kind == .connectionReset)
        #expect(tested.socket.lastError?.code == 2_301_104)
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func peersReset_withPendingReceive_isThatCallsFailure(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        let log = tested.log
        tested.socket.receive { result in
            if case .failure(let error) = result { log.record("receive:\(error.kind)") }
        }
        await tested.other.reset()
        try await log.wait(for: "close:connectionReset")
        try await tested.expect(["receive:connectionReset", "close:connectionReset"])
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func idleTime_emitsTimeoutAndClosesWithTimedOut(_ side: Side) async throws {
        let tested = try await TestedEnd(side, recordsMessages: true)
        let start = ContinuousClock.now
        try await tested.socket.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(150)))
        try await tested.log.wait(for: "close:timedOut")
        #expect(ContinuousClock.now - start >= .milliseconds(150))
        try await tested.expect(["timeout", "close:timedOut"])
        #expect(tested.socket.lastError?.kind == .timedOut)
        #expect(tested.socket.lastError?.code == 2_301_110)
        await tested.close()
    }

    // MARK: Drain

    @Test(arguments: Side.allCases)
    func drain_isEmittedOnce_whenAFullQueueHasFallen(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        let socket = tested.socket
        socket.highWaterMark = 100_000
        #expect(socket.highWaterMark == 100_000)
        let bytes = pattern(16 << 20)
        let sent = Outcome<Void>()
        socket.send(bytes) { result in sent.set(result.mapError { $0 }) }
        #expect(socket.bufferedAmount > 100_000)
        #expect(socket.needsDrain)
        #expect(tested.log.events == [])
        #expect(try await read(bytes.count, from: tested.other) == bytes)
        try await within { try await sent.value }
        try await tested.log.wait(for: "drain")
        try await tested.expect(["drain"])
        #expect(socket.bufferedAmount == 0)
        #expect(!socket.needsDrain)
        await tested.close()
    }

    /// What is given up empties the queue as well.
    @Test(arguments: Side.allCases)
    func drain_isEmitted_whenTheQueueIsGivenUp(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        let socket = tested.socket
        // Nobody reads: the first stays, begun, and what is behind it has not begun.
        socket.highWaterMark = .max
        socket.send(pattern(16 << 20)) { _ in }
        let stuck = socket.bufferedAmount
        socket.highWaterMark = 2 * stuck + 100
        socket.send([UInt8](repeating: 1, count: 2 * stuck), timeout: .milliseconds(20)) { _ in }
        try await tested.log.wait(for: "drain")
        #expect(socket.bufferedAmount <= stuck)
        await socket.reset()
        try await tested.log.wait(for: "close")
        try await tested.expect(["drain", "close"])
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func drain_isNotEmitted_belowTheMark(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        try await tested.socket.send("small")
        #expect(!tested.socket.needsDrain)
        #expect(try await read(5, from: tested.other) == Array("small".utf8))
        await tested.socket.close()
        try await tested.log.wait(for: "close")
        try await tested.expect(["close"])
        await tested.close()
    }
}
