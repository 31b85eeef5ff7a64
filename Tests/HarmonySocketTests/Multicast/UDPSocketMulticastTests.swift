import HarmonySocket
import Testing

@Suite(.bounded) struct UDPSocketMulticastTests {
    private static let loopback: NetworkInterface.Reference = .name(Kernel.loopbackInterface)

    private func bound(_ family: Loopback = .ipv4, _ port: Int = 0) async throws -> UDPSocket {
        let socket = UDPSocket()
        try await socket.setExtraOptions(UDPExtraOptions(reuseAddress: true))
        try await socket.bind(NetAddress(family.wildcard, port: port))
        return socket
    }

    // MARK: What cannot be

    struct Wrong: Sendable, CustomTestStringConvertible {
        let group: String
        var source: String?
        var interface: NetworkInterface.Reference?
        let field: String
        let problem: String

        var testDescription: String { "\(group) \(source ?? "") \(interface.map { "\($0)" } ?? "")" }
    }

    @Test(arguments: [
        Wrong(group: "192.0.2.1", field: "group", problem: "192.0.2.1 is no multicast address"),
        Wrong(group: "fe80::1", field: "group", problem: "fe80::1 is no multicast address"),
        Wrong(group: "255.255.255.255", field: "group", problem: "255.255.255.255 is no multicast address"),
        Wrong(group: "", field: "group", problem: "no IP address: \"\""),
        Wrong(group: "all.systems.test", field: "group", problem: "no IP address: \"all.systems.test\""),
        Wrong(group: "ff02::1%nothing", field: "group", problem: "no interface has the zone of \"ff02::1%nothing\""),
        Wrong(group: "ff02::1", field: "group", problem: "ff02::1 is IPv6, the socket IPv4"),
        Wrong(group: "232.1.2.3", source: "nobody", field: "source", problem: "no IP address: \"nobody\""),
        Wrong(group: "232.1.2.3", source: "::1", field: "source", problem: "::1 cannot send to 232.1.2.3"),
        Wrong(group: "232.1.2.3", source: "0.0.0.0", field: "source", problem: "0.0.0.0 cannot send to 232.1.2.3"),
        Wrong(group: "232.1.2.3", source: "239.1.2.3", field: "source", problem: "239.1.2.3 cannot send to 232.1.2.3"),
        Wrong(
            group: "239.1.2.3", interface: "no such thing", field: "interface",
            problem: "no interface is called \"no such thing\""),
        Wrong(group: "239.1.2.3", interface: "", field: "interface", problem: "no interface is called \"\""),
        Wrong(group: "239.1.2.3", interface: 0, field: "interface", problem: "no interface has the index 0"),
        Wrong(group: "239.1.2.3", interface: -1, field: "interface", problem: "no interface has the index -1"),
        Wrong(
            group: "239.1.2.3", interface: 2_000_000_000, field: "interface",
            problem: "no interface has the index 2000000000"),
        Wrong(
            group: "239.1.2.3", interface: .index(.max), field: "interface",
            problem: "no interface has the index \(Int.max)"),
        Wrong(
            group: "239.1.2.3", interface: .address("192.0.2.77"), field: "interface",
            problem: "no interface has the address 192.0.2.77"),
        Wrong(
            group: "239.1.2.3", interface: .address("eth0"), field: "interface",
            problem: "\"eth0\" is not an IP address of an interface"),
    ])
    func joinGroup_thatCannotBe_namesTheField(_ wrong: Wrong) async throws {
        let socket = try await bound()
        let error = await failure { () async throws(SocketError) in
            try await socket.joinGroup(wrong.group, from: wrong.source, on: wrong.interface)
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.code == 401)
        #expect(error?.field == wrong.field)
        #expect(error?.message == "\(wrong.field): \(wrong.problem)")
        #expect(error?.operation == .join)
        #expect(error?.address == wrong.group)
        #expect(socket.joinedGroups.isEmpty)
        let result: Result<Void, SocketError> = try await answer {
            socket.leaveGroup(wrong.group, from: wrong.source, on: wrong.interface, completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
        await socket.close()
    }

    @Test func joinGroup_twice_isAddressInUse() async throws {
        let socket = try await bound()
        try await socket.joinGroup("239.1.2.3", on: Self.loopback)
        // By whatever name.
        for interface in [Self.loopback, .index(Kernel.loopbackIndex), .address("127.0.0.1")] {
            let error = await failure { () async throws(SocketError) in
                try await socket.joinGroup("239.1.2.3", on: interface)
            }
            #expect(error?.kind == .addressInUse)
            #expect(error?.code == 2_301_098)
            #expect(error?.field == "group")
            #expect(error?.systemError?.name == "EADDRINUSE")
            #expect(error?.description == "join on 239.1.2.3: group: 239.1.2.3 has been joined already (EADDRINUSE)")
        }
        let source = await failure { () async throws(SocketError) in
            try await socket.joinGroup("239.1.2.3", from: "127.0.0.1", on: Self.loopback)
        }
        #expect(source?.kind == .invalidArgument && source?.field == "source")
        #expect(socket.joinedGroups.count == 1)
        await socket.close()
    }

    @Test func joinGroup_ofSourcesAndOfAll_isRefused() async throws {
        let socket = try await bound()
        try await socket.joinGroup("232.1.2.3", from: "192.0.2.1", on: Self.loopback)
        try await socket.joinGroup("232.1.2.3", from: "192.0.2.2", on: Self.loopback)
        let twice = await failure { () async throws(SocketError) in
            try await socket.joinGroup("232.1.2.3", from: "192.0.2.2", on: Self.loopback)
        }
        #expect(twice?.kind == .addressInUse && twice?.field == "group")
        #expect(twice?.message == "group: 232.1.2.3 from 192.0.2.2 has been joined already (EADDRINUSE)")
        let all = await failure { () async throws(SocketError) in
            try await socket.joinGroup("232.1.2.3", on: Self.loopback)
        }
        #expect(all?.kind == .invalidArgument && all?.field == "source")
        let name = Kernel.loopbackInterface
        #expect(
            socket.joinedGroups.map(\.description) == [
                "232.1.2.3 from 192.0.2.1 on \(name)", "232.1.2.3 from 192.0.2.2 on \(name)",
            ])
        await socket.close()
        #expect(socket.joinedGroups.isEmpty)
    }

    @Test func leaveGroup_ofWhatIsNotJoined_isAddressNotAvailable() async throws {
        let socket = try await bound()
        try await socket.joinGroup("239.1.2.3", on: Self.loopback)
        for (group, interface) in [("239.1.2.4", Self.loopback), ("239.1.2.3", nil)] {
            let error = await failure { () async throws(SocketError) in
                try await socket.leaveGroup(group, on: interface)
            }
            #expect(error?.kind == .addressNotAvailable)
            #expect(error?.code == 2_301_099)
            #expect(error?.field == "group")
            #expect(error?.operation == .leave)
            #expect(error?.message == "group: \(group) has not been joined (EADDRNOTAVAIL)")
        }
        #expect(socket.joinedGroups.map(\.group) == ["239.1.2.3"])
        try await socket.leaveGroup("239.1.2.3", on: Self.loopback)
        let again: Result<Void, SocketError> = try await answer {
            socket.leaveGroup("239.1.2.3", on: Self.loopback, completion: $0)
        }
        #expect(throws: SocketError.self) { try again.get() }
        await socket.close()
    }

    @Test func groups_beforeBindAndAfterClose_areRefused() async throws {
        let socket = UDPSocket()
        #expect(socket.joinedGroups.isEmpty)
        let fresh = await failure { () async throws(SocketError) in try await socket.joinGroup("239.1.2.3") }
        #expect(fresh?.kind == .invalidState)
        try await socket.bind(.any)
        await socket.close()
        for result: Result<Void, SocketError> in [
            try await answer { socket.joinGroup("239.1.2.3", completion: $0) },
            try await answer { socket.leaveGroup("239.1.2.3", completion: $0) },
        ] {
            guard case .failure(let error) = result else { throw WaitTimedOut(what: "an error") }
            #expect(error.kind == .closed)
        }
    }

    @Test func zone_namesTheInterface() async throws {
        let name = Kernel.loopbackInterface
        let socket = try await bound(.ipv6)
        try await socket.joinGroup("ff02::114%\(name)")
        #expect(socket.joinedGroups.map(\.group) == ["ff02::114"])
        #expect(socket.joinedGroups.map(\.interface) == [name])
        #expect(socket.joinedGroups.map(\.interfaceIndex) == [Kernel.loopbackIndex])
        let twice = await failure { () async throws(SocketError) in
            try await socket.joinGroup("ff02::114", on: .index(Kernel.loopbackIndex))
        }
        #expect(twice?.kind == .addressInUse)
        try await socket.leaveGroup("ff02::114", on: .name(name))
        if let other = try NetworkInterface.all().first(where: { $0.name != name }) {
            let error = await failure { () async throws(SocketError) in
                try await socket.joinGroup("ff02::114%\(name)", on: other.reference)
            }
            #expect(error?.kind == .invalidArgument && error?.field == "interface")
        }
        await socket.close()
    }

    @Test func limitOfTheKernel_isTold() async throws {
        // Linux allows 20 memberships of IPv4 for each socket unless told otherwise (igmp_max_memberships).
        let socket = try await bound()
        var refusal: SocketError?
        for number in 0..<1000 where refusal == nil {
            do throws(SocketError) {
                try await socket.joinGroup("239.9.\(number / 250).\(number % 250)", on: Self.loopback)
            } catch {
                refusal = error
            }
        }
        if let refusal {
            #expect(refusal.kind == .system && refusal.systemError?.name == "ENOBUFS")
            #expect(!socket.joinedGroups.isEmpty && socket.joinedGroups.count < 1000)
        }
        await socket.close()
    }

    @Test func joining_byManyThreadsAtOnce_succeedsOnce() async throws {
        let socket = try await bound()
        let successes = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    do throws(SocketError) {
                        try await socket.joinGroup("239.1.2.3", on: Self.loopback)
                        return true
                    } catch {
                        #expect(error.kind == .addressInUse)
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(successes == 1)
        #expect(socket.joinedGroups.count == 1)
        await socket.close()
    }

    // MARK: Hearing

    @Test func joinGroup_hearsWhatThisHostSends() async throws {
        let receiver = try await bound()
        let log = EventLog()
        receiver.on(.message) { log.record($0.text ?? "") }
        let port = try await receiver.getLocalAddress().port
        let joined: Result<Void, SocketError> = try await answer {
            receiver.joinGroup("239.1.2.3", on: Self.loopback, completion: $0)
        }
        try joined.get()
        let stranger = try await bound(.ipv4, port)
        let sender = UDPSocket()
        try await sender.setExtraOptions(UDPExtraOptions(multicastInterface: Kernel.loopbackInterface))
        try await sender.send("hello", to: NetAddress("239.1.2.3", port: port))
        try await log.wait(for: "hello")
        if isLinux {
            // Who has not joined hears nothing, though the port is his too.
            let silence = await failure { () async throws(SocketError) in try await stranger.receive(timeout: .zero) }
            #expect(silence?.kind == .timedOut)
        }
        for socket in [receiver, stranger, sender] { await socket.close() }
    }
}
