import HarmonySocket
import Testing

@Suite(.bounded) struct NetworkInterfaceTests {
    @Test func all_tellsOfTheLoopbackInterface() throws {
        let interface = try #require(try NetworkInterface.all().first { $0.name == Kernel.loopbackInterface })
        #expect(interface.index == Kernel.loopbackIndex)
        #expect(interface.flags.contains([.up, .running, .loopback]))
        #expect(interface.flags.description.hasPrefix("up, running, loopback"))
        #expect(interface.mtu > 1000)
        #expect(interface.hardwareAddress == nil)
        let address = try #require(interface.addresses.first { $0.family == .ipv4 })
        #expect(address.address == "127.0.0.1" && address.prefixLength == 8)
        #expect(address.broadcastAddress == nil && address.peerAddress == nil)
        #expect(address.description == "127.0.0.1/8")
        #expect(address.netAddress(port: 80) == NetAddress("127.0.0.1", port: 80, family: .ipv4))
        #expect(interface.description.hasPrefix("\(interface.name) (up, running, loopback"))
        #expect(interface.description.contains(" 127.0.0.1/8"))
        #expect(interface.reference == .index(interface.index))
    }

    @Test func flags_sayWhatTheyAre() {
        let flags: NetworkInterface.Flags = [.up, .multicast, .broadcast, .pointToPoint]
        #expect(flags.description == "up, broadcast, multicast, point-to-point")
        #expect(NetworkInterface.Flags(rawValue: 0x41) == [.up, .running])
    }

    // Every address that is listed can be bound, a link-local one with its zone.
    @Test func addresses_canBeBound() async throws {
        for interface in try NetworkInterface.all() where interface.flags.contains(.up) {
            for address in interface.addresses {
                let socket = UDPSocket()
                do throws(SocketError) {
                    try await socket.bind(address.netAddress(port: 0))
                    #expect(socket.localAddress?.address == address.address)
                } catch {
                    // One that is still being checked for duplicates cannot be, yet.
                    #expect(error.kind == .addressNotAvailable)
                }
                await socket.close()
            }
        }
    }

    @Test func changesSinceNothing_startWithEveryInterface() async throws {
        var found: [String] = []
        let count = try NetworkInterface.all().count
        for try await change in NetworkInterface.changes(since: []) {
            guard case .added(let interface) = change else { continue }
            found.append(interface.name)
            if found.count == count { break }
        }
        #expect(found.contains(Kernel.loopbackInterface))
    }

    @Test(arguments: ["before it waits", "while it waits"])
    func changes_thatAreCancelled_throw(_ moment: String) async throws {
        let group = SocketEventLoopGroup(count: 1)
        let sockets = DescriptorCensus.netlinkSockets
        let watching = Task {
            let known = try NetworkInterface.all()
            for try await _ in NetworkInterface.changes(since: known, group: group) {}
        }
        if moment == "while it waits" {
            // Nearly: it watches.
            try await eventually("it watches") { !DescriptorCensus.netlinkSockets.isSubset(of: sockets) }
        }
        watching.cancel()
        let result = try await within { await watching.result }
        guard case .failure(let error as SocketError) = result else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .cancelled && error.operation == .watchInterfaces)
        #expect(error.description == "watch interfaces: the task was cancelled")
    }

    @Test(.enabled(if: isLinux, "other systems do not have netlink"))
    func watch_thatEnds_givesItsDescriptorBack() async throws {
        func watch() async throws -> Set<DescriptorCensus.Identity> {
            let before = DescriptorCensus.netlinkSockets
            var changes = NetworkInterface.changes(since: []).makeAsyncIterator()
            #expect(try await changes.next() != nil)
            return DescriptorCensus.netlinkSockets.subtracting(before)
        }
        let identities = try await watch()
        #expect(!identities.isEmpty)
        try await eventually("the watch's descriptor is given back") {
            DescriptorCensus.netlinkSockets.isDisjoint(with: identities)
        }
    }
}
