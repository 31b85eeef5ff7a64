import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct SocketStateBaseTests {
    /// bound, closed, connected, in the order of OpenHarmony's fields.
    private func triple(_ state: SocketStateBase) -> [Bool] { [state.isBound, state.isClose, state.isConnected] }

    @Test func tcpSocket_throughItsLife_tellsTheTruth() async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        #expect(triple(socket.state) == [false, false, false])
        #expect(!socket.canSend && !socket.canReceive)
        try await socket.bind(NetAddress("127.0.0.1"))
        #expect(triple(socket.state) == [true, false, false])
        try await socket.connect(to: address)
        #expect(triple(socket.state) == [true, false, true])
        #expect(triple(await socket.getState()) == [true, false, true])
        #expect(socket.canSend && socket.canReceive)
        try await socket.finish()
        #expect(triple(socket.state) == [true, false, true])
        #expect(!socket.canSend && socket.canReceive)
        await socket.close()
        #expect(triple(socket.state) == [false, true, false])
        #expect(!socket.canSend && !socket.canReceive)
        await server.close()
    }

    @Test(arguments: Side.allCases)
    func remoteEnd_leavesItConnected_andEndsReceiving(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        try await pair.other(side).finish()
        #expect(try await socket.receive(timeout: .seconds(20)) == nil)
        #expect(triple(socket.state) == [true, false, true])
        #expect(socket.canSend && !socket.canReceive)
        try await socket.send("still")
        #expect(try await read(5, from: pair.other(side)) == Array("still".utf8))
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func reset_byUs_closes(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        await pair.tested(side).reset()
        #expect(triple(pair.tested(side).state) == [false, true, false])
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func reset_byThePeer_closes(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let log = EventLog()
        record(pair.tested(side), in: log)
        await pair.other(side).reset()
        try await log.wait { $0.contains { $0.hasPrefix("close") } }
        #expect(triple(pair.tested(side).state) == [false, true, false])
        await pair.close()
    }

    @Test func failedConnect_closes() async throws {
        let socket = TCPSocket()
        let port = try freePort()
        _ = await failure { () async throws(SocketError) in
            try await socket.connect(to: NetAddress("127.0.0.1", port: port))
        }
        #expect(triple(socket.state) == [false, true, false])
    }

    @Test func server_throughItsLife_tellsTheTruth() async throws {
        let server = TCPSocketServer()
        #expect(triple(server.state) == [false, false, false])
        try await server.listen(NetAddress("127.0.0.1"))
        #expect(triple(server.state) == [true, false, false])
        #expect(triple(await server.getState()) == [true, false, false])
        await server.close()
        #expect(triple(server.state) == [false, true, false])
    }

    @Test func udpSocket_throughItsLife_tellsTheTruth() async throws {
        let socket = UDPSocket()
        #expect(triple(socket.state) == [false, false, false])
        try await socket.bind(NetAddress("127.0.0.1"))
        #expect(triple(socket.state) == [true, false, false])
        #expect(triple(await socket.getState()) == [true, false, false])
        await socket.close()
        #expect(triple(socket.state) == [false, true, false])
    }

    @Test func freshSockets_closed_areClosed() async {
        let tcp = TCPSocket()
        await tcp.close()
        #expect(triple(tcp.state) == [false, true, false])
        let udp = UDPSocket()
        await udp.close()
        #expect(triple(udp.state) == [false, true, false])
        let server = TCPSocketServer()
        await server.close()
        #expect(triple(server.state) == [false, true, false])
    }

    @Test func getState_withHandler_answers() async throws {
        let pair = try await makeTCPPair()
        for socket in [pair.client, pair.connection] as [any StreamSocket] {
            let result: Result<SocketStateBase, SocketError> = try await answer { socket.getState(completion: $0) }
            #expect(triple(try result.get()) == [true, false, true])
        }
        let ofServer: Result<SocketStateBase, SocketError> = try await answer { pair.server.getState(completion: $0) }
        #expect(triple(try ofServer.get()) == [true, false, false])
        await pair.close()
        let udp = UDPSocket()
        let ofUDP: Result<SocketStateBase, SocketError> = try await answer { udp.getState(completion: $0) }
        #expect(triple(try ofUDP.get()) == [false, false, false])
        await udp.close()
        let after: Result<SocketStateBase, SocketError> = try await answer { udp.getState(completion: $0) }
        #expect(triple(try after.get()) == [false, true, false])
    }

    @Test func description_namesWhatHolds() async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        #expect(socket.state.description == "fresh")
        try await socket.connect(to: address)
        #expect(socket.state.description == "bound, connected")
        await socket.close()
        #expect(socket.state.description == "closed")
        #expect(server.state.description == "bound")
        await server.close()
    }

    @Test func codable_roundTrip_isEqual() async throws {
        let (server, _) = try await makeServer()
        for state in [server.state, TCPSocket().state] {
            let data = try JSONEncoder().encode(state)
            #expect(try JSONDecoder().decode(SocketStateBase.self, from: data) == state)
        }
        #expect(server.state != TCPSocket().state)
        await server.close()
    }
}
