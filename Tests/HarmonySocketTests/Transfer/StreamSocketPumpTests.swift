import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketPumpTests {
    private struct Enough: Error {}

    @Test(arguments: [1, 7, 1000, 65_536, 1 << 20])
    func chunks_holdEverything_inOrder_andNoMoreThanAsked(_ chunkSize: Int) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let bytes = pattern(chunkSize < 10 ? 3000 : 700_000)
        async let sent: Void = blocking {
            try peer.send(bytes)
            peer.finish()
        }
        var received: [UInt8] = []
        let total = try await connection.pump(chunkSize: chunkSize) { chunk, soFar in
            #expect((1...min(chunkSize, 65_536)).contains(chunk.count))
            received += chunk
            #expect(soFar == received.count)
        }
        try await sent
        #expect(total == bytes.count)
        #expect(received == bytes)
        #expect(connection.canSend, "the end of input leaves our direction open")
        await connection.close()
    }

    @Test func slowHandler_slowsTheSenderDown() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(receiveBufferSize: 50_000))
        peer.setSendBuffer(50_000)
        let gate = Outcome<Void>()
        let first = Outcome<Int>()
        let pumping = Task {
            try await connection.pump { _, soFar in
                first.set(.success(soFar))
                try await gate.value
            }
        }
        var taken = ProcessFacts.fill(peer.number)
        let inHand = try await first.value
        for _ in 0..<20 {
            try await Task.sleep(for: .milliseconds(2))
            taken += ProcessFacts.fill(peer.number)
        }
        #expect(taken - inHand < 1_000_000, "nothing is read while the handler has not returned")
        gate.set(.success(()))
        peer.finish()
        #expect(try await pumping.value == taken)
        await connection.close()
    }

    @Test func handlerThatThrows_endsThePump_andLeavesTheRest() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        try peer.send("abcdef")
        try await eventually("all is there") { Kernel.readable(await connection.descriptor) == 6 }
        await #expect(throws: Enough.self) {
            try await connection.pump(chunkSize: 2) { _, soFar in if soFar == 4 { throw Enough() } }
        }
        #expect(try await connection.receive(exactly: 2) == Array("ef".utf8))
        await connection.close()
    }

    @Test func reset_isAnError_andNoEnd() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        try peer.send("abc")
        let kind = await failureKind {
            try await connection.pump { _, _ in peer.reset() }
        }
        #expect(kind == .connectionReset)
    }

    @Test func cancelledAndTimedOut_leaveTheSocketOpen() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        #expect(await failureKind { try await connection.pump(timeout: .milliseconds(5)) { _, _ in } } == .timedOut)
        let pumping = Task { try await connection.pump { _, _ in } }
        pumping.cancel()
        #expect(await failureKind { try await pumping.value } == .cancelled)
        try peer.send("x")
        #expect(try await connection.receive(exactly: 1) == [0x78])
        await connection.close()
    }

    @Test(arguments: [0, -1])
    func chunkSize_belowOne_isRefused(_ chunkSize: Int) async throws {
        let pair = try await makeTCPPair()
        let error = await thrown { try await pair.client.pump(chunkSize: chunkSize) { _, _ in } }
        #expect(error?.kind == .invalidArgument && error?.field == "chunkSize")
        let steps = EventRecorder<PumpStep>()
        pair.client.pump(chunkSize: chunkSize) { steps.record($0) }
        guard case .failed(let told, soFar: 0)? = try await steps.wait(count: 1).first else {
            return #expect(Bool(false), "\(steps.events)")
        }
        #expect(told.field == "chunkSize")
        await pair.close()
    }

    // MARK: The handler's form

    @Test func handler_hearsEveryChunk_thenTheEndOnce() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let steps = EventRecorder<PumpStep>()
        connection.pump(chunkSize: 1000) { steps.record($0) }
        let bytes = pattern(200_000)
        try await blocking {
            try peer.send(bytes)
            peer.finish()
        }
        let heard = try await steps.wait(for: .end(total: bytes.count))
        var received: [UInt8] = []
        for step in heard.dropLast() {
            guard case .chunk(let chunk, let soFar) = step else { return #expect(Bool(false), "\(step)") }
            #expect((1...1000).contains(chunk.count))
            received += chunk
            #expect(soFar == received.count)
        }
        #expect(received == bytes)
        await connection.close()
        try await settle(connection.eventLoop)
        #expect(steps.count == heard.count, "nothing follows the end")
    }

    @Test func handler_hearsOfAReset_once() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let steps = EventRecorder<PumpStep>()
        connection.pump { steps.record($0) }
        try peer.send("abc")
        try await steps.wait(count: 1)
        peer.reset()
        let heard = try await steps.wait(count: 2)
        guard case .failed(let error, soFar: 3) = heard[1] else { return #expect(Bool(false), "\(heard)") }
        #expect(error.kind == .connectionReset)
    }

    private func thrown(_ body: () async throws -> some Any) async -> SocketError? {
        do {
            _ = try await body()
            return nil
        } catch {
            return error as? SocketError
        }
    }

    private func failureKind(_ body: () async throws -> some Any) async -> SocketError.Kind? {
        await thrown(body)?.kind
    }
}
