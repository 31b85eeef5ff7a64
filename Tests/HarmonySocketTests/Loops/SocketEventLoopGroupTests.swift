import HarmonySocket
import Testing

@Suite(.bounded) struct SocketEventLoopGroupTests {
    @Test func init_makesTheLoopsAskedFor_atLeastOne() {
        #expect(SocketEventLoopGroup(count: 3).loops.count == 3)
        #expect(SocketEventLoopGroup(count: 0).loops.count == 1)
        #expect(SocketEventLoopGroup(count: -1).loops.count == 1)
        #expect(SocketEventLoopGroup.processorCount >= 1)
        #expect(SocketEventLoopGroup().loops.count == SocketEventLoopGroup.processorCount)
        #expect(SocketEventLoopGroup.shared.loops.count == SocketEventLoopGroup.processorCount)
    }

    @Test func next_takesTheLoopsInTurn() {
        let group = SocketEventLoopGroup(count: 3)
        let taken = (0..<6).map { _ in group.next() }
        #expect(Set(taken.prefix(3).map { ObjectIdentifier($0) }).count == 3)
        for index in 0..<3 { #expect(taken[index] === taken[index + 3]) }
    }

    @Test func connections_areSpreadOverTheLoops() async throws {
        let group = SocketEventLoopGroup(count: 3)
        let server = TCPSocketServer(group: group)
        let accepted = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        try await server.listen(NetAddress("127.0.0.1"))
        let address = try await server.getLocalAddress()
        var clients: [TCPSocket] = []
        for _ in 0..<9 {
            let client = TCPSocket()
            try await client.connect(to: address)
            clients.append(client)
        }
        let connections = try await accepted.wait(count: 9)
        let counts = group.loops.map { loop in connections.count { $0.eventLoop === loop } }
        #expect(counts == [3, 3, 3])
        for connection in connections { await connection.close() }
        for client in clients { await client.close() }
        await server.close()
    }

    @Test func dropped_endsItsThreads() async throws {
        let ended = EventRecorder<Int>()
        try await useAndDrop(ended)
        try await ended.wait(count: 2)
    }

    private func useAndDrop(_ ended: EventRecorder<Int>) async throws {
        let group = SocketEventLoopGroup(count: 2)
        for (number, loop) in group.loops.enumerated() {
            loop.execute { whenCurrentThreadEnds { ended.record(number) } }
        }
        let pair = try await makeTCPPair(group: group)
        try await pair.client.send("x")
        #expect(try await read(1, from: pair.connection) == [0x78])
        await pair.close()
    }

    @Test func dropped_withASocketInUse_servesItToItsEnd() async throws {
        let ended = EventRecorder<Int>()
        let log = EventLog()
        let listener = try RawSocket.listening()
        try await connectAndDrop(NetAddress("127.0.0.1", port: listener.port), ended, log)
        let peer = try await blocking { try listener.accept() }
        try await blocking { try peer.send("still served") }
        try await log.wait(for: "message:still served")
        #expect(ended.count == 0)
        peer.close()
        try await log.wait(for: "close")
        try await ended.wait(count: 1)
    }

    private func connectAndDrop(_ address: NetAddress, _ ended: EventRecorder<Int>, _ log: EventLog) async throws {
        let group = SocketEventLoopGroup(count: 1)
        group.loops[0].execute { whenCurrentThreadEnds { ended.record(0) } }
        let socket = TCPSocket(group: group)
        record(socket, in: log)
        recordMessages(socket, in: log)
        try await socket.connect(to: address)
    }

    @Test func loopOfADroppedGroup_stillRunsWhatItIsGiven() async throws {
        let loop = SocketEventLoopGroup(count: 1).next()
        for _ in 0..<20 {
            let ended = EventRecorder<Bool>()
            loop.execute { whenCurrentThreadEnds { ended.record(true) } }
            try await ended.wait(count: 1)
            #expect(try await within { await Task(executorPreference: loop) { loop.isCurrent }.value })
        }
    }

    @Test func dropped_unused_endsToo() async throws {
        // Nothing to see but that it neither traps nor hangs; the leak check looks at the rest.
        for _ in 0..<50 { _ = SocketEventLoopGroup(count: 4) }
    }
}
