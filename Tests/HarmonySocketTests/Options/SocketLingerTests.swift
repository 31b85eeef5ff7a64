import HarmonySocket
import Testing

@Suite(.bounded) struct SocketLingerTests {
    @Test(arguments: Side.allCases)
    func linger_isReadBack_andNeverReachesTheKernel(_ side: Side) async throws {
        for milliseconds in [0, 1, 1500, 65_535] {
            let pair = try await makeTCPPair()
            let socket = pair.tested(side)
            let linger = SocketLinger(on: true, linger: .milliseconds(milliseconds))
            try await socket.setExtraOptions(TCPExtraOptions(socketLinger: linger))
            #expect(try await socket.getExtraOptions().socketLinger == linger)
            #expect(Kernel.linger(of: await socket.getSocketFd()) == nil)
            try await socket.setExtraOptions(TCPExtraOptions(socketLinger: SocketLinger(on: false)))
            #expect(try await socket.getExtraOptions().socketLinger == SocketLinger(on: false))
            await pair.close()
        }
    }

    @Test func linger_zero_makesCloseAReset() async throws {
        let pair = try await makeTCPPair(
            serverOptions: TCPExtraOptions(socketLinger: SocketLinger(on: true, linger: .zero)))
        #expect(try await pair.connection.getExtraOptions().socketLinger == SocketLinger(on: true, linger: .zero))
        await pair.connection.close()
        let client = pair.client
        let error = await failure { () async throws(SocketError) in try await client.receive(timeout: .seconds(20)) }
        #expect(error?.kind == .connectionReset)
        await pair.close()
    }

    @Test func linger_aboveZero_makesCloseWaitForThePeer() async throws {
        // The peer's kernel takes little: most of what is sent stays in ours, which linger waits for.
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(
                socketLinger: SocketLinger(on: true, linger: .seconds(20)), sendBufferSize: 400_000),
            peerReceiveBuffer: 4096)
        let bytes = pattern(300_000)
        try await connection.send(bytes)
        let closed = Outcome<Void>()
        connection.close { closed.set($0.mapError { $0 }) }
        try await settle(connection.eventLoop)
        #expect(closed.count == 0)
        #expect(try await blocking { try peer.receiveAll() } == bytes)
        try await within { try await closed.value }
    }

    @Test func linger_aboveZero_endsWithItsTime() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(
                socketLinger: SocketLinger(on: true, linger: .milliseconds(150)), sendBufferSize: 400_000),
            peerReceiveBuffer: 4096)
        try await connection.send(pattern(300_000))
        connection.closeTimeout = .seconds(30)
        let start = ContinuousClock.now
        try await within { await connection.close() }
        let took = ContinuousClock.now - start
        #expect(took >= .milliseconds(150))
        #expect(took < .seconds(15))
        peer.close()
    }
}
