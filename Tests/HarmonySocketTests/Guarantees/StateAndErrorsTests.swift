import HarmonySocket
import Testing

@Suite("Promises: state, options and errors", .timeLimit(.minutes(1)))
struct StateAndErrorsTests {
    private static func flags(_ state: SocketStateBase) -> [Bool] { [state.isBound, state.isClose, state.isConnected] }

    @Test("16. The state tells the truth at each moment, from any thread, also before bind")
    func state_throughALife_tellsTheTruth() async throws {
        let client = TCPSocket()
        #expect(StateAndErrorsTests.flags(client.state) == [false, false, false])
        #expect(try await blocking { StateAndErrorsTests.flags(client.state) } == [false, false, false])
        #expect(await client.getSocketFd() == -1)
        try await client.bind(Loopback.ipv4.address())
        #expect(StateAndErrorsTests.flags(client.state) == [true, false, false])
        let listener = try RawSocket.listening()
        try await client.connect(to: Loopback.ipv4.address(listener.port))
        let peer = try await blocking { try listener.accept() }
        #expect(StateAndErrorsTests.flags(client.state) == [true, false, true])
        #expect(client.canSend && client.canReceive)
        peer.finish()
        #expect(try await client.receive(timeout: .seconds(20)) == nil)
        #expect(StateAndErrorsTests.flags(client.state) == [true, false, true], "a remote end changes nothing")
        #expect(client.canSend && !client.canReceive)
        try await client.finish()
        #expect(!client.canSend)
        await client.close()
        #expect(StateAndErrorsTests.flags(client.state) == [false, true, false])

        let (reset, other) = try await makeClientWithRawPeer()
        other.reset()
        try await eventually("the reset was seen") { reset.state.isClose }
        #expect(StateAndErrorsTests.flags(reset.state) == [false, true, false])

        let server = TCPSocketServer()
        #expect(StateAndErrorsTests.flags(server.state) == [false, false, false])
        try await server.listen(Loopback.ipv4.address())
        #expect(StateAndErrorsTests.flags(server.state) == [true, false, false])
        await server.close()
        #expect(StateAndErrorsTests.flags(server.state) == [false, true, false])
    }

    @Test("17. Options set before connect and after are the kernel's; nil leaves unchanged; a refused one applies none")
    func options_setAndRefused_kernelShowsThem() async throws {
        let listener = try RawSocket.listening()
        let client = TCPSocket()
        try await client.setExtraOptions(TCPExtraOptions(keepAlive: true, tcpNoDelay: true, receiveBufferSize: 30_000))
        try await client.connect(to: Loopback.ipv4.address(listener.port))
        let descriptor = await client.getSocketFd()
        #expect(Kernel.option(.keepAlive, of: descriptor) == 1)
        #expect(Kernel.option(.noDelay, of: descriptor) == 1)
        #expect(Kernel.option(.receiveBuffer, of: descriptor) == (isLinux ? 60_000 : 30_000))
        try await client.setExtraOptions(TCPExtraOptions(keepAlive: false))
        #expect(Kernel.option(.keepAlive, of: descriptor) == 0)
        #expect(Kernel.option(.noDelay, of: descriptor) == 1, "nil leaves unchanged")
        let refused = [
            ("sendBufferSize", TCPExtraOptions(keepAlive: true, sendBufferSize: -1)),
            ("receiveBufferSize", TCPExtraOptions(keepAlive: true, receiveBufferSize: -1)),
            ("keepAliveIdle", TCPExtraOptions(keepAlive: true, keepAliveIdle: .zero)),
            ("typeOfService", TCPExtraOptions(keepAlive: true, typeOfService: 256)),
            ("socketTimeout", TCPExtraOptions(keepAlive: true, socketTimeout: .seconds(-1))),
            (
                "socketLinger",
                TCPExtraOptions(keepAlive: true, socketLinger: SocketLinger(on: true, linger: .seconds(66)))
            ),
        ]
        for (field, options) in refused {
            let error = await failure { () async throws(SocketError) in try await client.setExtraOptions(options) }
            #expect(error?.kind == .invalidArgument)
            #expect(error?.field == field)
            #expect(error?.code == 401)
            #expect(Kernel.option(.keepAlive, of: descriptor) == 0, "nothing is applied")
        }
        #expect(try await client.getExtraOptions().receiveBufferSize == Kernel.option(.receiveBuffer, of: descriptor))
        await client.close()
    }

    @Test("17. Linger above zero never reaches the kernel: close() waits by timer and stalls nobody")
    func linger_aboveZero_waitsWithoutStalling() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let (connection, peer) = try await makeConnectionWithRawPeer(group: group, peerReceiveBuffer: 8192)
        let (echo, other) = try await makeConnectionWithRawPeer(group: group)
        echo.on(.message) { echo.send($0.message) { _ in } }
        try await connection.setExtraOptions(
            TCPExtraOptions(socketLinger: SocketLinger(on: true, linger: .milliseconds(300))))
        connection.closeTimeout = .seconds(30)
        #expect(Kernel.linger(of: await connection.descriptor) == nil)
        // In the kernel, and not acknowledged, since the peer does not read.
        try await connection.send([UInt8](repeating: 1, count: 200_000))
        let closed = TestLock(false)
        let closing = Task {
            let took = await ContinuousClock().measure { await connection.close() }
            closed.withLock { $0 = true }
            return took
        }
        let rounds = try await blocking {
            var rounds = 0
            while !closed.withLock({ $0 }) {
                try other.send("x")
                _ = try other.receive()
                rounds += 1
            }
            return rounds
        }
        #expect(await closing.value >= .milliseconds(250))
        #expect(await closing.value < .seconds(15))
        #expect(rounds > 2, "the loop went on serving")
        await echo.close()
        peer.close()
    }

    @Test(
        "17. Linger of zero makes every close a reset: close(), the peer's end, the last reference",
        arguments: ["close()", "the peer's end", "the last reference"])
    func linger_zero_resets(_ cause: String) async throws {
        let peer: RawSocket
        do {
            let (client, accepted) = try await makeClientWithRawPeer()
            peer = accepted
            try await client.setExtraOptions(TCPExtraOptions(socketLinger: SocketLinger(on: true, linger: .zero)))
            switch cause {
            case "close()": await client.close()
            case "the peer's end":
                client.on(.message) { _ in }
                peer.finish()
            default: break
            }
        }
        let end = try await blocking { Result { try peer.receive() } }
        #expect((end.failure as? RawError)?.isReset == true)
    }

    @Test("17. socketTimeout tells of silence, and closes TCP with timedOut but never UDP")
    func socketTimeout_silence_isTold() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let heard = EventRecorder<String>()
        connection.on(.timeout) { heard.record("timeout") }
        connection.on(.error) { _ in heard.record("error") }
        connection.on(.close) { heard.record("close \($0.error?.kind == .timedOut)") }
        let limit = Duration.milliseconds(600)
        try await connection.setExtraOptions(TCPExtraOptions(socketTimeout: limit))
        // As long as something moves in either direction it is not idle. On a busy machine this loop may be: then it
        // proves nothing.
        let start = ContinuousClock.now
        var last = start
        var longestPause = Duration.zero
        while ContinuousClock.now < start.advanced(by: limit * 2), heard.events.isEmpty {
            try peer.send("x")
            _ = try? await connection.receive(timeout: .seconds(20))
            longestPause = max(longestPause, ContinuousClock.now - last)
            last = .now
        }
        #expect(heard.events.isEmpty || longestPause > limit / 2)
        try await heard.wait(for: "close true")
        #expect(heard.events == ["timeout", "close true"])

        let udp = UDPSocket()
        let timeouts = EventRecorder<Bool>()
        udp.on(.timeout) { timeouts.record(true) }
        try await udp.setExtraOptions(UDPExtraOptions(socketTimeout: .milliseconds(30)))
        try await udp.bind(Loopback.ipv4.address())
        try await timeouts.wait(count: 3)
        #expect(!udp.state.isClose)
        await udp.close()
    }

    @Test("19. An error says what was tried, on which address, what the system answered, and OpenHarmony's code")
    func errors_allKinds_sayWhatHappened() async throws {
        let port = try freePort()
        let refused = try #require(
            await failure { () async throws(SocketError) in
                try await TCPSocket().connect(to: Loopback.ipv4.address(port))
            })
        #expect(refused.kind == .connectionRefused)
        #expect(refused.operation == .connect)
        #expect(refused.address == "127.0.0.1:\(port)")
        #expect(refused.systemError?.name == "ECONNREFUSED")
        #expect(refused.code == 2_301_111)
        #expect(refused.attempts.map(\.address) == [NetAddress("127.0.0.1", port: port, family: .ipv4)])
        #expect("\(refused)".contains("connect to 127.0.0.1:\(port)"))

        let silent = try SilentListener()
        let late = try #require(
            await failure { () async throws(SocketError) in
                try await TCPSocket().connect(to: silent.address, timeout: .milliseconds(100))
            })
        #expect(late.kind == .timedOut)
        #expect(late.code == 2_301_110)

        let unknown = try #require(
            await failure { () async throws(SocketError) in
                try await TCPSocket().connect(to: NetAddress("nosuch.invalid", port: 80), timeout: .seconds(20))
            })
        // Where there is no resolver to ask, the look-up fails instead.
        #expect([2_301_301, 2_301_302].contains(unknown.code))

        let fresh = await failure { () async throws(SocketError) in try await TCPSocket().send("x") }
        #expect(fresh?.kind == .notConnected)
        #expect(fresh?.code == 2_301_107)
        let (client, peer) = try await makeClientWithRawPeer()
        let impatient = await failure { () async throws(SocketError) in try await client.receive(timeout: .zero) }
        #expect(impatient?.code == 2_301_110)
        let cancelled = Task { try await client.receive() }
        cancelled.cancel()
        #expect((await cancelled.result.failure as? SocketError)?.code == 2_301_125)
        await client.close()
        let closed = await failure { () async throws(SocketError) in try await client.receive() }
        #expect(closed?.code == 2_301_009)
        peer.close()
    }

    @Test("19. Bad arguments fail before anything is opened, and name the field")
    func arguments_bad_openNothing() async throws {
        let cases: [(String, NetAddress)] = [
            ("port", NetAddress("127.0.0.1", port: 70_000)), ("port", NetAddress("127.0.0.1", port: -1)),
            ("family", NetAddress("::1", port: 80, family: .ipv4)),
            ("family", NetAddress("127.0.0.1", port: 80, family: .ipv6)), ("address", NetAddress("", port: 80)),
            ("address", NetAddress("1.2.3.4.5", port: 80)), ("address", NetAddress("not a host", port: 80)),
        ]
        for (field, address) in cases {
            let client = TCPSocket()
            let connect = await failure { () async throws(SocketError) in try await client.connect(to: address) }
            let bind = await failure { () async throws(SocketError) in try await client.bind(address) }
            let listen = await failure { () async throws(SocketError) in try await TCPSocketServer().listen(address) }
            let send = await failure { () async throws(SocketError) in try await UDPSocket().send("x", to: address) }
            for error in [connect, bind, listen, send] {
                #expect(error?.kind == .invalidArgument, "\(address)")
                #expect(error?.code == 401)
                #expect(error?.field == field, "\(address)")
            }
            #expect(client.state == TCPSocket().state)
            #expect(await client.getSocketFd() == -1)
        }
        let (client, peer) = try await makeClientWithRawPeer()
        let text = await failure { () async throws(SocketError) in
            try await client.send(TCPSendOptions(data: "é", encoding: .ascii))
        }
        #expect(text?.kind == .invalidArgument)
        #expect(text?.field == "encoding")
        await client.close()
        #expect(try await blocking { try peer.receiveAll() }.isEmpty)
    }

    @Test("20. The largest datagram goes; one byte more is refused and nothing is sent", arguments: Loopback.allCases)
    func datagram_tooLarge_isRefused(loopback: Loopback) async throws {
        let limit = loopback == .ipv4 ? 65_507 : 65_527
        let (first, address, second, _) = try await makeUDPPair(loopback)
        try await first.setExtraOptions(UDPExtraOptions(receiveBufferSize: 400_000))
        let pattern = Pattern()
        let error = await failure { () async throws(SocketError) in
            try await second.send(pattern.bytes(limit + 1), to: address)
        }
        #expect(error?.kind == .messageTooLong)
        #expect(error?.code == 2_301_090)
        try await second.send(pattern.bytes(limit), to: address)
        let datagram = try await first.receive(timeout: .seconds(20))
        #expect(datagram.message.count == limit)
        #expect(pattern.matches(datagram.message))
        #expect(!datagram.isTruncated)
        await first.close()
        await second.close()
    }

    @Test("20. ICMP refusals are told with their destination, and fail no innocent send nor end the socket")
    func datagram_refused_innocentSendsGoOn() async throws {
        for loopback in Loopback.allCases {
            let (receiver, address, sender, _) = try await makeUDPPair(loopback)
            try await receiver.setExtraOptions(UDPExtraOptions(receiveBufferSize: 2_000_000))
            let received = EventRecorder<Int>()
            receiver.on(.message) { received.record($0.message.count) }
            let errors = EventRecorder<SocketError>()
            sender.on(.error) { errors.record($0) }
            let dead = loopback.address(try freeUDPPort(loopback))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        for number in 0..<250 {
                            if number.isMultiple(of: 3) { try await sender.send("to nobody", to: dead) }
                            try await sender.send([UInt8](repeating: 0, count: 10), to: address)
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            try await received.wait(count: 1000)
            let heard = try await errors.wait(count: 1)
            for error in heard {
                #expect(error.kind == .connectionRefused)
                #expect(error.address == dead.description)
            }
            #expect(!sender.state.isClose)
            await sender.close()
            await receiver.close()
        }
    }
}
