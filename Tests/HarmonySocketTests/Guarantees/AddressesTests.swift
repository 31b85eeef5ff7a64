import HarmonySocket
import Testing

@Suite("Promises: addresses", .timeLimit(.minutes(1)))
struct AddressesTests {
    @Test("18. The port you asked for is the port you get, or addressInUse", arguments: Loopback.allCases)
    func port_askedFor_isGivenOrRefused(loopback: Loopback) async throws {
        let port = try freePort(loopback)
        let server = TCPSocketServer()
        try await server.listen(loopback.address(port))
        #expect(
            try await server.getLocalAddress() == NetAddress(loopback.rawValue, port: port, family: loopback.family))
        #expect(Kernel.option(.reuseAddress, of: await server.getSocketFd()) == 1)
        let second = TCPSocketServer()
        let refused = await failure { () async throws(SocketError) in try await second.listen(loopback.address(port)) }
        #expect(refused?.kind == .addressInUse)
        let client = TCPSocket()
        let bound = await failure { () async throws(SocketError) in try await client.bind(loopback.address(port)) }
        #expect(bound?.kind == .addressInUse)
        // A connection that we end first leaves the address in TIME_WAIT: it can be had again, unless told otherwise. Of
        // several, since the system may drop that state early, as for a connection with the same two ports.
        let serving = Task { try await server.serve { _ in } }
        for _ in 0..<4 {
            let peer = try await blocking { try RawSocket.connected(to: loopback.address(port)) }
            _ = try await blocking { try peer.receiveAll() }
            peer.close()
        }
        await server.close()
        _ = await serving.result
        let strict = TCPSocketServer()
        try await strict.setExtraOptions(TCPExtraOptions(reuseAddress: false))
        if isLinux {
            let held = await failure { () async throws(SocketError) in try await strict.listen(loopback.address(port)) }
            #expect(held?.kind == .addressInUse)
        }
        let again = TCPSocketServer()
        try await again.listen(loopback.address(port))
        await again.close()
    }

    @Test("18. SO_REUSEPORT is set only when asked for, and then the port is shared by those who ask")
    func reusePort_onlyWhenAsked() async throws {
        let server = TCPSocketServer()
        try await server.listen(Loopback.ipv4.address())
        let client = TCPSocket()
        try await client.bind(Loopback.ipv4.address())
        let udp = UDPSocket()
        try await udp.bind(Loopback.ipv4.address())
        for descriptor in [await server.getSocketFd(), await client.getSocketFd(), await udp.getSocketFd()] {
            #expect(Kernel.option(.reusePort, of: descriptor) == 0)
        }
        await server.close()
        await client.close()
        await udp.close()

        func makeSharing() async throws -> TCPSocketServer {
            let server = TCPSocketServer()
            try await server.setExtraOptions(TCPExtraOptions(reusePort: true))
            return server
        }
        let (first, second) = (try await makeSharing(), try await makeSharing())
        try await first.listen(Loopback.ipv4.address())
        let address = try await first.getLocalAddress()
        try await second.listen(address)
        #expect(Kernel.option(.reusePort, of: await second.getSocketFd()) == 1)
        let third = TCPSocketServer()
        let refused = await failure { () async throws(SocketError) in try await third.listen(address) }
        #expect(refused?.kind == .addressInUse)
        await first.close()
        await second.close()
    }

    @Test("18. A zone that no interface has is refused")
    func zone_thatIsNone_isRefused() async throws {
        let error = await failure { () async throws(SocketError) in
            try await TCPSocketServer().listen(NetAddress("fe80::1%nosuchzone"))
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "address")
    }

    @Test(
        "18. The zone of a link-local address is kept: bound, connected, heard from and answered",
        .enabled(if: Interfaces.linkLocal != nil, "no interface has a link-local address"))
    func zone_ofALinkLocalAddress_isKept() async throws {
        let host = try #require(Interfaces.linkLocal)
        let (server, client) = (TCPSocketServer(), TCPSocket())
        let accepted = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        try await server.listen(NetAddress(host))
        let address = try await server.getLocalAddress()
        #expect(address.address == host)
        try await client.connect(to: address)
        #expect(client.remoteAddress == address)
        #expect(client.localAddress?.address == host)
        #expect(try await accepted.wait(count: 1).first?.remoteAddress == client.localAddress)
        await client.close()
        await server.close()

        let (first, second) = (UDPSocket(), UDPSocket())
        try await first.bind(NetAddress(host))
        try await second.bind(NetAddress(host))
        try await first.send("question", to: try await second.getLocalAddress())
        let question = try await second.receive(timeout: .seconds(20))
        #expect(question.remoteInfo.netAddress == first.localAddress)
        #expect(question.remoteInfo.address == host)
        // By what was heard, and by what was written of it.
        try await second.send([1], to: question.remoteInfo)
        try await second.send([2], to: question.remoteInfo.netAddress)
        for number in UInt8(1)...2 { #expect(try await first.receive(timeout: .seconds(20)).message == [number]) }
        await first.close()
        await second.close()
    }
}
