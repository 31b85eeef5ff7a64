import HarmonySocket
import Testing

@Suite("Between two hosts", .timeLimit(.minutes(1)))
struct TwoHostsTests {
    @Test(
        "Multicast, broadcast and changes of interfaces between two hosts",
        .enabled(
            if: !TwoHosts.isHere && TwoHosts.isAvailable, "needs unshare, nsenter, ip and the right to make namespaces")
    )
    func twoHosts_runTheTestsBelow() async throws {
        let child = try TwoHosts.rerun("MulticastBetweenHostsTests|InterfaceChangesTests")
        let output = String(decoding: try await blocking(.seconds(50)) { try child.readAll() }, as: UTF8.self)
        #expect(try await blocking { try child.waitForEnd() } == 0, "\(output)")
        let count = output.split(separator: "\n").count { $0.contains(" passed after ") && $0.contains("Suite") }
        #expect(count == 2, "\(output)")
    }
}

/// A group of each family, and one for single sources.
private struct Groups: Sendable, CustomTestStringConvertible {
    let family: Loopback
    let any: String
    let other: String
    let specific: String

    static let all = [
        Groups(family: .ipv4, any: "239.1.2.3", other: "239.1.2.4", specific: "232.1.2.3"),
        Groups(family: .ipv6, any: "ff12::1:2:3", other: "ff12::1:2:4", specific: "ff32::1:2:3"),
    ]

    var testDescription: String { family.testDescription }
}

@Suite(.bounded, .serialized, .enabled(if: TwoHosts.isHere, "the test of two hosts runs it"))
struct MulticastBetweenHostsTests {
    /// What arrives next; what was sent before it and has not come will not come, since nothing overtakes on a cable.
    private func next(_ socket: UDPSocket) async throws -> String? {
        try await socket.receive(timeout: .seconds(10)).text
    }

    private func near(_ family: Loopback, _ address: String? = nil) async throws -> UDPSocket {
        let socket = UDPSocket()
        try await socket.bind(NetAddress(address ?? family.wildcard))
        try await socket.setExtraOptions(UDPExtraOptions(multicastInterface: "near"))
        return socket
    }

    // MARK: Groups of any source

    @Test(arguments: Groups.all, ["by name", "by index", "by address", "by route"])
    fileprivate func joinGroup_anySource_hearsTheOtherHostUntilItLeaves(_ groups: Groups, _ how: String) async throws {
        let (receiver, port) = try await TwoHosts.farSocket(groups.family)
        let index = try await farInterface().index
        let interface: NetworkInterface.Reference? =
            switch how {
            case "by name": "far"
            case "by index": .index(index)
            case "by address": .address(TwoHosts.far(groups.family))
            default: nil
            }
        try await TwoHosts.onFar { receiver.joinGroup(groups.any, on: interface, completion: $0) }
        #expect(receiver.joinedGroups.map(\.group) == [groups.any])
        #expect(receiver.joinedGroups.first?.interfaceIndex == (interface == nil ? nil : index))

        try await receiver.setExtraOptions(UDPExtraOptions(receivePacketInfo: true))
        let sender = try await near(groups.family)
        try await sender.send("hello", to: NetAddress(groups.any, port: port))
        let datagram = try await receiver.receive(timeout: .seconds(10))
        #expect(datagram.text == "hello")
        // A group of one link only carries its zone, by the name that this host has for the index.
        #expect(datagram.destination?.split(separator: "%").first.map(String.init) == groups.any)
        #expect(datagram.remoteInfo.port == sender.localAddress?.port)
        if groups.family == .ipv4 { #expect(datagram.remoteInfo.address == TwoHosts.near(.ipv4)[0]) }
        // And back, to one only.
        try await receiver.send(Array("there".utf8), to: datagram.remoteInfo)
        #expect(try await next(sender) == "there")

        try await TwoHosts.onFar { receiver.leaveGroup(groups.any, on: interface, completion: $0) }
        #expect(receiver.joinedGroups.isEmpty)
        try await sender.send("lost", to: NetAddress(groups.any, port: port))
        try await sender.send("last", to: NetAddress(TwoHosts.far(groups.family), port: port))
        #expect(try await next(receiver) == "last")
        await sender.close()
        await receiver.close()
    }

    @Test(arguments: Groups.all)
    fileprivate func socket_hearsNoGroupButItsOwn(_ groups: Groups) async throws {
        let (first, port) = try await TwoHosts.farSocket(groups.family)
        let (second, _) = try await TwoHosts.farSocket(groups.family, port: port)
        try await TwoHosts.onFar { first.joinGroup(groups.any, on: "far", completion: $0) }
        try await TwoHosts.onFar { second.joinGroup(groups.other, on: "far", completion: $0) }
        let sender = try await near(groups.family)
        try await sender.send("to the second", to: NetAddress(groups.other, port: port))
        try await sender.send("to the first", to: NetAddress(groups.any, port: port))
        try await sender.send("to the second again", to: NetAddress(groups.other, port: port))
        #expect(try await next(first) == "to the first")
        #expect(try await next(second) == "to the second")
        #expect(try await next(second) == "to the second again")
        for socket in [first, second, sender] { await socket.close() }
    }

    @Test func socketOfBothFamilies_joinsGroupsOfBoth() async throws {
        let (receiver, port) = try await TwoHosts.farSocket(.ipv6)
        for groups in Groups.all {
            try await TwoHosts.onFar { receiver.joinGroup(groups.any, on: "far", completion: $0) }
        }
        for groups in Groups.all {
            let sender = try await near(groups.family)
            try await sender.send(groups.any, to: NetAddress(groups.any, port: port))
            #expect(try await next(receiver) == groups.any)
            await sender.close()
        }
        await receiver.close()
    }

    // MARK: Groups of single sources

    @Test(arguments: Groups.all)
    fileprivate func joinGroup_ofSources_hearsThoseOnly(_ groups: Groups) async throws {
        let (receiver, port) = try await TwoHosts.farSocket(groups.family)
        let sources = TwoHosts.near(groups.family)
        try await TwoHosts.onFar { receiver.joinGroup(groups.specific, from: sources[0], on: "far", completion: $0) }
        #expect(receiver.joinedGroups.map(\.source) == [sources[0]])
        let wanted = try await near(groups.family, sources[0])
        let other = try await near(groups.family, sources[1])
        let group = NetAddress(groups.specific, port: port)

        try await other.send("unwanted", to: group)
        try await wanted.send("wanted", to: group)
        let datagram = try await receiver.receive(timeout: .seconds(10))
        #expect(datagram.text == "wanted" && datagram.remoteInfo.address == sources[0])

        try await TwoHosts.onFar { receiver.joinGroup(groups.specific, from: sources[1], on: "far", completion: $0) }
        try await other.send("wanted now", to: group)
        #expect(try await next(receiver) == "wanted now")

        try await TwoHosts.onFar { receiver.leaveGroup(groups.specific, from: sources[0], on: "far", completion: $0) }
        #expect(receiver.joinedGroups.map(\.source) == [sources[1]])
        try await wanted.send("unwanted now", to: group)
        try await other.send("still wanted", to: group)
        #expect(try await next(receiver) == "still wanted")
        for socket in [receiver, wanted, other] { await socket.close() }
    }

    // MARK: How it is sent

    @Test(arguments: Groups.all)
    fileprivate func options_sayWhereDatagramsGo(_ groups: Groups) async throws {
        let (receiver, port) = try await TwoHosts.farSocket(groups.family)
        try await TwoHosts.onFar { receiver.joinGroup(groups.any, on: "far", completion: $0) }
        // On this host, too, somebody listens, on both interfaces.
        let own = UDPSocket()
        try await own.bind(NetAddress(groups.family.wildcard, port: port))
        for interface in ["near", "lo"] { try await own.joinGroup(groups.any, on: .name(interface)) }
        let sender = try await near(groups.family)
        let group = NetAddress(groups.any, port: port)

        // Everybody, without being asked for.
        try await sender.send("all", to: group)
        #expect(try await next(receiver) == "all")
        #expect(try await next(own) == "all")

        try await sender.setExtraOptions(UDPExtraOptions(multicastLoopback: false))
        try await sender.send("others", to: group)
        #expect(try await next(receiver) == "others")

        try await sender.setExtraOptions(UDPExtraOptions(multicastTTL: 0, multicastLoopback: true))
        try await sender.send("own", to: group)
        #expect(try await next(own) == "own")

        try await sender.setExtraOptions(UDPExtraOptions(multicastTTL: 1, multicastInterface: "lo"))
        try await sender.send("inside", to: group)
        // Linux does not bring IPv6 multicast back over the loopback interface.
        if groups.family == .ipv4 { #expect(try await next(own) == "inside") }

        try await sender.setExtraOptions(UDPExtraOptions(multicastInterface: "near"))
        try await sender.send("all again", to: group)
        #expect(try await next(receiver) == "all again")
        #expect(try await next(own) == "all again")
        for socket in [receiver, own, sender] { await socket.close() }
    }

    // MARK: OpenHarmony's calls

    @Test(arguments: Groups.all)
    fileprivate func multicastSockets_talkToEachOther(_ groups: Groups) async throws {
        let far = MulticastSocket()
        let log = EventLog()
        record(far, in: log)
        try await TwoHosts.onFar { far.addMembership(NetAddress(groups.any), on: "far", completion: $0) }
        let port = try await far.getLocalAddress().port
        let near = MulticastSocket()
        try await near.addMembership(NetAddress(groups.any, port: port), on: "near")
        try await near.setExtraOptions(UDPExtraOptions(multicastInterface: "near"))
        try await near.setMulticastTTL(4)
        try await near.setLoopbackMode(false)
        try await near.send("hello, everybody", to: NetAddress(groups.any, port: port))
        try await log.wait(for: "message:hello, everybody")
        #expect(log.events == ["listening", "message:hello, everybody"])

        far.off(.message)
        try await far.setExtraOptions(UDPExtraOptions(multicastInterface: nil))
        try await TwoHosts.onFar { far.setExtraOptions(UDPExtraOptions(multicastInterface: "far"), completion: $0) }
        try await far.send("and back", to: NetAddress(groups.any, port: port))
        #expect(try await next(near) == "and back")
        await near.close()
        await far.close()
    }

    // MARK: Broadcast

    @Test func broadcast_reachesTheOtherHost_ifItIsAllowed() async throws {
        let (receiver, port) = try await TwoHosts.farSocket(.ipv4)
        let interface = try #require(try NetworkInterface.all().first { $0.name == "near" })
        let directed = try #require(interface.addresses.compactMap(\.broadcastAddress).first)
        #expect(directed == "192.0.2.255")
        let sender = UDPSocket()
        try await sender.bind(.any)
        for address in [directed, "255.255.255.255"] {
            let error = await failure { () async throws(SocketError) in
                try await sender.send("no", to: NetAddress(address, port: port))
            }
            #expect(error?.kind == .permissionDenied)
        }
        try await sender.setExtraOptions(UDPExtraOptions(broadcast: true))
        for address in [directed, "255.255.255.255"] {
            try await sender.send(address, to: NetAddress(address, port: port))
            let datagram = try await receiver.receive(timeout: .seconds(10))
            #expect(datagram.text == address && datagram.remoteInfo.address == "192.0.2.1")
        }
        await sender.close()
        await receiver.close()
    }

    @Test func interfacesOfTheOtherHost_areItsOwn() async throws {
        let far = try await farInterface()
        #expect(far.flags == [.up, .running, .broadcast, .multicast])
        #expect(far.mtu == 1500)
        let addresses = far.addresses.map(\.description)
        #expect(addresses.contains("192.0.2.2/24") && addresses.contains("2001:db8::2/64"))
        #expect(try NetworkInterface.all().map(\.name).contains("near"))
    }

    private func farInterface() async throws -> NetworkInterface {
        let all = try await blocking {
            try enterNetwork("/run/far")
            return try NetworkInterface.all()
        }
        return try #require(all.first { $0.name == "far" })
    }
}
