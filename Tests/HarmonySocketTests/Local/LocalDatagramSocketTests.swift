import HarmonySocket
import Testing

@Suite(.bounded) struct LocalDatagramSocketTests {
    private static func makeReceiver(_ directory: TemporaryDirectory) async throws -> LocalDatagramSocket {
        let receiver = LocalDatagramSocket()
        try await receiver.bind(directory.address())
        return receiver
    }

    @Test(arguments: ["async", "completion", "events"])
    func datagrams_goAndComeBack(_ style: String) async throws {
        let directory = try TemporaryDirectory()
        let receiver = try await LocalDatagramSocketTests.makeReceiver(directory)
        let sender = LocalDatagramSocket()
        let log = EventLog()
        sender.on(.listening) { log.record("listening") }
        if style == "completion" {
            _ = try await answer { sender.bind(directory.address("sender"), completion: $0) }.get()
            _ = try await answer { sender.send([1, 2, 3], to: directory.address(), completion: $0) }.get()
        } else {
            try await sender.bind(directory.address("sender"))
            if style == "events" { receiver.on(.message) { log.record("\($0.message) \($0.address)") } }
            try await sender.send([1, 2, 3], to: directory.address())
        }
        switch style {
        case "async":
            let message = try await receiver.receive(timeout: .seconds(20))
            #expect(message.message == [1, 2, 3] && message.address == directory.entry("sender") && message.size == 3)
            #expect(message.remoteInfo.family == .local)
            try await receiver.send("back", to: LocalAddress(message.address))
            for try await message in sender.messages {
                #expect(message.text == "back" && message.address == directory.entry("socket"))
                break
            }
        case "completion":
            let message = try await answer { receiver.receive(timeout: .seconds(20), completion: $0) }.get()
            #expect(message.message == [1, 2, 3] && message.address == directory.entry("sender"))
        default: try await log.wait(for: "[1, 2, 3] \(directory.entry("sender"))")
        }
        #expect(log.events.first == "listening")
        #expect(receiver.localAddress == directory.address() && receiver.state.isBound)
        #expect(await receiver.getInfo().socketType == .local)
        #expect(receiver.statistics.bytesReceived == 3)
        await sender.close()
        await receiver.close()
        try await eventually("both paths are removed") { directory.look() == nil && directory.look("sender") == nil }
    }

    @Test func unboundSender_hasNoAddress_andEmptyDatagramsArrive() async throws {
        let directory = try TemporaryDirectory()
        let receiver = try await LocalDatagramSocketTests.makeReceiver(directory)
        let sender = LocalDatagramSocket()
        try await sender.send([], to: directory.address())
        let message = try await receiver.receive(timeout: .seconds(20))
        #expect(message.message.isEmpty && message.address.isEmpty && !message.isTruncated)
        #expect(sender.localAddress == .unnamed)
        await sender.close()
        await receiver.close()
    }

    @Test(.enabled(if: isLinux)) func abstractName_isReachedAndTold() async throws {
        let name = LocalAddress.abstract("harmony-datagrams-\(RawLocal.identity.process)")
        let own = LocalAddress.abstract("harmony-sender-\(RawLocal.identity.process)")
        let receiver = LocalDatagramSocket()
        try await receiver.bind(name)
        let sender = LocalDatagramSocket()
        try await sender.bind(own)
        try await sender.send("hello", to: name)
        #expect(try await receiver.receive(timeout: .seconds(20)).address == own.address)
        await sender.close()
        await receiver.close()
    }

    @Test func connected_sendsAndReceivesThereOnly() async throws {
        let directory = try TemporaryDirectory()
        let receiver = try await LocalDatagramSocketTests.makeReceiver(directory)
        let sender = LocalDatagramSocket()
        try await sender.bind(directory.address("sender"))
        let early = await failure { () async throws(SocketError) in try await sender.send([1]) }
        #expect(early?.kind == .notConnected)
        try await sender.connect(to: directory.address())
        #expect(sender.remoteAddress == directory.address() && sender.state.isConnected)
        try await sender.send([1])
        _ = try await answer { sender.send([2], completion: $0) }.get()
        #expect(try await receiver.receive(timeout: .seconds(20)).message == [1])
        #expect(try await receiver.receive(timeout: .seconds(20)).message == [2])
        let other = await failure { () async throws(SocketError) in
            try await sender.send([3], to: directory.address("other"))
        }
        #expect(other?.kind == .alreadyConnected)
        try await sender.disconnect()
        #expect(sender.remoteAddress == nil && sender.localAddress == directory.address("sender"))
        try await sender.send([4], to: directory.address())
        #expect(try await receiver.receive(timeout: .seconds(20)).message == [4])
        await sender.close()
        await receiver.close()
    }

    /// A receiver that does not read slows its senders down; no event tells them when it does.
    @Test(arguments: [false, true]) func fullReceiver_slowsTheSenderDown_andLosesNothing(
        _ isConnected: Bool
    ) async throws {
        let directory = try TemporaryDirectory()
        let receiver = try await LocalDatagramSocketTests.makeReceiver(directory)
        let sender = LocalDatagramSocket()
        if isConnected { try await sender.connect(to: directory.address()) }
        let outcomes = EventRecorder<Bool>()
        for number in 0..<300 {
            let bytes = [UInt8(number & 0xff), UInt8(number >> 8)]
            sender.send(bytes, to: directory.address()) { outcomes.record((try? $0.get()) != nil) }
        }
        #expect(sender.bufferedCount > 0)
        for number in 0..<300 {
            let message = try await receiver.receive(timeout: .seconds(20))
            #expect(message.message == [UInt8(number & 0xff), UInt8(number >> 8)])
        }
        #expect(try await outcomes.wait(count: 300).allSatisfy { $0 })
        let batch = Task { try await receiver.receiveBatch(timeout: .seconds(20)) }
        try await sender.send([7], to: directory.address())
        #expect(try await batch.value.map(\.message) == [[7]])
        await sender.close()
        await receiver.close()
    }

    @Test func sends_thatCannotBe_sayWhy_andHarmNothing() async throws {
        let directory = try TemporaryDirectory()
        try directory.makeStaleSocket("stale")
        let receiver = try await LocalDatagramSocketTests.makeReceiver(directory)
        let sender = LocalDatagramSocket()
        for (name, expected) in [("nothing", "ENOENT"), ("stale", "ECONNREFUSED")] {
            let error = await failure { () async throws(SocketError) in
                try await sender.send([1], to: directory.address(name))
            }
            #expect(error?.systemError?.name == expected && error?.address == directory.entry(name))
            let connect = await failure { () async throws(SocketError) in
                try await sender.connect(to: directory.address(name))
            }
            #expect(connect?.systemError?.name == expected)
        }
        let long = await failure { () async throws(SocketError) in
            try await sender.send([UInt8](repeating: 0, count: 10_000_000), to: directory.address())
        }
        #expect(long?.kind == .messageTooLong)
        let wrong = LocalAddress(String(repeating: "a", count: 200))
        let refused = await failure { () async throws(SocketError) in try await sender.send([1], to: wrong) }
        #expect(refused?.kind == .invalidArgument && refused?.field == "address")
        let bind = await failure { () async throws(SocketError) in try await LocalDatagramSocket().bind(wrong) }
        #expect(bind?.kind == .invalidArgument)
        let taken = await failure { () async throws(SocketError) in
            try await LocalDatagramSocket().bind(directory.address(), removesStaleFile: true)
        }
        #expect(taken?.kind == .addressInUse)
        let heir = LocalDatagramSocket()
        try await heir.bind(directory.address("stale"), permissions: 0o600, removesStaleFile: true)
        #expect(directory.look("stale") == "socket 600")
        await heir.close()
        try await sender.send([1], to: directory.address())
        #expect(try await receiver.receive(timeout: .seconds(20)).message == [1])
        await sender.close()
        await receiver.close()
    }

    /// Nobody asked for them, so none stays open.
    @Test func descriptors_thatCome_areClosed() async throws {
        let directory = try TemporaryDirectory()
        let receiver = try await LocalDatagramSocketTests.makeReceiver(directory)
        let sender = LocalDatagramSocket()
        try await sender.connect(to: directory.address())
        let (reader, writer) = try RawLocal.pipe()
        #expect(RawLocal.send([9], with: [Int32(writer), Int32(writer)], to: await sender.getSocketFd()) == 1)
        Kernel.close(writer)
        #expect(try await receiver.receive(timeout: .seconds(20)).message == [9])
        try await eventually("nobody holds it") { RawLocal.isAbandoned(reader) }
        Kernel.close(reader)
        await sender.close()
        await receiver.close()
    }
}
