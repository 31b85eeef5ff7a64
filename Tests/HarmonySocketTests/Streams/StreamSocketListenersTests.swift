import HarmonySocket
import Testing

/// Adding and removing listeners, and what they may do.
@Suite(.bounded) struct StreamSocketListenersTests {
    /// A connection of which the client listens and the other end speaks.
    private struct Talk {
        let pair: TCPPair
        let log = EventLog()
        var client: TCPSocket { pair.client }

        init() async throws { pair = try await makeTCPPair() }

        /// Says something, and waits until so much has been heard in all.
        func say(_ text: String, heard count: Int) async throws {
            try await pair.connection.send(text)
            try await log.wait(count: count)
        }
    }

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
        let talk = try await Talk()
        let log = talk.log
        talk.client.once(.message) { log.record("once") }
        talk.client.on(.message) { log.record("on") }
        try await talk.say("1", heard: 2)
        try await talk.say("2", heard: 3)
        #expect(log.events == ["once", "on", "on"])
        await talk.pair.close()
    }

    @Test func manyListeners_hearEachEventInTheOrderTheyWereAdded() async throws {
        let talk = try await Talk()
        let log = talk.log
        for number in 0..<100 { talk.client.on(.message) { log.record("\(number):\($0.text ?? "-")") } }
        try await talk.say("a", heard: 100)
        #expect(log.events == (0..<100).map { "\($0):a" })
        await talk.pair.close()
    }

    @Test func off_withToken_removesThatListenerOnly() async throws {
        let talk = try await Talk()
        let log = talk.log
        let first = talk.client.on(.message) { log.record("first") }
        let second = talk.client.on(.message) { log.record("second") }
        #expect(first != second)
        talk.client.off(first)
        talk.client.off(first)
        try await talk.say("x", heard: 1)
        try await settle(talk.client.eventLoop)
        #expect(log.events == ["second"])
        await talk.pair.close()
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
        let talk = try await Talk()
        let log = talk.log
        // The first listener of each socket: their tickets have the same number.
        let foreign = TCPSocket().on(.message) {}
        let own = talk.client.on(.message) { log.record("own") }
        #expect(foreign != own)
        talk.client.off(foreign)
        try await talk.say("x", heard: 1)
        #expect(log.events == ["own"])
        await talk.pair.close()
    }

    @Test func off_insideItsOwnListener_isEffectiveFromTheNextEventOn() async throws {
        let talk = try await Talk()
        let (client, log) = (talk.client, talk.log)
        let token = TestLock<SocketListener?>(nil)
        let listener = client.on(.message) { [weak client] message in
            log.record("removed:\(message.text ?? "")")
            if let listener = token.withLock({ $0 }) { client?.off(listener) }
        }
        token.withLock { $0 = listener }
        client.on(.message) { log.record("kept:\($0.text ?? "")") }
        try await talk.say("1", heard: 2)
        try await talk.say("2", heard: 3)
        #expect(log.events == ["removed:1", "kept:1", "kept:2"])
        await talk.pair.close()
    }

    @Test func on_insideAListener_hearsTheNextEvent() async throws {
        let talk = try await Talk()
        let (client, log) = (talk.client, talk.log)
        client.once(.message) { [weak client] in
            log.record("outer:\($0.text ?? "")")
            client?.on(.message) { log.record("inner:\($0.text ?? "")") }
        }
        try await talk.say("1", heard: 1)
        try await talk.say("2", heard: 2)
        #expect(log.events == ["outer:1", "inner:2"])
        await talk.pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_insideAListener_endsEvents(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        closeInMessage(tested.socket, tested.log)
        try await tested.other.send("1")
        try await tested.log.wait(for: "close")
        try await tested.expect(["message", "closed", "close"])
        await tested.close()
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
        let talk = try await Talk()
        let log = talk.log
        talk.client.receive { log.record("receive:\((try? $0.get())?.text ?? "-")") }
        recordMessages(talk.client, in: log)
        try await talk.say("1", heard: 1)
        try await talk.say("2", heard: 2)
        #expect(log.events == ["receive:1", "message:2"])
        await talk.pair.close()
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
