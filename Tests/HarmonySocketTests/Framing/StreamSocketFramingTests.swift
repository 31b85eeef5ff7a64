import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketFramingTests {
    private static let seconds: Duration = .seconds(20)

    @Test(arguments: Side.allCases)
    func messages_areWhole_howeverTheyArrive(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        socket.setFraming(.lines)
        let log = EventLog()
        recordMessages(socket, in: log)
        for byte in Array("one\ntwo\r\n\nfour".utf8) { try await pair.other(side).send([byte]) }
        try await log.wait(count: 3)
        #expect(log.events == ["message:one", "message:two", "message:"])
        try await pair.other(side).finish()
        try await log.wait(count: 4)
        #expect(log.events.last == "message:four")
        await pair.close()
    }

    @Test func pulling_bringsOneMessageEach() async throws {
        let pair = try await makeTCPPair()
        let framing = try LengthPrefixed.make()
        pair.client.setFraming(framing)
        pair.connection.setFraming(framing)
        try await pair.connection.send("first")
        try await pair.connection.send(parts: [Array("sec".utf8), Array("ond".utf8)])
        let third = Array("third".utf8)
        try await pair.connection.send(third.span.bytes)
        let sent: Result<Void, SocketError> = try await answer { pair.connection.send("fourth", completion: $0) }
        try sent.get()
        try await pair.connection.finish()
        var texts: [String?] = []
        texts.append(try await pair.client.receive(timeout: Self.seconds)?.text)
        let second: Result<SocketMessageInfo?, SocketError> = try await answer { pair.client.receive(completion: $0) }
        texts.append(try second.get()?.text)
        for try await message in pair.client.messages { texts.append(message.text) }
        #expect(texts == ["first", "second", "third", "fourth"])
        await pair.close()
    }

    @Test func framing_chosenBeforeConnecting_stays() async throws {
        let framing = try LengthPrefixed.make()
        let client = TCPSocket()
        client.setFraming(framing)
        let pair = try await makeTCPPair(client: client) { $0.setFraming(framing) }
        try await client.send("question")
        #expect(try await pair.connection.receive(timeout: Self.seconds)?.text == "question")
        try await pair.connection.send("answer")
        #expect(try await client.receive(timeout: Self.seconds)?.text == "answer")
        await pair.close()
    }

    @Test func framing_mayChangeBetweenMessages_alsoByAListener() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        pair.client.setFraming(.lines)
        pair.client.on(.message) { [client = pair.client] message in
            log.record(message.text ?? "-")
            guard let length = message.text.flatMap({ Int($0) }), length > 0 else { return client.setFraming(.lines) }
            try? client.setFraming(.fixed(length: length))
        }
        try await pair.connection.send("3\nabc5\n\n\n\n\n\n0\nend\n")
        try await log.wait(count: 6)
        #expect(log.events == ["3", "abc", "5", "\n\n\n\n\n", "0", "end"])
        await pair.close()
    }

    @Test func badMessage_failsThePull_againAndAgain_andTheSocketStays() async throws {
        let pair = try await makeTCPPair()
        try pair.client.setFraming(.lines(maxLength: 10))
        try await pair.connection.send("good\n" + String(repeating: "x", count: 30))
        #expect(try await pair.client.receive(timeout: Self.seconds)?.text == "good")
        for _ in 0..<2 {
            let error = await failure { () async throws(SocketError) in
                try await pair.client.receive(timeout: Self.seconds)
            }
            #expect(error?.kind == .messageTooLong)
        }
        #expect(pair.client.state.isConnected)
        pair.client.setFraming(nil)
        #expect(try await pair.client.receive(exactly: 30, timeout: Self.seconds)?.count == 30)
        await pair.close()
    }

    @Test func badMessage_closesASocketWithListeners_andTellsWhy() async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        pair.client.setFraming(try LengthPrefixed.make())
        record(pair.client, in: log)
        recordMessages(pair.client, in: log)
        try await pair.connection.send([0, 0, 0, 1, 0x61, 0xFF, 0xFF, 0xFF, 0xFF])
        try await log.wait { $0.contains { $0.hasPrefix("close") } }
        #expect(log.events.first == "message:a")
        #expect(pair.client.lastError?.kind == .messageTooLong)
        await pair.close()
    }

    @Test func endWithinAMessage_isIncomplete() async throws {
        let pair = try await makeTCPPair()
        pair.client.setFraming(try LengthPrefixed.make())
        try await pair.connection.send([0, 0, 0, 9, 0x61])
        try await pair.connection.finish()
        let error = await failure { () async throws(SocketError) in try await pair.client.receive(timeout: Self.seconds)
        }
        #expect(error?.kind == .incomplete)
        await pair.close()
    }

    @Test func messageThatCannotBeSaid_isRefused_andNothingIsSent() async throws {
        let pair = try await makeTCPPair()
        pair.client.setFraming(.lines)
        let error = await failure { () async throws(SocketError) in try await pair.client.send("two\nlines") }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "message")
        #expect(throws: SocketError.self) { try pair.client.trySend([1]) }
        try await pair.client.send("one")
        #expect(try await pair.connection.receive(timeout: Self.seconds)?.text == "one\n")
        await pair.close()
    }

    @Test func amounts_passTheFraming() async throws {
        let pair = try await makeTCPPair()
        pair.client.setFraming(.lines)
        try await pair.connection.send("GET /\nbody!next\n")
        #expect(try await pair.client.receive(timeout: Self.seconds)?.text == "GET /")
        #expect(try await pair.client.receive(exactly: 5, timeout: Self.seconds) == Array("body!".utf8))
        #expect(try await pair.client.receive(timeout: Self.seconds)?.text == "next")
        await pair.close()
    }

    @Test func oneByteASecondOrNever_neitherBlocksOthersNorGrows() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let slow = try await makeTCPPair(group: group)
        let other = try await makeTCPPair(group: group)
        slow.client.setFraming(try LengthPrefixed.make())
        slow.client.on(.message) { _ in }
        // Announces much, and sends nothing of it.
        try await slow.connection.send([0, 0x0F, 0, 0, 1])
        try await other.connection.send("still here")
        #expect(try await other.client.receive(timeout: Self.seconds)?.text == "still here")
        await slow.close()
        await other.close()
    }

    @Test func manyMessagesInOneRead_areToldInOrder_andStarveNobody() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let pair = try await makeTCPPair(group: group)
        let log = EventRecorder<Int>()
        pair.client.setFraming(.lines)
        pair.client.on(.message) { message in
            if let number = message.text.flatMap({ Int($0) }) { log.record(number) }
        }
        let count = 20_000
        try await pair.connection.send((0..<count).map { "\($0)\n" }.joined())
        let numbers = try await log.wait(count: count)
        #expect(numbers == Array(0..<count))
        await pair.close()
    }

    private enum LengthPrefixed {
        static func make() throws(SocketError) -> any Framing { try LengthPrefixFraming.lengthPrefixed(width: .four) }
    }
}
