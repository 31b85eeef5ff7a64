import HarmonySocket
import Testing

@Suite(.bounded) struct StreamSocketTests {
    @Test(arguments: Side.allCases, Loopback.allCases)
    func addresses_areThoseOfTheKernel_inEveryStyle(_ side: Side, _ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let (socket, other) = (pair.tested(side), pair.other(side))
        let local = try await socket.getLocalAddress()
        let remote = try await socket.getRemoteAddress()
        #expect(local.address == loopback.rawValue)
        #expect(local.family == loopback.family)
        #expect(local.port == Kernel.port(of: await socket.getSocketFd()))
        #expect(try await other.getRemoteAddress() == local)
        #expect(try await other.getLocalAddress() == remote)
        #expect(socket.localAddress == local)
        #expect(socket.remoteAddress == remote)
        let localResult: Result<NetAddress, SocketError> = try await answer { socket.getLocalAddress(completion: $0) }
        #expect(try localResult.get() == local)
        let remoteResult: Result<NetAddress, SocketError> = try await answer { socket.getRemoteAddress(completion: $0) }
        #expect(try remoteResult.get() == remote)
        await pair.close()
    }

    @Test func addresses_beforeTheyExist_areRefused() async throws {
        let socket = TCPSocket()
        #expect(socket.localAddress == nil && socket.remoteAddress == nil)
        let local = await failure { () async throws(SocketError) in try await socket.getLocalAddress() }
        #expect(local?.kind == .invalidState)
        #expect(local?.operation == .getAddress)
        let remote = await failure { () async throws(SocketError) in try await socket.getRemoteAddress() }
        #expect(remote?.kind == .notConnected)
        try await socket.bind(NetAddress("127.0.0.1"))
        #expect(try await socket.getLocalAddress().port == Kernel.port(of: await socket.getSocketFd()))
        #expect(
            await failure { () async throws(SocketError) in try await socket.getRemoteAddress() }?.kind == .notConnected
        )
        await socket.close()
    }

    @Test(arguments: Side.allCases)
    func addresses_afterClose_areClosed(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        await socket.close()
        #expect(await failure { () async throws(SocketError) in try await socket.getLocalAddress() }?.kind == .closed)
        #expect(await failure { () async throws(SocketError) in try await socket.getRemoteAddress() }?.kind == .closed)
        let local: Result<NetAddress, SocketError> = try await answer { socket.getLocalAddress(completion: $0) }
        let remote: Result<NetAddress, SocketError> = try await answer { socket.getRemoteAddress(completion: $0) }
        for result in [local, remote] { #expect(throws: SocketError.self) { try result.get() } }
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func getSocketFd_isTheKernelsNumber_inBothStyles(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let number = await socket.getSocketFd()
        #expect(number > 2)
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        let result: Result<Int, SocketError> = try await answer { socket.getSocketFd(completion: $0) }
        #expect(try result.get() == number)
        await socket.close()
        let after: Result<Int, SocketError> = try await answer { socket.getSocketFd(completion: $0) }
        #expect(try after.get() == -1)
        #expect(await TCPSocket().getSocketFd() == -1)
        await pair.close()
    }

    @Test func clientId_tellsConnectionsApart() async throws {
        let (server, address) = try await makeServer()
        let accepted = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        var clients: [TCPSocket] = []
        for _ in 0..<20 {
            let client = TCPSocket()
            try await client.connect(to: address)
            clients.append(client)
        }
        let connections = try await accepted.wait(count: 20)
        #expect(Set(connections.map(\.clientId)).count == 20)
        #expect(connections.allSatisfy { $0.clientId > 0 })
        let ports = connections.map { $0.remoteAddress?.port }
        #expect(ports == clients.map { $0.localAddress?.port })
        for client in clients { await client.close() }
        for connection in connections { await connection.close() }
        await server.close()
    }

    @Test func bufferedAmount_countsWhatTheKernelHasNotTaken() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        #expect(client.bufferedAmount == 0)
        #expect(client.highWaterMark == 65_536)
        let size = 16 << 20
        client.send([UInt8](repeating: 0, count: size)) { _ in }
        let buffered = client.bufferedAmount
        #expect(buffered > 0 && buffered < size)
        client.send([1, 2, 3]) { _ in }
        #expect(client.bufferedAmount > 3)
        client.highWaterMark = -1
        #expect(client.highWaterMark == 0)
        await client.reset()
        #expect(client.bufferedAmount == 0)
        peer.close()
    }

    @Test func lastError_isNilUntilSomethingFailed() async throws {
        let pair = try await makeTCPPair()
        #expect(pair.client.lastError == nil)
        await pair.client.close()
        #expect(pair.client.lastError == nil)
        await pair.close()
    }

    @Test func constructors_makeFreshSockets() async throws {
        let tcp: TCPSocket = constructTCPSocketInstance()
        let udp: UDPSocket = constructUDPSocketInstance()
        let server: TCPSocketServer = constructTCPSocketServerInstance()
        for state in [tcp.state, udp.state, server.state] { #expect(state.description == "fresh") }
        try await server.listen(NetAddress("127.0.0.1"))
        try await tcp.connect(to: server.getLocalAddress())
        try await udp.bind(NetAddress("127.0.0.1"))
        await tcp.close()
        await udp.close()
        await server.close()
    }

    @Test func eventLoop_isOneOfItsGroup() async throws {
        let group = SocketEventLoopGroup(count: 2)
        let pair = try await makeTCPPair(group: group)
        for loop in [pair.client.eventLoop, pair.connection.eventLoop, pair.server.eventLoop] {
            #expect(group.loops.contains { $0 === loop })
        }
        let shared = TCPSocket().eventLoop
        #expect(SocketEventLoopGroup.shared.loops.contains { $0 === shared })
        await pair.close()
    }
}
