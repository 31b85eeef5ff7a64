import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct SocketInfoTests {
    @Test(arguments: Loopback.allCases)
    func tcp_tellsTypeAndAddresses_throughItsLife(_ loopback: Loopback) async throws {
        let fresh = await TCPSocket().getInfo()
        #expect(fresh.socketType == .tcp)
        #expect(!fresh.connected && fresh.localAddress == nil && fresh.peerAddress == nil)
        #expect(fresh.localPort == nil && fresh.peerPort == nil)
        #expect(fresh.description == "tcp")
        let client = TCPSocket()
        try await client.bind(loopback.address())
        let bound = await client.getInfo()
        #expect(!bound.connected && bound.peerAddress == nil)
        #expect(bound.localPort == Kernel.port(of: await client.getSocketFd()))
        let pair = try await makeTCPPair(loopback, client: client)
        let server = await pair.server.getInfo()
        #expect(server.socketType == .tcp)
        #expect(!server.connected && server.peerAddress == nil)
        #expect(server.localAddress == pair.server.localAddress)
        let near = await client.getInfo()
        let far = await pair.connection.getInfo()
        for info in [near, far] { #expect(info.socketType == .tcp && info.connected) }
        #expect(near.localAddress == bound.localAddress && near.localAddress == far.peerAddress)
        #expect(near.peerAddress == far.localAddress && near.peerPort == server.localPort)
        #expect(
            near.description
                == "tcp \(near.localAddress?.description ?? "") to \(server.localAddress?.description ?? "")")
        let answered: Result<SocketInfo, SocketError> = try await answer { client.getInfo(completion: $0) }
        #expect(try answered.get() == near)
        // The peer's end changes nothing, as chrome.socket has it.
        try await pair.connection.finish()
        #expect(try await client.receive() == nil)
        #expect(await client.getInfo() == near)
        await pair.close()
        for socket in [pair.client, pair.connection, pair.server] as [any KernelSocket] {
            let closed = await socket.getInfo()
            #expect(!closed.connected && closed.localAddress == nil && closed.peerAddress == nil)
        }
    }

    @Test(arguments: Loopback.allCases)
    func udp_tellsItsAddress(_ loopback: Loopback) async throws {
        let socket = UDPSocket()
        #expect(await socket.getInfo().localAddress == nil)
        try await socket.bind(loopback.address())
        let info = await socket.getInfo()
        #expect(info.socketType == .udp)
        #expect(!info.connected && info.peerAddress == nil)
        #expect(info.localAddress == socket.localAddress)
        let answered: Result<SocketInfo, SocketError> = try await answer { socket.getInfo(completion: $0) }
        #expect(try answered.get() == info)
        await socket.close()
        #expect(await socket.getInfo().localAddress == nil)
    }

    @Test func codable_roundTrip_isEqual() async throws {
        let pair = try await makeTCPPair()
        let info = await pair.client.getInfo()
        #expect(try JSONDecoder().decode(SocketInfo.self, from: JSONEncoder().encode(info)) == info)
        await pair.close()
    }
}
