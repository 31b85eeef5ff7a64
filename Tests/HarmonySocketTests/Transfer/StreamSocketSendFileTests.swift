import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketSendFileTests {
    private static let bytes = pattern(700_000)

    /// A connection whose peer reads nothing, with its queue stuck; `first` bytes went there before.
    private static func makeStuck(
        _ first: Int = 12_000_000
    ) async throws -> (connection: TCPSocketConnection, peer: RawSocket, first: [UInt8]) {
        let (connection, peer) = try await makeConnectionWithRawPeer(peerReceiveBuffer: 8192)
        let bytes = pattern(first)
        if first > 0 {
            connection.send(bytes) { _ in }
            try await waitUntilStuck(connection)
        }
        return (connection, peer, bytes)
    }

    // MARK: What is sent

    @Test(
        arguments: [
            (0, nil, 0..<700_000), (1, nil, 1..<700_000), (699_999, nil, 699_999..<700_000), (0, 1, 0..<1),
            (123_457, 300_001, 123_457..<423_458), (700_000, nil, 700_000..<700_000), (5, 0, 5..<5),
        ] as [(Int, Int?, Range<Int>)])
    func file_arrivesAsItIs_inEveryForm(_ offset: Int, _ count: Int?, _ expected: Range<Int>) async throws {
        let file = try TemporaryFile(Self.bytes)
        let (connection, peer) = try await makeConnectionWithRawPeer()
        async let received = blocking { try peer.receiveAll() }
        #expect(try await connection.sendFile(file.path, offset: offset, count: count) == expected.count)
        let number = try file.open()
        #expect(try await connection.sendFile(descriptor: number, offset: offset, count: count) == expected.count)
        let byPath: Result<Int, SocketError> = try await answer {
            connection.sendFile(file.path, offset: offset, count: count, completion: $0)
        }
        #expect(try byPath.get() == expected.count)
        let byNumber: Result<Int, SocketError> = try await answer {
            connection.sendFile(descriptor: number, offset: offset, count: count, completion: $0)
            // Ours is ours: it may go at once.
            TemporaryFile.close(number)
        }
        #expect(try byNumber.get() == expected.count)
        await connection.close()
        let part = Array(Self.bytes[expected])
        #expect(try await received == part + part + part + part)
    }

    @Test func bufferedAmount_countsWhatIsLeft() async throws {
        let (connection, peer, _) = try await Self.makeStuck(0)
        let file = try TemporaryFile()
        try file.setSize(50_000_000)
        let sending = Task { try await connection.sendFile(file.path) }
        try await eventually("it has begun") { (1..<50_000_000).contains(connection.bufferedAmount) }
        try await waitUntilStuck(connection)
        #expect((1_000_000..<50_000_000).contains(connection.bufferedAmount))
        async let received = blocking { try peer.receive(exactly: 50_000_000).count }
        #expect(try await sending.value == 50_000_000)
        #expect(connection.bufferedAmount == 0)
        #expect(try await received == 50_000_000)
        await connection.close()
    }

    // MARK: Progress

    @Test func progress_grows_andEndsWithEverything_beforeTheCallDoes() async throws {
        let (connection, peer, _) = try await Self.makeStuck(0)
        let file = try TemporaryFile()
        try file.setSize(20_000_000)
        async let received = blocking { () -> Int in
            // Slow enough for more than one report.
            let first = try peer.receive(exactly: 1_000_000).count
            ProcessFacts.pause(.milliseconds(150))
            let second = try peer.receive(exactly: 5_000_000).count
            ProcessFacts.pause(.milliseconds(150))
            return try first + second + peer.receive(exactly: 14_000_000).count
        }
        let reports = EventRecorder<TransferProgress>()
        _ = try await connection.sendFile(file.path) { reports.record($0) }
        let heard = reports.events
        #expect(heard.count >= 2)
        #expect(heard.allSatisfy { $0.total == 20_000_000 && (0...20_000_000).contains($0.sent) })
        #expect(heard.map(\.sent) == heard.map(\.sent).sorted())
        #expect(heard.last?.fraction == 1)
        #expect(try await received == 20_000_000)
        let last = EventRecorder<String>()
        let small = try TemporaryFile([1, 2, 3])
        connection.sendFile(small.path) {
            last.record("progress \($0.sent)")
        } completion: {
            last.record("completion \((try? $0.get()) ?? -1)")
        }
        #expect(try await last.wait(count: 2) == ["progress 3", "completion 3"])
        await connection.close()
    }

    // MARK: Giving up

    @Test func cancelled_beforeItBegan_isRemoved() async throws {
        let (connection, peer, first) = try await Self.makeStuck()
        let file = try TemporaryFile(Self.bytes)
        let before = connection.bufferedAmount
        let sending = Task { try await connection.sendFile(file.path) { _ in } }
        try await eventually("it is queued") { connection.bufferedAmount > before }
        let behind = Task { try await connection.send("behind") }
        sending.cancel()
        let error = await failure { () async throws(SocketError) in try await sending.result.typed() }
        #expect(error?.kind == .cancelled && error?.sent == 0 && error?.remaining == Self.bytes.count)
        async let received = blocking { try peer.receiveAll() }
        try await behind.value
        await connection.close()
        #expect(try await received == first + Array("behind".utf8))
    }

    @Test func timedOut_afterItBegan_goesOutAllTheSame() async throws {
        let (connection, peer, _) = try await Self.makeStuck(0)
        let bytes = pattern(9_000_000)
        let file = try TemporaryFile(bytes)
        let reports = EventRecorder<TransferProgress>()
        let error = await failure { () async throws(SocketError) in
            try await connection.sendFile(file.path, timeout: .milliseconds(100)) { reports.record($0) }
        }
        #expect(error?.kind == .timedOut)
        #expect((error?.sent ?? 0) > 0 && (error?.sent ?? 0) + (error?.remaining ?? 0) == bytes.count)
        let heard = reports.count
        async let received = blocking { try peer.receiveAll() }
        try await connection.send("behind")
        await connection.close()
        #expect(try await received == bytes + Array("behind".utf8))
        #expect(reports.count == heard, "who has given up hears nothing more")
    }

    @Test func reset_endsIt_andSaysHowFarItWas() async throws {
        let (connection, peer, _) = try await Self.makeStuck(0)
        let file = try TemporaryFile()
        try file.setSize(50_000_000)
        let sending = Task { try await connection.sendFile(file.path) }
        try await eventually("it has begun") { (1..<50_000_000).contains(connection.bufferedAmount) }
        try await waitUntilStuck(connection)
        await connection.reset()
        let error = await failure { () async throws(SocketError) in try await sending.result.typed() }
        #expect(error?.kind == .aborted)
        withExtendedLifetime(peer) {}
        #expect((error?.sent ?? 0) > 0 && (error?.sent ?? 0) + (error?.remaining ?? 0) == 50_000_000)
    }

    @Test func peerThatResets_isAnError() async throws {
        let (connection, peer, _) = try await Self.makeStuck(0)
        let file = try TemporaryFile()
        try file.setSize(50_000_000)
        let sending = Task { try await connection.sendFile(file.path) }
        try await eventually("it has begun") { (1..<50_000_000).contains(connection.bufferedAmount) }
        try await waitUntilStuck(connection)
        peer.reset()
        let error = await failure { () async throws(SocketError) in try await sending.result.typed() }
        #expect(error?.kind == .connectionReset && (error?.sent ?? 0) > 0)
    }

    // MARK: Bad files

    @Test func fileThatShrinks_whileItIsSent_resetsTheStream() async throws {
        let (connection, peer, _) = try await Self.makeStuck(0)
        let log = EventLog()
        record(connection, in: log)
        let file = try TemporaryFile()
        try file.setSize(50_000_000)
        let sending = Task { try await connection.sendFile(file.path) }
        try await eventually("it has begun") { (1..<50_000_000).contains(connection.bufferedAmount) }
        try await waitUntilStuck(connection)
        try file.setSize(100)
        let receiving = Task { try await blocking { try peer.receiveAll() } }
        let error = await failure { () async throws(SocketError) in try await sending.result.typed() }
        #expect(error?.kind == .incomplete)
        #expect((error?.sent ?? 0) > 0 && (error?.sent ?? 0) + (error?.remaining ?? 0) == 50_000_000)
        // Its end would look like that of a shorter file.
        await #expect(throws: RawError.self) { try await receiving.value }
        #expect(try await log.wait(for: "close:incomplete").filter { $0 != "drain" } == ["close:incomplete"])
    }

    @Test func fileThatShrinks_beforeItBegan_failsAlone() async throws {
        let (connection, peer, first) = try await Self.makeStuck()
        let file = try TemporaryFile(Self.bytes)
        let before = connection.bufferedAmount
        let sending = Task { try await connection.sendFile(file.path, offset: 1000) }
        try await eventually("it is queued") { connection.bufferedAmount > before }
        let behind = Task { try await connection.send("behind") }
        try file.setSize(500)
        async let received = blocking { try peer.receiveAll() }
        let error = await failure { () async throws(SocketError) in try await sending.result.typed() }
        #expect(error?.kind == .incomplete && error?.sent == 0 && error?.remaining == Self.bytes.count - 1000)
        try await behind.value
        await connection.close()
        #expect(try await received == first + Array("behind".utf8))
    }

    @Test func whatIsNoFile_isRefused_andTheSocketStaysAsItWas() async throws {
        let pair = try await makeTCPPair()
        let file = try TemporaryFile([1, 2, 3])
        let missing = await failure { () async throws(SocketError) in try await pair.client.sendFile("/no/such/file") }
        #expect(missing?.systemError?.name == "ENOENT" && missing?.systemError?.call == "open")
        let folder = await failure { () async throws(SocketError) in try await pair.client.sendFile("/tmp") }
        #expect(folder?.field == "file")
        for (offset, count, field) in [(-1, nil, "offset"), (4, nil, "offset"), (0, 4, "count"), (2, -1, "count")] {
            let error = await failure { () async throws(SocketError) in
                try await pair.client.sendFile(file.path, offset: offset, count: count)
            }
            #expect(error?.kind == .invalidArgument && error?.field == field, "\(offset), \(count ?? 0)")
        }
        let overflow = await failure { () async throws(SocketError) in
            try await pair.client.sendFile(file.path, offset: 1, count: .max)
        }
        #expect(overflow?.field == "count")
        let closed = await failure { () async throws(SocketError) in try await pair.client.sendFile(descriptor: .max) }
        #expect(closed?.systemError?.name == "EBADF")
        let cut = await failure { () async throws(SocketError) in try await pair.client.sendFile("/tmp\0/x") }
        #expect(cut?.field == "path")
        let told: Result<Int, SocketError> = try await answer { pair.client.sendFile("/no/such/file", completion: $0) }
        #expect(throws: SocketError.self) { try told.get() }
        try await pair.client.send("fine")
        #expect(try await read(4, from: pair.connection) == Array("fine".utf8))
        await pair.close()
    }

    @Test func socketThatCannotSend_refusesFiles() async throws {
        let file = try TemporaryFile([1, 2, 3])
        let fresh = await failure { () async throws(SocketError) in try await TCPSocket().sendFile(file.path) { _ in } }
        #expect(fresh?.kind == .notConnected)
        let pair = try await makeTCPPair()
        pair.client.setFraming(.lines)
        let framed = await failure { () async throws(SocketError) in try await pair.client.sendFile(file.path) }
        #expect(framed?.kind == .invalidState)
        try await pair.client.finish()
        let finished = await failure { () async throws(SocketError) in try await pair.client.sendFile(file.path) }
        #expect(finished?.kind == .invalidState)
        await pair.client.close()
        let closed = await failure { () async throws(SocketError) in try await pair.client.sendFile(file.path) }
        #expect(closed?.kind == .closed)
        await pair.close()
    }

    // MARK: Others on the same loop

    @Test func largeFile_doesNotStarveOthersOfItsLoop() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let (connection, peer) = try await makeConnectionWithRawPeer(group: group)
        let (other, client) = try await makeConnectionWithRawPeer(group: group)
        other.on(.message) { other.send($0.message) { _ in } }
        let file = try TemporaryFile()
        let size = 1 << 30
        try file.setSize(size)
        let isOver = TestLock(false)
        startThread {
            while let bytes = try? peer.receive(upTo: 1 << 20), !bytes.isEmpty {
                if isOver.withLock({ $0 }) { return peer.reset() }
            }
        }
        let sending = Task { try await connection.sendFile(file.path) }
        try await eventually("it is on its way") { connection.bufferedAmount > 0 && connection.bufferedAmount < size }
        let longest = try await blocking {
            var longest = Duration.zero
            for _ in 0..<20 {
                let start = ContinuousClock.now
                try client.send([1])
                _ = try client.receive(exactly: 1)
                longest = max(longest, ContinuousClock.now - start)
            }
            return longest
        }
        #expect(connection.bufferedAmount > 0, "the file was on its way all the time")
        #expect(longest < .seconds(2), "an echo took \(longest)")
        isOver.withLock { $0 = true }
        _ = await sending.result
        await connection.reset()
        await other.close()
    }
}

extension Result where Failure == any Error {
    /// The value of a task that throws nothing but socket errors.
    func typed() throws(SocketError) -> Success {
        switch self {
        case .success(let value): return value
        case .failure(let error as SocketError): throw error
        case .failure(let error): fatalError("\(error)")
        }
    }
}
