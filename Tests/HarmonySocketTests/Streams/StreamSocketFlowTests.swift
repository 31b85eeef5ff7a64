import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketFlowTests {
    private static let seconds: Duration = .seconds(20)

    @Test(arguments: Side.allCases)
    func paused_nothingIsHeard_andNothingIsLost(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let log = EventLog()
        recordMessages(socket, in: log)
        socket.pause()
        #expect(socket.isPaused)
        try await pair.other(side).send("one")
        try await pair.other(side).send("two")
        try await settle(socket.eventLoop)
        #expect(log.events.isEmpty)
        socket.resume()
        try await log.wait { $0.joined().contains("two") }
        #expect(log.events.map { $0.dropFirst(8) }.joined() == "onetwo")
        await pair.close()
    }

    @Test func pausedByItsListener_resumedFromElsewhere() async throws {
        let pair = try await makeTCPPair()
        let log = EventRecorder<String>()
        pair.client.setFraming(.lines)
        pair.client.on(.message) { [client = pair.client] message in
            client.pause()
            log.record(message.text ?? "-")
        }
        try await pair.connection.send("1\n2\n3\n")
        for count in 1...3 {
            #expect(try await log.wait(count: count).last == "\(count)")
            #expect(log.count == count)
            pair.client.resume()
        }
        await pair.close()
    }

    @Test func borrowedBytes_areSeenBeforeTheOthers_whereverThoseRun() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        pair.client.deliver(on: .mainActor)
        pair.client.on(.message) { log.record("message \($0.text ?? "-")") }
        let listener = pair.client.on(.bytes) { [loop = pair.client.eventLoop] bytes in
            log.record("bytes \(bytes.byteCount) \(loop.isCurrent)")
        }
        try await pair.connection.send("abc")
        try await log.wait(count: 2)
        #expect(log.events == ["bytes 3 true", "message abc"])
        let refused = await failure { () async throws(SocketError) in try await pair.client.receive() }
        #expect(refused?.kind == .invalidState)
        pair.client.off(listener)
        pair.client.off(.message)
        try await pair.connection.send("pulled")
        #expect(try await pair.client.receive(timeout: Self.seconds)?.text == "pulled")
        await pair.close()
    }

    @Test func borrowedBytes_stayWhole_whileTheListenerUsesOtherSockets() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let pair = try await makeTCPPair(group: group)
        let other = try await makeTCPPair(group: group)
        let sent = pattern(30_000)
        let seen = EventRecorder<[UInt8]>()
        pair.client.on(.bytes) { bytes in
            other.client.receive(timeout: .zero) { _ in }
            seen.record(bytes.withUnsafeBytes { Array($0) })
        }
        try await other.connection.send([UInt8](repeating: 0xEE, count: 30_000))
        try await pair.connection.send(sent)
        try await seen.wait { $0.joined().count == sent.count }
        #expect(Array(seen.events.joined()) == sent)
        pair.client.off(.bytes)
        await pair.close()
        await other.close()
    }

    @Test func borrowedBytes_ofAFraming_areMessages() async throws {
        let pair = try await makeTCPPair()
        let seen = EventRecorder<[UInt8]>()
        pair.client.setFraming(.lines)
        pair.client.on(.bytes) { bytes in seen.record(bytes.withUnsafeBytes { Array($0) }) }
        try await pair.connection.send("ab\ncde\n")
        #expect(try await seen.wait(count: 2) == [Array("ab".utf8), Array("cde".utf8)])
        await pair.close()
    }

    @Test func trySend_takesWhatFits_andDrainTellsOfRoom() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let log = EventLog()
        client.on(.drain) { log.record("drain") }
        let none = try client.trySend([])
        #expect(none == 0)
        let block = pattern(1 << 20)
        var taken = 0
        var last = 1
        while last > 0 {
            last = try client.trySend(block)
            taken += last
        }
        #expect(taken > 0)
        #expect(client.bufferedAmount == 0)
        #expect(log.events.isEmpty)
        let expected = taken
        #expect(try await blocking { try peer.receive(exactly: expected) }.count == taken)
        try await log.wait(count: 1)
        let again = try client.trySend(block.span.bytes)
        #expect(again > 0)
        await client.reset()
        #expect(throws: SocketError.self) { try client.trySend([1]) }
    }

    @Test func severalBuffers_goOutAsOne() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let parts = (0..<100).map { pattern($0 * 37) }
        let whole = parts.reduce(into: []) { $0 += $1 }
        try await client.send(parts: parts)
        #expect(try await blocking { try peer.receive(exactly: whole.count) } == whole)
        try await client.send(parts: [[], []])
        // More than the kernel takes at once: the rest is queued, and other sends stay behind it.
        let large = (0..<40).map { _ in pattern(200_000) }
        let sending = Task { try await client.send(parts: large) }
        let expected = large.reduce(into: []) { $0 += $1 }
        #expect(try await blocking { try peer.receive(exactly: expected.count) } == expected)
        try await sending.value
        await client.close()
    }

    @Test(arguments: [false, true])
    func urgentByte_isTold_andTheStreamGoesOn(_ isInline: Bool) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        try await pair.client.setExtraOptions(TCPExtraOptions(oobInline: isInline))
        pair.client.on(.urgent) { log.record("urgent \($0.map(String.init) ?? "in the stream")") }
        try await pair.connection.send("before")
        try await pair.connection.sendUrgent(0x21)
        try await pair.connection.send("after")
        try await log.wait(count: 1)
        // A byte in the stream is told of as long as it is there.
        #expect(Set(log.events) == [isInline ? "urgent in the stream" : "urgent 33"])
        if !isInline { #expect(log.count == 1) }
        let expected = isInline ? "before!after" : "beforeafter"
        #expect(
            try await pair.client.receive(exactly: expected.utf8.count, timeout: Self.seconds) == Array(expected.utf8))
        let before = log.count
        let told: Result<Void, SocketError> = try await answer { pair.connection.sendUrgent(0x22, completion: $0) }
        try told.get()
        try await log.wait(count: before + 1)
        await pair.close()
    }
}
