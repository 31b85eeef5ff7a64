import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketCloseTests {
    @Test(arguments: Side.allCases, Loopback.allCases)
    func finish_endsOurDirectionOnly_inBothStyles(_ side: Side, _ loopback: Loopback) async throws {
        for style in ["async", "handler"] {
            let pair = try await makeTCPPair(loopback)
            let socket = pair.tested(side)
            try await socket.send("request")
            if style == "async" {
                try await socket.finish()
            } else {
                let result: Result<Void, SocketError> = try await answer { socket.finish(completion: $0) }
                try result.get()
            }
            #expect(try await readAll(pair.other(side)) == Array("request".utf8))
            try await pair.other(side).send("reply")
            #expect(try await socket.receive(timeout: .seconds(20))?.text == "reply")
            // A second one changes nothing.
            try await socket.finish()
            await pair.close()
        }
    }

    @Test func finish_thatDoesNotFit_isRefused() async throws {
        let socket = TCPSocket()
        #expect(await failure { () async throws(SocketError) in try await socket.finish() }?.kind == .notConnected)
        let fresh: Result<Void, SocketError> = try await answer { socket.finish(completion: $0) }
        #expect(throws: SocketError.self) { try fresh.get() }
        await socket.close()
        let error = await failure { () async throws(SocketError) in try await socket.finish() }
        #expect(error?.kind == .closed)
        #expect(error?.operation == .finish)
    }

    @Test func finish_sendsTheQueueFirst() async throws {
        let pair = try await makeTCPPair()
        let bytes = pattern(8 << 20)
        pair.client.send(bytes) { _ in }
        let client = pair.client
        let finished = Task { try await client.finish() }
        #expect(try await readAll(pair.connection) == bytes)
        try await within { try await finished.value }
        await pair.close()
    }

    @Test func finish_thatIsOvertakenByReset_isAborted() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        client.send([UInt8](repeating: 0, count: 16 << 20)) { _ in }
        let result: Result<Void, SocketError> = try await answer { handler in
            client.finish(completion: handler)
            client.reset { _ in }
        }
        guard case .failure(let error) = result else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .aborted)
        peer.close()
    }

    @Test(arguments: Side.allCases)
    func close_sendsTheQueueFirst_andThePeerSeesAnOrderlyEnd(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        socket.closeTimeout = .seconds(30)
        let bytes = pattern(8 << 20)
        let sent = Outcome<Void>()
        socket.send(bytes) { sent.set($0.mapError { $0 }) }
        async let received = readAll(pair.other(side))
        await socket.close()
        #expect(try await received == bytes)
        try await within { try await sent.value }
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_afterFinish_completesAtOnce_withoutReset(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        try await socket.send("last")
        try await socket.finish()
        socket.closeTimeout = .seconds(30)
        let start = ContinuousClock.now
        await socket.close()
        #expect(ContinuousClock.now - start < .seconds(15))
        #expect(try await readAll(pair.other(side)) == Array("last".utf8))
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_withUnreadInput_doesNotDestroyTheReply(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        try await pair.other(side).send(pattern(100_000))
        try await socket.send("reply")
        await socket.close()
        #expect(try await readAll(pair.other(side)) == Array("reply".utf8))
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func close_withHandler_succeeds_alsoTheSecondTime(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        for _ in 0..<2 {
            let result: Result<Void, SocketError> = try await answer { socket.close(completion: $0) }
            try result.get()
            #expect(socket.state.isClose)
        }
        await pair.close()
    }

    @Test func close_ofAFreshSocket_emitsClose() async throws {
        for isBound in [false, true] {
            let socket = TCPSocket()
            let log = EventLog()
            if isBound { try await socket.bind(NetAddress("127.0.0.1")) }
            record(socket, in: log)
            await socket.close()
            try await log.wait(for: "close")
            #expect(log.events == ["close"])
            #expect(await socket.getSocketFd() == -1)
        }
    }

    @Test func close_whenThePeerDoesNotRead_endsWithTheCloseTimeout() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        client.closeTimeout = .milliseconds(200)
        #expect(client.closeTimeout == .milliseconds(200))
        let size = 16 << 20
        let sent: Result<Void, SocketError> = try await answer { handler in
            client.send([UInt8](repeating: 0, count: size), completion: handler)
            client.close { _ in }
        }
        guard case .failure(let error) = sent else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .aborted)
        #expect(error.sent > 0)
        #expect(error.sent + error.remaining == size)
        try await eventually("closed") { client.state.isClose }
        // What was not sent is gone, so the peer must not take it for a whole stream.
        await #expect(throws: RawError.self) { try await blocking { try peer.receiveAll() } }
    }

    @Test func close_releasesTheDescriptor_whenThePeerHasEndedToo() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let identity = try #require(DescriptorCensus.identity(of: await client.getSocketFd()))
        await client.close()
        #expect(await client.getSocketFd() == -1)
        // The peer has not ended: the loop keeps the descriptor to take its input.
        #expect(DescriptorCensus.isOpen(identity))
        try await blocking { try peer.send("ignored") }
        peer.close()
        try await eventually("the descriptor is given back") { !DescriptorCensus.isOpen(identity) }
    }

    @Test func close_releasesTheDescriptor_whenThePeerNeverEnds() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        client.closeTimeout = .milliseconds(100)
        let identity = try #require(DescriptorCensus.identity(of: await client.getSocketFd()))
        await client.close()
        try await eventually("the descriptor is given back") { !DescriptorCensus.isOpen(identity) }
        peer.close()
    }

    @Test(arguments: Side.allCases, Loopback.allCases)
    func reset_isAResetForThePeer_inBothStyles(_ side: Side, _ loopback: Loopback) async throws {
        for style in ["async", "handler"] {
            let pair = try await makeTCPPair(loopback)
            let (socket, other) = (pair.tested(side), pair.other(side))
            if style == "async" {
                await socket.reset()
            } else {
                let result: Result<Void, SocketError> = try await answer { socket.reset(completion: $0) }
                try result.get()
            }
            let error = await failure { () async throws(SocketError) in try await other.receive(timeout: .seconds(20)) }
            #expect(error?.kind == .connectionReset)
            #expect(await socket.getSocketFd() == -1)
            await pair.close()
        }
    }

    @Test func reset_overtakesACloseThatIsUnderWay() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        client.send([UInt8](repeating: 0, count: 16 << 20)) { _ in }
        let log = EventLog()
        client.close { _ in log.record("closed") }
        client.reset { _ in log.record("reset") }
        try await log.wait(count: 2)
        await #expect(throws: RawError.self) { try await blocking { try peer.receiveAll() } }
    }

    @Test func dropped_withoutListenerOrCall_isClosed() async throws {
        let listener = try RawSocket.listening()
        let address = NetAddress("127.0.0.1", port: listener.port)
        try await connectAndDrop(address)
        let peer = try await blocking { try listener.accept() }
        #expect(try await blocking { try peer.receiveAll() } == Array("left behind".utf8))
    }

    private func connectAndDrop(_ address: NetAddress) async throws {
        let socket = TCPSocket()
        try await socket.connect(to: address)
        try await socket.send("left behind")
    }

    @Test func dropped_withAListener_staysAliveUntilThePeerEnds() async throws {
        let listener = try RawSocket.listening()
        let address = NetAddress("127.0.0.1", port: listener.port)
        let log = EventLog()
        try await connectAndListen(address, log)
        let peer = try await blocking { try listener.accept() }
        try await blocking { try peer.send("ping") }
        try await log.wait(for: "message:ping")
        peer.finish()
        try await log.wait(for: "close")
        #expect(log.events == ["message:ping", "end", "close"])
    }

    private func connectAndListen(_ address: NetAddress, _ log: EventLog) async throws {
        let socket = TCPSocket()
        record(socket, in: log)
        recordMessages(socket, in: log)
        try await socket.connect(to: address)
    }
}
