import HarmonySocket
import Synchronization
import Testing

@Suite(.bounded) struct UDPSocketBatchesTests {
    // MARK: Sending

    @Test(arguments: Loopback.allCases)
    func batch_inEveryForm_arrivesInOrder(_ loopback: Loopback) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair(loopback)
        let sizes = [3, 0, 5, 5, 5, 2, 1472, 1472]
        let bytes = sizes.map(pattern)
        let options = bytes.map { UDPSendOptions(data: $0, address: secondAddress) }
        func expectAll() async throws {
            for expected in bytes { #expect(try await second.receive(timeout: .seconds(20)).message == expected) }
        }
        try await first.send(batch: options)
        try await expectAll()
        try await first.send(batch: bytes, to: secondAddress, timeout: .seconds(1))
        try await expectAll()
        let results: [Result<Void, SocketError>] = [
            try await answer { first.send(batch: options, timeout: .seconds(1), completion: $0) },
            try await answer { first.send(batch: bytes, to: secondAddress, completion: $0) },
        ]
        for result in results { try result.get() }
        try await expectAll()
        try await expectAll()
        try await first.connect(to: secondAddress)
        try await first.send(batch: bytes)
        try await expectAll()
        try await first.send(batch: options)
        try await expectAll()
        try await first.send(batch: [UDPSendOptions]())
        try await first.send(batch: [[UInt8]]())
        #expect(first.statistics.messagesSent == 6 * sizes.count)
        #expect(first.statistics.bytesSent == 6 * sizes.reduce(0, +))
        #expect(second.statistics.messagesReceived == 6 * sizes.count)
        #expect(second.statistics.bytesReceived == 6 * sizes.reduce(0, +))
        #expect(try #require(second.statistics.age) >= .zero)
        await first.close()
        await second.close()
    }

    @Test func batch_toSeveralReceivers_bindsFirst_andReachesEach() async throws {
        let peers = try (0..<3).map { _ in try RawSocket.datagram() }
        let socket = UDPSocket()
        let log = EventLog()
        socket.on(.listening) { log.record("listening") }
        try await socket.send(
            batch: (0..<9).map {
                UDPSendOptions(data: "\($0)", address: NetAddress("127.0.0.1", port: peers[$0 % 3].port))
            })
        log.record("sent")
        #expect(log.events == ["listening", "sent"])
        for number in 0..<9 {
            let (bytes, _) = try await blocking { try peers[number % 3].receiveDatagram() }
            #expect(bytes == Array("\(number)".utf8))
        }
        await socket.close()
    }

    @Test(arguments: Loopback.allCases)
    func batchOfAnswers_reachesEachSender(_ loopback: Loopback) async throws {
        let (first, _, server, serverAddress) = try await makeUDPPair(loopback)
        let second = UDPSocket()
        try await second.bind(NetAddress(loopback.rawValue))
        for round in 0..<2 {
            for (client, name) in [(first, "first"), (second, "second")] {
                try await client.send("\(name) \(round)", to: serverAddress)
            }
            var asked: [SocketMessageInfo] = []
            while asked.count < 2 { asked += try await server.receiveBatch(timeout: .seconds(20)) }
            let answers = asked.map { (message: $0.message + [33], to: $0.remoteInfo) }
            if round == 0 {
                try await server.send(batch: answers, timeout: .seconds(1))
            } else {
                try await answer { server.send(batch: answers, completion: $0) }.get()
            }
            for (client, name) in [(first, "first"), (second, "second")] {
                #expect(try await client.receive(timeout: .seconds(20)).text == "\(name) \(round)!")
            }
        }
        let huge = [(message: pattern(70_000), to: try #require(try await lastSender(of: server, from: first)))]
        await #expect(throws: SocketError.self) { try await server.send(batch: huge) }
        for socket in [first, second, server] { await socket.close() }
    }

    private func lastSender(of server: UDPSocket, from client: UDPSocket) async throws -> SocketRemoteInfo? {
        try await client.send("again", to: try await server.getLocalAddress())
        return try await server.receive(timeout: .seconds(20)).remoteInfo
    }

    @Test func batch_withADatagramThatCannotBe_isNotSentAtAll() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let tooLong = [UInt8](repeating: 0, count: UDPSocket.maximumSizeIPv4 + 1)
        let error = await failure { () async throws(SocketError) in
            try await first.send(batch: [[1], tooLong], to: secondAddress)
        }
        #expect(error?.kind == .messageTooLong)
        let result: Result<Void, SocketError> = try await answer {
            first.send(batch: [UDPSendOptions(data: "x", address: NetAddress("127.0.0.1"))], completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
        try await first.send("next", to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).text == "next")
        await first.close()
        await second.close()
    }

    /// What the system refuses is told; the others go.
    @Test func batch_withADatagramThatTheSystemRefuses_sendsTheOthers() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let broadcast = UDPSendOptions(data: "four", address: NetAddress("255.255.255.255", port: secondAddress.port))
        let others = ["1", "22", "333"].map { UDPSendOptions(data: $0, address: secondAddress) }
        let error = await failure { () async throws(SocketError) in
            try await first.send(batch: [others[0], broadcast, others[1], broadcast, others[2]])
        }
        #expect(error?.kind == .permissionDenied)
        #expect(error?.sent == 6)
        #expect(error?.remaining == 8)
        for expected in ["1", "22", "333"] {
            #expect(try await second.receive(timeout: .seconds(20)).text == expected)
        }
        await first.close()
        await second.close()
    }

    // MARK: Receiving

    @Test(arguments: Loopback.allCases)
    func receiveBatch_bringsWhatIsThere_upToTheLimit(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        for number in 0..<10 { try await first.send("\(number)", to: secondAddress) }
        let some = try await second.receiveBatch(upTo: 3, timeout: .seconds(20))
        #expect(some.map(\.text) == ["0", "1", "2"])
        #expect(some.allSatisfy { $0.remoteInfo.netAddress == firstAddress })
        #expect(try await second.receive(timeout: .seconds(20)).text == "3")
        let result: Result<[SocketMessageInfo], SocketError> = try await answer { second.receiveBatch(completion: $0) }
        #expect(try result.get().map(\.text) == (4..<10).map { "\($0)" })
        let empty = await failure { () async throws(SocketError) in try await second.receiveBatch(timeout: .zero) }
        #expect(empty?.kind == .timedOut)
        let none = await failure { () async throws(SocketError) in try await second.receiveBatch(upTo: 0) }
        #expect(none?.kind == .invalidArgument)
        #expect(none?.field == "limit")
        let noneByHandler: Result<[SocketMessageInfo], SocketError> = try await answer {
            second.receiveBatch(upTo: -1, completion: $0)
        }
        #expect(throws: SocketError.self) { try noneByHandler.get() }
        await first.close()
        await second.close()
    }

    /// A train of datagrams that the kernel hands over as one is as many datagrams to each kind of reader.
    @Test(arguments: ["receive", "batch", "messages", "batches", "event"])
    func manyDatagramsSentTogether_areSoManyDatagrams(_ reader: String) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await second.setExtraOptions(UDPExtraOptions(receiveBufferSize: 1 << 20))
        let datagrams = (0..<64).map { [UInt8](repeating: $0, count: 1200) }
        let got = EventRecorder<[UInt8]>()
        let task: Task<Void, any Error>? =
            switch reader {
            case "receive": Task { while true { got.record(try await second.receive(timeout: .seconds(20)).message) } }
            case "batch":
                Task { while true { for each in try await second.receiveBatch(upTo: 5) { got.record(each.message) } } }
            case "messages": Task { for try await each in second.messages { got.record(each.message) } }
            case "batches":
                Task { for try await batch in second.messageBatches { for each in batch { got.record(each.message) } } }
            default: nil
            }
        if task == nil { second.on(.message) { got.record($0.message) } }
        for round in 1...4 {
            try await first.send(batch: datagrams, to: secondAddress)
            try await got.wait(count: 64 * round)
        }
        #expect(got.events == datagrams + datagrams + datagrams + datagrams)
        await second.close()
        _ = await task?.result
        await first.close()
    }

    @Test(arguments: [0, 1, 99, 100, 101, 5_000])
    func receive_upToALimit_flagsWhatWasCut(_ size: Int) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await first.send(batch: [pattern(size), pattern(3)], to: secondAddress)
        let message = try await second.receive(upTo: 100, timeout: .seconds(20))
        #expect(message.message == Array(pattern(size).prefix(100)))
        #expect(message.isTruncated == (size > 100))
        #expect(message.remoteInfo.size == min(size, 100))
        // The rest of it is gone: the next one is another.
        let result: Result<SocketMessageInfo, SocketError> = try await answer {
            second.receive(upTo: 0, completion: $0)
        }
        #expect(try result.get().message == [])
        #expect(try result.get().isTruncated)
        let error = await failure { () async throws(SocketError) in try await second.receive(upTo: -1) }
        #expect(error?.kind == .invalidArgument)
        await first.close()
        await second.close()
    }

    // MARK: Listeners

    /// Datagrams that wait in the kernel, so that the loop takes them all at once.
    private func fill(_ count: Int, _ first: UDPSocket, _ second: NetAddress) async throws {
        for number in 0..<count { try await first.send("\(number)", to: second) }
    }

    @Test func answersOfListeners_areCollected_andGoOutTogether() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await fill(5, first, secondAddress)
        let queued = EventRecorder<Int>()
        let completions = EventLog()
        second.on(.message) { datagram in
            second.send(datagram.message, to: datagram.remoteInfo) { result in
                completions.record((try? result.get()) == nil ? "failed" : datagram.text ?? "")
            }
            queued.record(second.bufferedCount)
        }
        for number in 0..<5 { #expect(try await first.receive(timeout: .seconds(20)).text == "\(number)") }
        try await completions.wait(count: 5)
        #expect(queued.events == [1, 2, 3, 4, 5])
        #expect(completions.events == ["0", "1", "2", "3", "4"])
        #expect(second.bufferedCount == 0 && second.bufferedAmount == 0)
        await first.close()
        await second.close()
    }

    @Test func answersOfListeners_onAnotherExecutor_goOutToo() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        second.deliver(on: .mainActor)
        try await fill(5, first, secondAddress)
        second.on(.message) { datagram in second.send(datagram.message, to: datagram.remoteInfo) { _ in } }
        for number in 0..<5 { #expect(try await first.receive(timeout: .seconds(20)).text == "\(number)") }
        await first.close()
        await second.close()
    }

    @Test func off_inTheMiddleOfABatch_leavesTheRestToTheNextReader() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await fill(5, first, secondAddress)
        let log = EventLog()
        second.on(.message) { datagram in
            if datagram.text == "1" { second.off(.message) }
            log.record(datagram.text ?? "")
        }
        try await log.wait(count: 2)
        for number in 2..<5 { #expect(try await second.receive(timeout: .seconds(20)).text == "\(number)") }
        #expect(log.events == ["0", "1"])
        await first.close()
        await second.close()
    }

    @Test func close_inTheMiddleOfABatch_tellsNoMore_andSendsTheAnswers() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await fill(5, first, secondAddress)
        let log = EventLog()
        second.on(.close) { log.record("close") }
        second.on(.message) { datagram in
            log.record(datagram.text ?? "")
            second.send(datagram.message, to: datagram.remoteInfo) { _ in log.record("sent") }
            if datagram.text == "1" { second.close { _ in log.record("closed") } }
        }
        try await log.wait(for: "close")
        #expect(log.events == ["0", "1", "sent", "sent", "closed", "close"])
        for number in 0..<2 { #expect(try await first.receive(timeout: .seconds(20)).text == "\(number)") }
        await first.close()
    }

    @Test func sendQueueLimit_refusesWhatWouldHaveToWait_andDrainTellsOfRoom() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        #expect(second.sendQueueLimit == nil)
        second.sendQueueLimit = -1
        #expect(second.sendQueueLimit == 0)
        second.sendQueueLimit = 10
        second.highWaterMark = 5
        let log = EventLog()
        second.on(.drain) { log.record("drain") }
        second.once(.message) { datagram in
            // While listeners are told, what they send is queued.
            for size in [6, 5, 4] {
                second.send(pattern(size), to: datagram.remoteInfo) { result in
                    if case .failure(let error) = result {
                        log.record("\(error.kind) \(error.code)")
                    } else {
                        log.record("\(size) sent")
                    }
                }
            }
        }
        try await first.send("go", to: secondAddress)
        try await log.wait(count: 4)
        #expect(Set(log.events) == ["queueFull 2301105", "6 sent", "4 sent", "drain"])
        for size in [6, 4] { #expect(try await first.receive(timeout: .seconds(20)).message == pattern(size)) }
        // Where nothing waits there is no limit.
        try await second.send(pattern(1000), to: first.getLocalAddress())
        #expect(try await first.receive(timeout: .seconds(20)).message == pattern(1000))
        await first.close()
        await second.close()
    }

    @Test func completionsWithATimeout_areToldToo() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        second.once(.message) { datagram in
            second.send([1], to: datagram.remoteInfo, timeout: .seconds(5)) { result in
                log.record((try? result.get()) == nil ? "failed" : "sent")
            }
            second.send(batch: [[2], [3]], to: datagram.remoteInfo.netAddress) { result in
                log.record((try? result.get()) == nil ? "failed" : "batch sent")
            }
        }
        try await first.send("go", to: secondAddress)
        try await log.wait(count: 2)
        #expect(log.events == ["sent", "batch sent"])
        for number in [UInt8](1...3) { #expect(try await first.receive(timeout: .seconds(20)).message == [number]) }
        await first.close()
        await second.close()
    }
}
