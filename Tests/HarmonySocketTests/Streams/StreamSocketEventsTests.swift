import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketEventsTests {
    // MARK: Each event

    @Test func bind_emitsListening_beforeItReturns() async throws {
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.listening) { log.record("listening") }
        try await socket.bind(NetAddress("127.0.0.1"))
        #expect(log.events == ["listening"])
        await socket.close()
    }

    @Test func bind_withHandler_emitsListeningBeforeItsCompletion() async throws {
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.listening) { log.record("listening") }
        socket.bind(NetAddress("127.0.0.1")) { log.record("bound \((try? $0.get()) != nil)") }
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

    @Test(arguments: Loopback.allCases)
    func connect_emitsConnect_beforeItReturns(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.connect) { [weak socket] in log.record("connect \(socket?.state.description ?? "")") }
        try await socket.connect(to: address)
        #expect(log.events == ["connect bound, connected"])
        await socket.close()
        await server.close()
    }

    @Test func connect_withHandler_emitsConnectBeforeItsCompletion() async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        let log = EventLog()
        socket.on(.connect) { log.record("connect") }
        socket.connect(to: address) { log.record("connected \((try? $0.get()) != nil)") }
        try await log.wait(count: 2)
        #expect(log.events == ["connect", "connected true"])
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

    @Test(arguments: Side.allCases)
    func peersEnd_withMessageListener_emitsMessageEndClose(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        record(pair.tested(side), in: log)
        recordMessages(pair.tested(side), in: log)
        try await pair.other(side).send("bye")
        try await pair.other(side).finish()
        try await log.wait(for: "close")
        #expect(log.events == ["message:bye", "end", "close"])
        // Our close was said to the peer.
        #expect(try await pair.other(side).receive(timeout: .seconds(20)) == nil)
        await pair.close()
        try await settle(pair.tested(side).eventLoop)
        #expect(log.events == ["message:bye", "end", "close"])
    }

    @Test(arguments: Side.allCases)
    func peersEnd_withHalfOpenAllowed_leavesItOpenForSending(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        socket.allowsHalfOpen = true
        #expect(socket.allowsHalfOpen)
        record(socket, in: log)
        recordMessages(socket, in: log)
        try await pair.other(side).send("question")
        try await pair.other(side).finish()
        try await log.wait(for: "end")
        try await settle(socket.eventLoop)
        #expect(log.events == ["message:question", "end"])
        try await socket.send("answer")
        await socket.close()
        #expect(try await readAll(pair.other(side)) == Array("answer".utf8))
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func peersEnd_withoutReader_emitsEndAndStaysOpen(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        try await pair.other(side).finish()
        try await log.wait(for: "end")
        try await settle(socket.eventLoop)
        #expect(log.events == ["end"])
        #expect(socket.state.isConnected && socket.canSend)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func peersEnd_withPullingReader_emitsEndOnce(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        try await pair.other(side).send("x")
        try await pair.other(side).finish()
        #expect(try await readAll(socket) == Array("x".utf8))
        #expect(try await socket.receive(timeout: .seconds(20)) == nil)
        try await log.wait(for: "end")
        try await settle(socket.eventLoop)
        #expect(log.events == ["end"])
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_emitsCloseOnceAndLast_howeverOftenItIsCalled(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        recordMessages(socket, in: log)
        socket.close { _ in log.record("closed") }
        await socket.close()
        await socket.reset()
        try await log.wait(for: "close")
        socket.close { _ in log.record("after") }
        socket.reset { _ in log.record("after") }
        try await log.wait(count: 4)
        try await settle(socket.eventLoop)
        #expect(log.events == ["closed", "close", "after", "after"])
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func reset_emitsCloseWithoutError(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        await socket.reset()
        try await log.wait(count: 1)
        try await settle(socket.eventLoop)
        #expect(log.events == ["close"])
        await pair.close()
    }

    @Test(arguments: Side.allCases, [true, false])
    func peersReset_withoutCall_emitsErrorAndCloseWithIt(_ side: Side, _ listensToMessages: Bool) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        if listensToMessages { recordMessages(socket, in: log) }
        await pair.other(side).reset()
        try await log.wait(for: "close:connectionReset")
        #expect(log.events == ["error:connectionReset", "close:connectionReset"])
        #expect(socket.lastError?.kind == .connectionReset)
        #expect(socket.lastError?.code == 2_301_104)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func peersReset_withPendingReceive_isThatCallsFailure(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        let received = Outcome<Void>()
        socket.receive { result in
            if case .failure(let error) = result { log.record("receive:\(error.kind)") }
            received.set(.success(()))
        }
        await pair.other(side).reset()
        try await log.wait(for: "close:connectionReset")
        #expect(log.events == ["receive:connectionReset", "close:connectionReset"])
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func drain_isEmittedOnce_whenAFullQueueHasFallen(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        socket.highWaterMark = 100_000
        #expect(socket.highWaterMark == 100_000)
        let bytes = pattern(16 << 20)
        let sent = Outcome<Void>()
        socket.send(bytes) { result in sent.set(result.mapError { $0 }) }
        #expect(socket.bufferedAmount > 100_000)
        #expect(log.events == [])
        #expect(try await read(bytes.count, from: pair.other(side)) == bytes)
        try await within { try await sent.value }
        try await log.wait(for: "drain")
        try await settle(socket.eventLoop)
        #expect(log.events == ["drain"])
        #expect(socket.bufferedAmount == 0)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func drain_isNotEmitted_belowTheMark(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        try await socket.send("small")
        #expect(try await read(5, from: pair.other(side)) == Array("small".utf8))
        await socket.close()
        try await log.wait(for: "close")
        #expect(log.events == ["close"])
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func idleTime_emitsTimeoutAndClosesWithTimedOut(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        record(socket, in: log)
        recordMessages(socket, in: log)
        let start = ContinuousClock.now
        try await socket.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(150)))
        try await log.wait(for: "close:timedOut")
        #expect(ContinuousClock.now - start >= .milliseconds(150))
        #expect(log.events == ["timeout", "close:timedOut"])
        #expect(socket.lastError?.kind == .timedOut)
        #expect(socket.lastError?.code == 2_301_110)
        await pair.close()
    }

    // MARK: Listeners

    @Test(arguments: Side.allCases)
    func once_hearsOneEvent_andTheNextBytesAreThereToPull(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let socket = pair.tested(side)
        once(socket, log)
        try await pair.other(side).send("first")
        try await log.wait(for: "first")
        try await pair.other(side).send("second")
        #expect(try await socket.receive(timeout: .seconds(20))?.text == "second")
        #expect(log.events == ["first"])
        await pair.close()
    }

    private func once(_ socket: some StreamSocket, _ log: EventLog) {
        socket.once(.message) { log.record($0.text ?? "-") }
    }

    @Test func onceWithoutPayload_hearsOneEvent() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        pair.client.once(.message) { log.record("once") }
        pair.client.on(.message) { log.record("on") }
        try await pair.connection.send("1")
        try await log.wait(count: 2)
        try await pair.connection.send("2")
        try await log.wait(count: 3)
        #expect(log.events == ["once", "on", "on"])
        await pair.close()
    }

    @Test func manyListeners_hearEachEventInTheOrderTheyWereAdded() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        for number in 0..<100 { pair.connection.on(.message) { log.record("\(number):\($0.text ?? "-")") } }
        try await pair.client.send("a")
        try await log.wait(count: 100)
        #expect(log.events == (0..<100).map { "\($0):a" })
        await pair.close()
    }

    @Test func off_withToken_removesThatListenerOnly() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let first = pair.client.on(.message) { log.record("first") }
        let second = pair.client.on(.message) { log.record("second") }
        #expect(first != second)
        pair.client.off(first)
        pair.client.off(first)
        try await pair.connection.send("x")
        try await log.wait(count: 1)
        try await settle(pair.client.eventLoop)
        #expect(log.events == ["second"])
        await pair.close()
    }

    @Test func off_withEvent_removesAllOfThatEvent() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        pair.client.on(.message) { log.record("message") }
        pair.client.on(.message) { log.record("message") }
        pair.client.on(.end) { log.record("end") }
        pair.client.off(.message)
        try await pair.connection.send("x")
        try await pair.connection.finish()
        #expect(try await readAll(pair.client) == Array("x".utf8))
        try await log.wait(for: "end")
        #expect(log.events == ["end"])
        await pair.close()
    }

    @Test func off_withAnotherSocketsToken_removesNothing() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        // The first listener of each socket: their tickets have the same number.
        let foreign = TCPSocket().on(.message) {}
        let own = pair.client.on(.message) { log.record("own") }
        #expect(foreign != own)
        pair.client.off(foreign)
        try await pair.connection.send("x")
        try await log.wait(for: "own")
        await pair.close()
    }

    @Test func off_insideItsOwnListener_isEffectiveFromTheNextEventOn() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let token = TestLock<SocketListener?>(nil)
        let client = pair.client
        let listener = client.on(.message) { [weak client] message in
            log.record("removed:\(message.text ?? "")")
            if let listener = token.withLock({ $0 }) { client?.off(listener) }
        }
        token.withLock { $0 = listener }
        client.on(.message) { log.record("kept:\($0.text ?? "")") }
        try await pair.connection.send("1")
        try await log.wait(count: 2)
        try await pair.connection.send("2")
        try await log.wait(count: 3)
        #expect(log.events == ["removed:1", "kept:1", "kept:2"])
        await pair.close()
    }

    @Test func on_insideAListener_hearsTheNextEvent() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let client = pair.client
        client.once(.message) { [weak client] in
            log.record("outer:\($0.text ?? "")")
            client?.on(.message) { log.record("inner:\($0.text ?? "")") }
        }
        try await pair.connection.send("1")
        try await log.wait(count: 1)
        try await pair.connection.send("2")
        try await log.wait(count: 2)
        #expect(log.events == ["outer:1", "inner:2"])
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_insideAListener_endsEvents(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        closeInMessage(pair.tested(side), log)
        record(pair.tested(side), in: log)
        try await pair.other(side).send("1")
        try await log.wait(for: "close")
        #expect(log.events == ["message", "closed", "close"])
        await pair.close()
    }

    private func closeInMessage<Socket: StreamSocket>(_ socket: Socket, _ log: EventLog) {
        socket.on(.message) { [weak socket] in
            log.record("message")
            socket?.close { _ in log.record("closed") }
        }
    }

    @Test func send_insideAListener_echoes() async throws {
        let pair = try await makeTCPPair { connection in
            connection.on(.message) { [weak connection] in connection?.send($0.message) { _ in } }
        }
        let bytes = pattern(1 << 20)
        async let echo = read(bytes.count, from: pair.client)
        try await pair.client.send(bytes)
        #expect(try await echo == bytes)
        await pair.close()
    }

    @Test func off_fromAnotherThread_isEffectiveOnceItHasReturned() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let client = pair.client
        let listener = client.on(.end) { log.record("end") }
        client.on(.message) { log.record("message") }
        client.allowsHalfOpen = true
        try await blocking { client.off(listener) }
        try await pair.connection.send("x")
        try await pair.connection.finish()
        try await log.wait(for: "message")
        try await eventually("the peer's end") { !client.canReceive }
        try await settle(client.eventLoop)
        #expect(log.events == ["message"])
        await pair.close()
    }

    @Test func off_duringADelivery_doesNotWaitForIt() async throws {
        let pair = try await makeTCPPair()
        let client = pair.client
        let log = EventLog()
        let mayEnd = Gate()
        let listener = client.on(.message) {
            log.record("begun")
            mayEnd.pass()
            log.record("ended")
        }
        try await pair.connection.send("x")
        try await log.wait(for: "begun")
        try await blocking { client.off(listener) }
        #expect(log.events == ["begun"])
        mayEnd.open()
        try await log.wait(for: "ended")
        await pair.close()
    }

    @Test func listenerAddedLate_getsWhatHadArrived() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        try await pair.client.send("early")
        recordMessages(pair.connection, in: log)
        try await log.wait(for: "message:early")
        pair.connection.off(.message)
        try await pair.client.send("later")
        try await settle(pair.connection.eventLoop)
        #expect(log.events == ["message:early"])
        recordMessages(pair.connection, in: log)
        try await log.wait(for: "message:later")
        await pair.close()
    }

    @Test func listenerAddedDuringAPendingReceive_takesEffectBehindIt() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let connection = pair.connection
        connection.receive { log.record("receive:\((try? $0.get())?.text ?? "-")") }
        recordMessages(connection, in: log)
        try await pair.client.send("1")
        try await log.wait(count: 1)
        try await pair.client.send("2")
        try await log.wait(count: 2)
        #expect(log.events == ["receive:1", "message:2"])
        await pair.close()
    }

    @Test func listeners_areReleasedAfterClose() async throws {
        final class Captured: Sendable {
            let released: Outcome<Void>
            init(_ released: Outcome<Void>) { self.released = released }
            deinit { released.set(.success(())) }
        }
        let pair = try await makeTCPPair()
        let released = Outcome<Void>()
        capture(Captured(released))
        func capture(_ captured: Captured) {
            // A cycle: the socket holds its listener, the listener its socket.
            let client = pair.client
            for _ in 0..<2 { client.on(.message) { withExtendedLifetime((captured, client)) {} } }
            client.on(.close) { withExtendedLifetime((captured, client)) {} }
        }
        await pair.client.close()
        try await within { try await released.value }
        // One that is added after close is not kept either.
        let late = Outcome<Void>()
        captureLate(Captured(late))
        func captureLate(_ captured: Captured) {
            pair.client.on(.message) { withExtendedLifetime(captured) {} }
        }
        try await within { try await late.value }
        await pair.close()
    }

    @Test func listeners_runOnTheSocketsLoop() async throws {
        let pair = try await makeTCPPair()
        let log = EventRecorder<Bool>()
        let (client, loop) = (pair.client, pair.client.eventLoop)
        client.on(.message) { log.record(loop.isCurrent) }
        client.on(.close) { log.record(loop.isCurrent) }
        try await pair.connection.send("x")
        try await log.wait(count: 1)
        client.send("x") { _ in log.record(loop.isCurrent) }
        try await log.wait(count: 2)
        client.close { _ in log.record(loop.isCurrent) }
        try await log.wait(count: 4)
        #expect(log.events == [true, true, true, true])
        #expect(!loop.isCurrent)
        await pair.close()
    }
}
