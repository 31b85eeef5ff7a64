import HarmonySocket
import Testing

@Suite(.bounded) struct MulticastSocketTests {
    private static let loopback: NetworkInterface.Reference = .name(Kernel.loopbackInterface)

    @Test func addMembership_bindsAndJoins_andAnyNumberOfGroups() async throws {
        let socket = constructMulticastSocketInstance()
        let log = EventLog()
        record(socket, in: log)
        try await socket.addMembership(NetAddress("239.1.2.3"), on: Self.loopback)
        #expect(log.events == ["listening"])
        let address = try await socket.getLocalAddress()
        #expect(address.address == "0.0.0.0" && address.port != 0)
        #expect(socket.state.isBound)

        let second: Result<Void, SocketError> = try await answer {
            socket.addMembership(NetAddress("239.1.2.4", port: address.port), on: Self.loopback, completion: $0)
        }
        try second.get()
        try await socket.addMembership(NetAddress("232.1.2.3"), from: "192.0.2.1", on: Self.loopback)
        #expect(socket.joinedGroups.map(\.group) == ["239.1.2.3", "239.1.2.4", "232.1.2.3"])

        try await socket.setExtraOptions(UDPExtraOptions(multicastInterface: Kernel.loopbackInterface))
        for group in ["239.1.2.3", "239.1.2.4"] {
            try await socket.send(group, to: NetAddress(group, port: address.port))
            try await log.wait(for: "message:\(group)")
        }

        // Leaving is not closing.
        try await socket.dropMembership(NetAddress("239.1.2.3"), on: Self.loopback)
        let dropped: Result<Void, SocketError> = try await answer {
            socket.dropMembership(NetAddress("232.1.2.3"), from: "192.0.2.1", on: Self.loopback, completion: $0)
        }
        try dropped.get()
        #expect(socket.joinedGroups.map(\.group) == ["239.1.2.4"])
        #expect(!socket.state.isClose)
        await socket.close()
        try await log.wait(for: "close")
    }

    @Test func addMembership_ofIPv6_bindsTheWildcardOfItsFamily() async throws {
        let socket = MulticastSocket()
        try await socket.addMembership(NetAddress("ff12::1:2:3%\(Kernel.loopbackInterface)"))
        #expect(try await socket.getLocalAddress().address == "::")
        #expect(socket.joinedGroups.map(\.group) == ["ff12::1:2:3"])
        await socket.close()
    }

    @Test func addMembership_thatCannotBe_opensNothing() async throws {
        let socket = MulticastSocket()
        for (address, field) in [
            (NetAddress("192.0.2.1", port: 7007), "group"), (NetAddress("239.1.2.3", port: 70_000), "port"),
            (NetAddress("group.test", port: 7007), "address"),
        ] {
            let error = await failure { () async throws(SocketError) in try await socket.addMembership(address) }
            #expect(error?.kind == .invalidArgument && error?.field == field)
        }
        let interface: Result<Void, SocketError> = try await answer {
            socket.addMembership(NetAddress("239.1.2.3"), on: "no such thing", completion: $0)
        }
        #expect(throws: SocketError.self) { try interface.get() }
        #expect(!socket.state.isBound && !socket.state.isClose)
        #expect(await socket.getSocketFd() == -1)

        try await socket.bind(.any)
        let port = try await socket.getLocalAddress().port
        let other = await failure { () async throws(SocketError) in
            try await socket.addMembership(NetAddress("239.1.2.3", port: port == 7007 ? 7008 : 7007))
        }
        #expect(other?.field == "port")
        #expect(other?.message == "port: the socket is bound to port \(port)")
        #expect(socket.joinedGroups.isEmpty)
        await socket.close()
        let closed = await failure { () async throws(SocketError) in
            try await socket.addMembership(NetAddress("239.1.2.3"))
        }
        #expect(closed?.kind == .closed)
    }

    @Test func setReuseAddress_saysWhetherThePortIsShared() async throws {
        let sockets = [MulticastSocket(), MulticastSocket(), MulticastSocket()]
        try await sockets[0].addMembership(NetAddress("239.1.2.3"), on: Self.loopback)
        let group = NetAddress("239.1.2.3", port: try await sockets[0].getLocalAddress().port)
        try await sockets[1].addMembership(group, on: Self.loopback)
        try sockets[2].setReuseAddress(false)
        let error = await failure { () async throws(SocketError) in
            try await sockets[2].addMembership(group, on: Self.loopback)
        }
        #expect(error?.kind == .addressInUse && error?.field == nil)
        for socket in sockets { await socket.close() }
        #expect(throws: SocketError.self) { try sockets[0].setReuseAddress(true) }
    }

    @Test(arguments: Loopback.allCases)
    func timeToLiveAndLoopback_inBothStyles_areReadBack(_ loopback: Loopback) async throws {
        let socket = MulticastSocket()
        #expect(try await socket.getMulticastTTL() == 1)
        #expect(try await socket.getLoopbackMode())
        try await socket.setMulticastTTL(7)
        try await socket.bind(NetAddress(loopback.wildcard))
        #expect(try await socket.getMulticastTTL() == 7)
        #expect(Kernel.option(.multicastTTL, of: await socket.getSocketFd()) == 7)
        #expect(try await socket.getLoopbackMode())

        let set: Result<Void, SocketError> = try await answer { socket.setMulticastTTL(255, completion: $0) }
        try set.get()
        let ttl: Result<Int, SocketError> = try await answer { socket.getMulticastTTL(completion: $0) }
        #expect(try ttl.get() == 255)
        let silenced: Result<Void, SocketError> = try await answer { socket.setLoopbackMode(false, completion: $0) }
        try silenced.get()
        let mode: Result<Bool, SocketError> = try await answer { socket.getLoopbackMode(completion: $0) }
        #expect(try !mode.get())
        #expect(Kernel.option(.multicastLoopback, of: await socket.getSocketFd()) == 0)
        try await socket.setLoopbackMode(true)
        #expect(try await socket.getLoopbackMode())

        for ttl in [-1, 256] {
            let error = await failure { () async throws(SocketError) in try await socket.setMulticastTTL(ttl) }
            #expect(error?.kind == .invalidArgument && error?.field == "multicastTTL")
        }
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.getMulticastTTL() }
        #expect(closed?.kind == .closed)
        let after: Result<Bool, SocketError> = try await answer { socket.getLoopbackMode(completion: $0) }
        #expect(throws: SocketError.self) { try after.get() }
    }

    @Test func socketThatIsDropped_closesByItself() async throws {
        func make() async throws -> DescriptorCensus.Identity {
            let socket = MulticastSocket()
            try await socket.addMembership(NetAddress("239.1.2.3"), on: Self.loopback)
            return try #require(DescriptorCensus.identity(of: await socket.getSocketFd()))
        }
        let identity = try await make()
        try await eventually("the descriptor is given back") { !DescriptorCensus.isOpen(identity) }
    }
}
