import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketRequestsTests {
    private static let seconds: Duration = .seconds(20)

    @Test(arguments: Side.allCases, Loopback.allCases)
    func amounts_areTakenInAnyOrder_andNothingIsLost(_ side: Side, _ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let socket = pair.tested(side)
        try await pair.other(side).send("HEAD\r\n\r\n0123456789abcdefrest")
        #expect(try await socket.peek(upTo: 2, timeout: Self.seconds) == Array("HE".utf8))
        #expect(
            try await socket.receive(until: "\r\n\r\n", timeout: Self.seconds) == Array("HEAD\r\n\r\n".utf8)
        )
        #expect(try await socket.receive(exactly: 10, timeout: Self.seconds) == Array("0123456789".utf8))
        #expect(try await socket.receive(exactly: 0) == [])
        #expect(try await socket.receive(upTo: 3, timeout: Self.seconds) == Array("abc".utf8))
        var block = [UInt8](repeating: 0, count: 3)
        let count = try await socket.receive(into: &block, timeout: Self.seconds)
        #expect(count == 3)
        #expect(block == Array("def".utf8))
        #expect(try await socket.receive(timeout: Self.seconds)?.text == "rest")
        try await pair.other(side).finish()
        #expect(try await socket.receive(exactly: 1, timeout: Self.seconds) == nil)
        #expect(try await socket.receive(upTo: 1) == nil)
        #expect(try await socket.receive(until: [10]) == nil)
        #expect(try await socket.peek(upTo: 1) == nil)
        #expect(!socket.canReceive)
        await pair.close()
    }

    @Test func completionForms_answerTheSame() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        let text = { @Sendable (result: Result<[UInt8]?, SocketError>) -> String in
            switch result {
            case .success(let bytes): bytes.map { String(decoding: $0, as: UTF8.self) } ?? "nil"
            case .failure(let error): "\(error.kind)"
            }
        }
        pair.client.receive(exactly: 5) { log.record("exactly \(text($0))") }
        pair.client.receive(until: ";") { log.record("until \(text($0))") }
        pair.client.peek(upTo: 2) { log.record("peek \(text($0))") }
        pair.client.receive(upTo: 3) { log.record("upTo \(text($0))") }
        pair.client.receive { log.record("chunk \((try? $0.get())?.text ?? "-")") }
        pair.client.receive(exactly: -1) { log.record("bad \(text($0))") }
        pair.client.receive(exactly: 0) { log.record("none \(text($0))") }
        for byte in Array("12345until;xyzlast".utf8) { try await pair.connection.send([byte]) }
        try await log.wait(count: 7)
        #expect(log.events.contains("exactly 12345"))
        #expect(log.events.contains("until until;"))
        #expect(log.events.contains("bad invalidArgument"))
        #expect(log.events.contains("none "))
        // What there was when they were asked is what they were given, in order.
        let rest = log.events.compactMap { event in
            event.hasPrefix("upTo ") ? event.dropFirst(5) : event.hasPrefix("chunk ") ? event.dropFirst(6) : nil
        }.joined()
        #expect("xyzlast".hasPrefix(rest))
        await pair.close()
    }

    @Test func endWithin_isIncomplete_andLeavesWhatCame() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await blocking {
            try peer.send("abc")
            peer.finish()
        }
        let exactly = await failure { () async throws(SocketError) in
            try await client.receive(exactly: 4, timeout: Self.seconds)
        }
        #expect(exactly?.kind == .incomplete)
        let until = await failure { () async throws(SocketError) in
            try await client.receive(until: [10], timeout: Self.seconds)
        }
        #expect(until?.kind == .incomplete)
        #expect(client.canReceive)
        #expect(try await client.receive()?.text == "abc")
        #expect(try await client.receive() == nil)
        await client.close()
    }

    @Test func withoutDelimiter_theLimitHolds_andTheBytesStay() async throws {
        let pair = try await makeTCPPair()
        try await pair.connection.send(String(repeating: "x", count: 40))
        let error = await failure { () async throws(SocketError) in
            try await pair.client.receive(until: [10], maxLength: 32, timeout: Self.seconds)
        }
        #expect(error?.kind == .messageTooLong)
        #expect(try await pair.client.receive(exactly: 40, timeout: Self.seconds)?.count == 40)
        await pair.close()
    }

    @Test func badAmounts_nameTheField() async throws {
        let socket = TCPSocket()
        let errors = [
            await failure { () async throws(SocketError) in try await socket.receive(upTo: 0) },
            await failure { () async throws(SocketError) in try await socket.receive(exactly: -1) },
            await failure { () async throws(SocketError) in try await socket.receive(until: []) },
            await failure { () async throws(SocketError) in try await socket.receive(until: [1, 2], maxLength: 1) },
            await failure { () async throws(SocketError) in try await socket.peek(upTo: 0) },
            await failure { () async throws(SocketError) in
                var none: [UInt8] = []
                return try await socket.receive(into: &none)
            },
        ]
        #expect(errors.allSatisfy { $0?.kind == .invalidArgument })
        #expect(errors.map { $0?.field } == ["count", "count", "delimiter", "maxLength", "count", "buffer"])
        let unconnected = await failure { () async throws(SocketError) in try await socket.receive(exactly: 1) }
        #expect(unconnected?.kind == .notConnected)
        await socket.close()
    }

    @Test func timeoutAndCancellation_leaveWhatCameToTheNext() async throws {
        let pair = try await makeTCPPair()
        try await pair.connection.send("12")
        let timedOut = await failure { () async throws(SocketError) in
            try await pair.client.receive(exactly: 3, timeout: .milliseconds(40))
        }
        #expect(timedOut?.kind == .timedOut)
        let now = await failure { () async throws(SocketError) in
            try await pair.client.receive(exactly: 3, timeout: .zero)
        }
        #expect(now?.kind == .timedOut)
        let task = Task {
            await failure { () async throws(SocketError) in try await pair.client.receive(exactly: 4) }
        }
        let next = Task { try await pair.client.receive(exactly: 2, timeout: Self.seconds) }
        task.cancel()
        #expect(await task.value?.kind == .cancelled)
        #expect(try await next.value == Array("12".utf8))
        await pair.close()
    }

    @Test(arguments: [UInt64(3), 4, 5])
    func requestsOfAllKinds_inAnyOrder_giveTheStream(_ seed: UInt64) async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let sent = pattern(60_000)
        let sending = Task {
            try await blocking {
                var generator = SplitMix(seed)
                var start = 0
                while start < sent.count {
                    let end = min(sent.count, start + Int.random(in: 1...900, using: &generator))
                    try peer.send(Array(sent[start..<end]))
                    start = end
                }
                peer.finish()
            }
        }
        var generator = SplitMix(seed ^ 0xFF)
        var received: [UInt8] = []
        reading: while true {
            let before = received.count
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: received += try await client.receive(timeout: Self.seconds)?.message ?? []
            case 1: received += try await client.receive(upTo: 7, timeout: Self.seconds) ?? []
            case 2:
                let wanted = min(sent.count - received.count, Int.random(in: 1...2000, using: &generator))
                received += try await client.receive(exactly: wanted, timeout: Self.seconds) ?? []
            case 3:
                guard sent[received.count...].contains(0x41) else { continue }
                received += try await client.receive(until: [0x41], timeout: Self.seconds) ?? []
            case 4:
                let peeked = try await client.peek(upTo: 50, timeout: Self.seconds) ?? []
                #expect(Array(sent[received.count..<received.count + peeked.count]) == peeked)
                if peeked.isEmpty { break reading }
                continue
            default:
                for try await byte in client.bytes {
                    received.append(byte)
                    if received.count % 13 == 0 { break }
                }
            }
            if received.count == before { break }
        }
        #expect(received == sent)
        try await sending.value
        await client.close()
    }

    /// More than one turn reads: a call that must not wait takes it all the same.
    @Test func zeroTimeout_takesEverythingThatIsThere() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await client.setExtraOptions(TCPExtraOptions(receiveBufferSize: 4 << 20))
        let sent = pattern(1_500_000)
        try await blocking { try peer.send(sent) }
        try await eventually("everything has arrived") { Kernel.readable(await client.getSocketFd()) >= sent.count }
        let received = try await client.receive(exactly: sent.count, timeout: .zero)
        #expect(received == sent)
        await client.close()
    }

    @Test func byteIteration_thatStopsEarly_leavesTheRest() async throws {
        let pair = try await makeTCPPair()
        try await pair.connection.send("key=value")
        var key: [UInt8] = []
        for try await byte in pair.client.bytes {
            if byte == UInt8(ascii: "=") { break }
            key.append(byte)
        }
        #expect(key == Array("key".utf8))
        #expect(try await pair.client.receive(timeout: Self.seconds)?.text == "value")
        await pair.close()
    }

    /// As at the top level of a program, where the iterator of a loop is never let go of.
    @Test func byteIterator_thatLivesOn_holdsNothingBack() async throws {
        let pair = try await makeTCPPair()
        var bytes = pair.client.bytes.makeAsyncIterator()
        for text in ["abc", "d"] {
            try await pair.connection.send(text)
            #expect(try await bytes.next() == text.utf8.first)
            if text.utf8.count > 1 { #expect(try await pair.client.receive()?.text == String(text.dropFirst())) }
        }
        // A reader that came before is served before; and a listener hears what the iterator did not take.
        let log = EventLog()
        try await pair.connection.send("efg")
        #expect(try await bytes.next() == UInt8(ascii: "e"))
        recordMessages(pair.client, in: log)
        let refused = await failure { () async throws(SocketError) in try await bytes.next() }
        #expect(refused?.kind == .invalidState)
        try await log.wait(for: "message:fg")
        pair.client.off(.message)
        try await pair.connection.send("hi")
        await pair.connection.close()
        #expect(try await bytes.next() == UInt8(ascii: "h"))
        #expect(try await bytes.next() == UInt8(ascii: "i"))
        #expect(try await bytes.next() == nil)
        #expect(try await bytes.next() == nil)
        await pair.close()
    }

    @Test func lines_comeWithoutTheirEnds() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await blocking {
            try peer.send("one\r\ntwo\n\nfour\rfive\nlast")
            peer.finish()
        }
        var lines: [String] = []
        for try await line in client.lines() { lines.append(line) }
        #expect(lines == ["one", "two", "", "four\rfive", "last"])
        await client.close()
    }

    @Test func lines_thatAreTooLongOrNoText_areErrors() async throws {
        let pair = try await makeTCPPair()
        try await pair.connection.send([0xFF, 0x0A] + Array(repeating: 0x61, count: 50))
        var lines = pair.client.lines(maxLength: 20).makeAsyncIterator()
        let noText = await failure { () async throws(SocketError) in try await lines.next() }
        #expect(noText?.kind == .malformed)
        let tooLong = await failure { () async throws(SocketError) in try await lines.next() }
        #expect(tooLong?.kind == .messageTooLong)
        await pair.close()
    }
}
