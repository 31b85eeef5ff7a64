import HarmonySocket
import Testing

/// write(): sends that nobody waits for.
@Suite(.bounded) struct StreamSocketWriteTests {
    @Test(arguments: Side.allCases)
    func writes_goOutInOrder_withOtherSends(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        #expect(tested.socket.write("one "))
        try await tested.socket.send("two ")
        #expect(tested.socket.write(Array("three ".utf8)))
        tested.socket.send("four ") { _ in }
        let five = Array("five".utf8)
        let goesOn = tested.socket.write(five.span.bytes)
        #expect(goesOn)
        #expect(try await read(23, from: tested.other) == Array("one two three four five".utf8))
        #expect(tested.socket.statistics.messagesSent == 5)
        try await tested.expect([])
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func nothing_isWritten_andNothingFails(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        #expect(tested.socket.write([]))
        try await tested.expect([])
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func aFullQueue_asksToStop_untilDrain(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        let bytes = pattern(16 << 20)
        #expect(!tested.socket.write(bytes))
        #expect(tested.socket.needsDrain)
        // Whatever is returned, it goes out.
        #expect(!tested.socket.write("behind"))
        #expect(try await read(bytes.count + 6, from: tested.other) == bytes + Array("behind".utf8))
        try await tested.log.wait(for: "drain")
        try await tested.expect(["drain"])
        #expect(tested.socket.bufferedAmount == 0)
        #expect(tested.socket.write("more"))
        await tested.close()
    }

    /// A listener that stops reading when its answers are not read loses nothing.
    @Test(arguments: Side.allCases)
    func anEcho_thatPausesAndResumes_losesNothing(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        let pauses = EventRecorder<Void>()
        echo(tested.socket) { pauses.record(()) }
        let bytes = pattern(24 << 20)
        async let sent: Void = tested.other.send(bytes)
        // Until then nobody reads: a peer that is quick might leave it no reason to pause.
        try await pauses.wait(count: 1)
        #expect(try await read(bytes.count, from: tested.other) == bytes)
        try await sent
        try await tested.log.wait(for: "drain")
        await tested.close()
    }

    @Test func beforeConnect_errorTells() async throws {
        let socket = TCPSocket()
        let log = EventLog()
        record(socket, in: log)
        #expect(socket.write("early"))
        try await log.wait(count: 1)
        #expect(log.events == ["error:notConnected"])
        await socket.close()
    }

    @Test(arguments: Side.allCases)
    func afterFinish_errorTells_andTheSocketLives(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        try await tested.socket.finish()
        #expect(tested.socket.write("late"))
        try await tested.log.wait(count: 1)
        try await tested.expect(["error:invalidState"])
        try await tested.other.send("answer")
        #expect(try await read(6, from: tested.socket) == Array("answer".utf8))
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func afterClose_nothingIsTold(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        await tested.socket.close()
        try await tested.log.wait(for: "close")
        #expect(tested.socket.write("late"))
        try await tested.expect(["close"])
        await tested.close()
    }

    /// What is still queued when the connection breaks has nobody who waits for it: the end of the connection tells.
    @Test(arguments: Side.allCases)
    func aReset_endsTheQueue_andIsToldOnce(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        #expect(!tested.socket.write(pattern(16 << 20)))
        await tested.other.reset()
        try await tested.log.wait { $0.contains { $0.hasPrefix("close") } }
        try await settle(tested.socket.eventLoop)
        #expect(tested.log.events.filter { $0.hasPrefix("close") } == ["close:connectionReset"])
        #expect(tested.log.events.filter { $0.hasPrefix("error") } == ["error:connectionReset"])
        #expect(tested.socket.bufferedAmount == 0)
        await tested.close()
    }

    @Test(arguments: Side.allCases)
    func aFraming_makesEachWriteAMessage(_ side: Side) async throws {
        let tested = try await TestedEnd(side)
        tested.socket.setFraming(try .lengthPrefixed(width: .one))
        #expect(tested.socket.write("ab"))
        #expect(tested.socket.write([]))
        #expect(try await read(4, from: tested.other) == [2, 97, 98, 0])
        #expect(tested.socket.write(pattern(256)))
        try await tested.log.wait(count: 1)
        try await tested.expect(["error:messageTooLong"])
        await tested.close()
    }

    private func echo(_ socket: some StreamSocket, whenPaused: @escaping @Sendable () -> Void) {
        socket.on(.message) { message in
            guard !socket.write(message.message) else { return }
            socket.pause()
            socket.once(.drain) { socket.resume() }
            whenPaused()
        }
    }
}
