import HarmonySocket
import Testing

// Every buffer that a peer can fill, and a peer that tries to.
@Suite("Promises: limits", .timeLimit(.minutes(1)))
struct LimitsTests {
    /// More than both kernels' buffers hold, and far less than what a peer could send.
    private static let flood = 1_000_000

    /// A connection with small buffers on both ways to it.
    private func makeSmallConnection(
        prepareConnection: @escaping @Sendable (TCPSocketConnection) -> Void = { _ in }
    ) async throws -> (connection: TCPSocketConnection, peer: RawSocket) {
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(receiveBufferSize: 50_000), prepareConnection: prepareConnection)
        peer.setSendBuffer(50_000)
        return (connection, peer)
    }

    @Test(
        "24. A peer that floods a socket that nobody reads fills the kernel's buffer, whose size we set, and no memory")
    func stream_nobodyReads_isHeldBack() async throws {
        let (connection, peer) = try await makeSmallConnection()
        #expect(try await fillUntilStuck(peer) < LimitsTests.flood)
        #expect(connection.state.isConnected)
        await connection.reset()
    }

    @Test("24. Listeners that run elsewhere, and never, are handed one chunk of a flood")
    func stream_listenersAreStuck_isHeldBack() async throws {
        let held = EventRecorder<@Sendable () -> Void>()
        let (connection, peer) = try await makeSmallConnection { connection in
            connection.deliver(on: .queue { held.record($0) })
            connection.on(.message) { _ in }
        }
        #expect(try await fillUntilStuck(peer) < LimitsTests.flood)
        try await settle(connection.eventLoop)
        #expect(held.count == 1)
        await connection.reset()
    }

    @Test("24. A chunk is at most 64 KiB, whoever takes it", arguments: ["listener", "receive", "messages"])
    func chunk_ofMuch_isAtMost64KiB(_ style: String) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        let sizes = EventRecorder<Int>()
        let total = 4 << 20
        startThread {
            try? peer.send([UInt8](repeating: 1, count: total))
            peer.finish()
        }
        try await eventually("much has arrived") { await Kernel.readable(connection.descriptor) > 100_000 }
        switch style {
        case "listener": connection.on(.message) { sizes.record($0.message.count) }
        case "receive": while let chunk = try await connection.receive() { sizes.record(chunk.message.count) }
        default: for try await chunk in connection.messages { sizes.record(chunk.message.count) }
        }
        try await sizes.wait { $0.reduce(0, +) == total }
        #expect(sizes.events.max() == 65_536)
        await connection.close()
    }

    @Test(
        "24. A message without an end is refused at its limit, and what follows is not read", arguments: [true, false])
    func message_withoutEnd_isRefused(_ isFramed: Bool) async throws {
        let (connection, peer) = try await makeSmallConnection()
        if isFramed { try connection.setFraming(.lines(maxLength: 1000)) }
        let flooding = Task { try await fillUntilStuck(peer) }
        for _ in 0..<3 {
            let error = await failure { () async throws(SocketError) in
                if isFramed {
                    _ = try await connection.receive(timeout: .seconds(20))
                } else {
                    _ = try await connection.receive(until: [0x0a], maxLength: 1000, timeout: .seconds(20))
                }
            }
            #expect(error?.kind == .messageTooLong)
        }
        #expect(try await flooding.value < LimitsTests.flood)
        await connection.reset()
    }

    @Test(
        "4. A peer that sends a byte now and then does not put a time-out off, and its bytes stay",
        arguments: ["exactly", "until", "message", "handler"])
    func peer_thatDripsBytes_isNotWaitedForLonger(_ way: String) async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        if way == "message" { connection.setFraming(.lines) }
        let isOver = TestLock(false)
        async let dripping: Void = blocking {
            while !isOver.withLock({ $0 }) {
                try peer.send([0x2e])
                ProcessFacts.pause(.milliseconds(2))
            }
        }
        let start = ContinuousClock.now
        let limit = Duration.milliseconds(100)
        let error = await failure { () async throws(SocketError) in
            switch way {
            case "exactly": _ = try await connection.receive(exactly: 1_000_000, timeout: limit)
            case "until": _ = try await connection.receive(until: [0], timeout: limit)
            case "message": _ = try await connection.receive(timeout: limit)
            default:
                let ended = Outcome<[UInt8]?>()
                connection.receive(exactly: 1_000_000, timeout: limit) { ended.set($0.mapError { $0 }) }
                do { _ = try await ended.value } catch let error as SocketError { throw error } catch {}
            }
        }
        #expect(error?.kind == .timedOut)
        #expect(ContinuousClock.now - start >= limit)
        // What had come is there for the next reader, and the peer goes on.
        connection.setFraming(nil)
        #expect(try await connection.receive(exactly: 5, timeout: .seconds(20))?.count == 5)
        isOver.withLock { $0 = true }
        try await dripping
        await connection.reset()
    }

    @Test("24. Datagrams that nobody takes fill the kernel's buffer, and listeners that are stuck hold one")
    func datagrams_nobodyTakesThem_areDropped() async throws {
        let held = EventRecorder<@Sendable () -> Void>()
        let sizes = EventRecorder<Int>()
        let socket = UDPSocket()
        try await socket.setExtraOptions(UDPExtraOptions(receiveBufferSize: 50_000))
        try await socket.bind(Loopback.ipv4.address())
        let port = try await socket.getLocalAddress().port
        let peer = try RawSocket.datagram()
        try await blocking {
            for _ in 0..<2000 { try peer.send([UInt8](repeating: 1, count: 1000), to: Loopback.ipv4.address(port)) }
        }
        socket.deliver(on: .queue { held.record($0) })
        socket.on(.message) { sizes.record($0.message.count) }
        try await held.wait(count: 1)
        try await settle(socket.eventLoop)
        #expect(held.count == 1)
        // Each that is told brings the next one, until all that the kernel had kept have been told.
        let kept = try #require(Kernel.option(.receiveBuffer, of: await socket.getSocketFd()))
        for number in 0..<2000 {
            held.events[number]()
            try await settle(socket.eventLoop)
            if held.count == number + 1 { break }
        }
        #expect(sizes.events.reduce(0, +) <= kept)
        #expect(!sizes.events.isEmpty)
        // It goes on: this one has room.
        let last = held.count
        try await blocking { try peer.send([2, 2], to: Loopback.ipv4.address(port)) }
        try await held.wait(count: last + 1)[last]()
        #expect(sizes.events.last == 2)
        socket.deliver(on: .loop)
        await socket.close()
    }

    @Test("24. Connections that nobody takes stay in the kernel's backlog, and are as many as listen says")
    func connections_nobodyTakesThem_stayInTheBacklog() async throws {
        let server = TCPSocketServer()
        try await server.listen(Loopback.ipv4.address(), backlog: 4)
        let address = try await server.getLocalAddress()
        var clients: [TCPSocket] = []
        while clients.count < 20 {
            let client = TCPSocket()
            // The first for which there is no room gets no answer.
            do throws(SocketError) { try await client.connect(to: address, timeout: .seconds(1)) } catch { break }
            clients.append(client)
        }
        // Linux takes one more than it was told.
        #expect((4...6).contains(clients.count), "\(clients.count)")
        for client in clients { await client.close() }
        await server.close()
    }

    @Test("24. What close() throws away in the background has a limit of bytes that we set")
    func closed_peerFloods_isCutOffAtTheLimit() async throws {
        let (connection, peer) = try await makeSmallConnection()
        connection.closeDiscardLimit = 200_000
        connection.closeTimeout = .seconds(60)
        await connection.close()
        let taken = try await blocking {
            var count = 0
            while count < 20 * LimitsTests.flood, (try? peer.send([UInt8](repeating: 0, count: 10_000))) != nil {
                count += 10_000
            }
            return count
        }
        #expect(taken >= 200_000)
        #expect(taken < 2 * LimitsTests.flood)
    }
}
