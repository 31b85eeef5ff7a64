import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketSendTests {
    // MARK: Every form

    @Test(arguments: Side.allCases, Loopback.allCases)
    func everyForm_sendsItsBytes(_ side: Side, _ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let socket = pair.tested(side)
        try await socket.send([1, 2, 3])
        try await socket.send("text é")
        try await socket.send(TCPSendOptions(data: "options", encoding: .utf16LE))
        try await socket.send(TCPSendOptions(data: [0, 255]))
        try await sendSpan([9, 8, 7], socket)
        let results: [Result<Void, SocketError>] = [
            try await answer { socket.send([4, 5], completion: $0) },
            try await answer { socket.send("more", completion: $0) },
            try await answer { socket.send(TCPSendOptions(data: "é", encoding: .isoLatin1), completion: $0) },
            try await answer { handler in
                let bytes: [UInt8] = [6]
                socket.send(bytes.span.bytes, completion: handler)
            },
        ]
        for result in results { try result.get() }
        await socket.close()
        var expected: [UInt8] = [1, 2, 3]
        expected += Array("text é".utf8)
        expected += Array("options".utf16).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        expected += [0, 255, 9, 8, 7, 4, 5] + Array("more".utf8) + [0xe9, 6]
        #expect(try await readAll(pair.other(side)) == expected)
        await pair.close()
    }

    private func sendSpan(_ bytes: [UInt8], _ socket: any StreamSocket) async throws {
        try await socket.send(bytes.span.bytes)
    }

    @Test func empty_succeedsAndSendsNothing() async throws {
        let pair = try await makeTCPPair()
        try await pair.client.send([])
        try await pair.client.send("")
        let result: Result<Void, SocketError> = try await answer { pair.client.send([], completion: $0) }
        try result.get()
        await pair.client.close()
        #expect(try await pair.connection.receive(timeout: .seconds(20)) == nil)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func large_arrivesWhole_inEveryForm(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let bytes = pattern(5_000_000)
        async let received = readAll(pair.other(side))
        try await socket.send(bytes)
        try await sendSpan(bytes, socket)
        let result: Result<Void, SocketError> = try await answer { socket.send(bytes, completion: $0) }
        try result.get()
        let borrowed: Result<Void, SocketError> = try await answer { handler in
            let copy = bytes
            socket.send(copy.span.bytes, completion: handler)
        }
        try borrowed.get()
        try await socket.finish()
        #expect(try await received == bytes + bytes + bytes + bytes)
        await pair.close()
    }

    @Test func manyHandlers_areToldInCallOrder() async throws {
        let pair = try await makeTCPPair()
        let log = EventRecorder<Int>()
        async let received = readAll(pair.connection)
        for number in 0..<500 {
            pair.client.send(pattern(number * 7)) { result in
                if case .success = result { log.record(number) }
            }
        }
        try await log.wait(count: 500)
        #expect(log.events == Array(0..<500))
        await pair.client.close()
        #expect(try await received == (0..<500).flatMap { pattern($0 * 7) })
        await pair.close()
    }

    @Test func concurrentSends_areNotInterleaved() async throws {
        let pair = try await makeTCPPair()
        let (client, size) = (pair.client, 70_000)
        async let received = readAll(pair.connection)
        await withTaskGroup { tasks in
            for number in 0..<20 {
                tasks.addTask {
                    try? await client.send([UInt8](repeating: UInt8(number), count: size))
                }
            }
        }
        await client.close()
        let bytes = try await received
        #expect(bytes.count == 20 * size)
        let blocks = stride(from: 0, to: bytes.count, by: size).map { Set(bytes[$0..<min($0 + size, bytes.count)]) }
        #expect(blocks.allSatisfy { $0.count == 1 })
        #expect(Set(blocks.joined()).count == 20)
        await pair.close()
    }

    // MARK: Refusals

    @Test func beforeConnect_isNotConnected() async throws {
        let socket = TCPSocket()
        let error = await failure { () async throws(SocketError) in try await socket.send("x") }
        #expect(error?.kind == .notConnected)
        #expect(error?.code == 2_301_107)
        #expect(error?.operation == .send)
        try await socket.bind(NetAddress("127.0.0.1"))
        let result: Result<Void, SocketError> = try await answer { socket.send("x", completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        #expect(await failure { () async throws(SocketError) in try await socket.send("x") }?.kind == .notConnected)
        await socket.close()
    }

    @Test(arguments: Side.allCases)
    func afterClose_isClosed(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        await socket.close()
        let error = await failure { () async throws(SocketError) in try await socket.send("x") }
        #expect(error?.kind == .closed)
        #expect(error?.code == 2_301_009)
        let result: Result<Void, SocketError> = try await answer { socket.send("x", completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func afterFinish_isInvalidState(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        try await socket.finish()
        let error = await failure { () async throws(SocketError) in try await socket.send("x") }
        #expect(error?.kind == .invalidState)
        #expect(error?.code == 2_301_022)
        #expect(error?.message.contains("finish") == true)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func afterThePeersReset_failsAndNeverSucceedsAgain(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let log = EventLog()
        record(socket, in: log)
        await pair.other(side).reset()
        try await log.wait { $0.contains { $0.hasPrefix("close") } }
        #expect(await failure { () async throws(SocketError) in try await socket.send("x") }?.kind == .closed)
        await pair.close()
    }

    // MARK: Time-outs and cancellation

    /// Fills a client's send queue: a first send has begun, and cannot end before the peer reads.
    private func makeBlockedClient() async throws -> (
        client: TCPSocket, peer: RawSocket, first: Outcome<Void>, size: Int
    ) {
        let (client, peer) = try await makeClientWithRawPeer()
        let first = Outcome<Void>()
        let size = 16 << 20
        client.send([UInt8](repeating: 1, count: size)) { first.set($0.mapError { $0 }) }
        try await eventually("the kernel is full") { client.bufferedAmount > 0 && client.bufferedAmount < size }
        return (client, peer, first, size)
    }

    @Test func timedOut_beforeItBegan_isRemoved() async throws {
        let (client, peer, first, size) = try await makeBlockedClient()
        let error = await failure { () async throws(SocketError) in
            try await client.send([2, 2, 2], timeout: .milliseconds(50))
        }
        #expect(error?.kind == .timedOut)
        #expect(error?.sent == 0)
        #expect(error?.remaining == 3)
        #expect(error?.description.hasSuffix("(0 bytes sent, 3 not)") == true)
        let zero = await failure { () async throws(SocketError) in try await client.send([2, 2], timeout: .zero) }
        #expect(zero?.kind == .timedOut)
        let result: Result<Void, SocketError> = try await answer {
            client.send([2], timeout: .milliseconds(20), completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
        client.send([3]) { _ in }
        client.close { _ in }
        let received = try await blocking { try peer.receiveAll() }
        #expect(received == [UInt8](repeating: 1, count: size) + [3])
        try await within { try await first.value }
    }

    @Test func timedOut_afterItBegan_staysQueuedWhole() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let bytes = pattern(16 << 20)
        let error = await failure { () async throws(SocketError) in
            try await client.send(bytes, timeout: .milliseconds(100))
        }
        let sent = try #require(error).sent
        #expect(error?.kind == .timedOut)
        #expect(sent > 0)
        #expect(error?.remaining == bytes.count - sent)
        client.send([7]) { _ in }
        client.close { _ in }
        #expect(try await blocking { try peer.receiveAll() } == bytes + [7])
    }

    @Test func cancelled_beforeItBegan_isRemoved() async throws {
        let (client, peer, first, size) = try await makeBlockedClient()
        let begun = Outcome<Void>()
        let task = Task {
            begun.set(.success(()))
            return await failure { () async throws(SocketError) in try await client.send([2, 2, 2]) }
        }
        try await within { try await begun.value }
        task.cancel()
        let error = try await within { await task.value }
        #expect(error?.kind == .cancelled)
        #expect(error?.code == 2_301_125)
        #expect(error?.sent == 0)
        #expect(error?.remaining == 3)
        client.close { _ in }
        #expect(try await blocking { try peer.receiveAll() } == [UInt8](repeating: 1, count: size))
        try await within { try await first.value }
    }

    @Test func reset_abortsPendingSends_andSaysHowFarTheyGot() async throws {
        let (client, peer, first, size) = try await makeBlockedClient()
        let second: Result<Void, SocketError> = try await answer { handler in
            client.send([2, 2], completion: handler)
            client.reset { _ in }
        }
        guard case .failure(let error) = second else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .aborted)
        #expect(error.code == 2_301_103)
        #expect(error.sent == 0)
        #expect(error.remaining == 2)
        let begun = try #require(await #expect(throws: SocketError.self) { try await within { try await first.value } })
        #expect(begun.kind == .aborted)
        #expect(begun.sent > 0)
        #expect(begun.sent + begun.remaining == size)
        await #expect(throws: RawError.self) { try await blocking { try peer.receiveAll() } }
    }
}
