import HarmonySocket
import Testing

@Suite(.bounded) struct UDPSocketEventsTests {
    @Test(arguments: Loopback.allCases)
    func message_event_isEmittedOncePerDatagram(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        let messages = EventRecorder<SocketMessageInfo>()
        second.on(.message) { messages.record($0) }
        let sizes = [0, 5, 0, 0, 1000, 1]
        for size in sizes { try await first.send(pattern(size), to: secondAddress) }
        try await messages.wait(count: sizes.count)
        #expect(messages.events.map(\.message) == sizes.map(pattern))
        #expect(messages.events.allSatisfy { $0.remoteInfo.netAddress == firstAddress })
        await first.close()
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func error_event_namesTheDestinationThatRefused_andTheSocketGoesOn(_ loopback: Loopback) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair(loopback)
        let closedPort: NetAddress
        do {
            let gone = try RawSocket.datagram(on: loopback)
            closedPort = loopback.address(gone.port)
        }
        let errors = EventRecorder<SocketError>()
        first.on(.error) { errors.record($0) }
        try await first.send("nobody", to: closedPort)
        let error = try #require(try await errors.wait(count: 1).first)
        #expect(error.kind == .connectionRefused)
        #expect(error.code == 2_301_111)
        #expect(error.address == closedPort.description)
        #expect(first.lastError?.kind == .connectionRefused)
        for number in 0..<20 {
            try await first.send("refused", to: closedPort)
            try await first.send("\(number)", to: secondAddress)
            #expect(try await second.receive(timeout: .seconds(20)).text == "\(number)")
        }
        #expect(errors.events.allSatisfy { $0.address == closedPort.description })
        #expect(first.state.isBound)
        await first.close()
        await second.close()
    }

    @Test func timeout_event_isEmittedAgainAndAgain_andTheSocketStaysOpen() async throws {
        let socket = UDPSocket()
        let log = EventLog()
        try await socket.setExtraOptions(UDPExtraOptions(socketTimeout: .milliseconds(60)))
        record(socket, in: log)
        let start = ContinuousClock.now
        try await socket.bind(NetAddress("127.0.0.1"))
        try await log.wait { $0.filter { $0 == "timeout" }.count >= 3 }
        #expect(ContinuousClock.now - start >= .milliseconds(180))
        #expect(log.events.prefix(4) == ["listening", "timeout", "timeout", "timeout"])
        #expect(socket.state.isBound)
        try await socket.setExtraOptions(UDPExtraOptions(socketTimeout: .zero))
        #expect(try await socket.getExtraOptions().socketTimeout == .zero)
        await socket.close()
    }

    @Test func once_on_off_workOnDatagrams() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        second.once(.message) { log.record("once:\($0.text ?? "")") }
        second.once(.message) { log.record("once") }
        let token = second.on(.message) { log.record("token:\($0.text ?? "")") }
        second.on(.message) { log.record("on") }
        try await first.send("1", to: secondAddress)
        try await log.wait(count: 4)
        second.off(token)
        second.off(first.on(.message) {})
        try await first.send("2", to: secondAddress)
        try await log.wait(count: 5)
        second.off(.message)
        try await first.send("3", to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).text == "3")
        #expect(log.events == ["once:1", "once", "token:1", "on", "on"])
        await first.close()
        await second.close()
    }

    @Test func listenerAddedDuringAPendingReceive_takesEffectBehindIt() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        second.receive { log.record("receive:\((try? $0.get())?.text ?? "-")") }
        second.on(.message) { log.record("message:\($0.text ?? "-")") }
        try await first.send("1", to: secondAddress)
        try await first.send("2", to: secondAddress)
        try await log.wait(count: 2)
        #expect(log.events == ["receive:1", "message:2"])
        await first.close()
        await second.close()
    }

    @Test func listenerAddedLate_getsWhatHadArrived() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        for number in 0..<3 { try await first.send("\(number)", to: secondAddress) }
        second.on(.message) { log.record($0.text ?? "-") }
        try await log.wait(count: 3)
        #expect(log.events == ["0", "1", "2"])
        await first.close()
        await second.close()
    }
}
