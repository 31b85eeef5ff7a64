import HarmonySocket
import Testing

@Suite(.bounded, .serialized, .enabled(if: TwoHosts.isHere, "the test of two hosts runs it"))
struct InterfaceChangesTests {
    /// Runs ip(8).
    private func ip(_ arguments: String) async throws {
        let (status, said) = try await blocking {
            let child = try ChildProcess("ip", arguments.split(separator: " ").map(String.init))
            let said = String(decoding: try child.readAll(ofErrors: true), as: UTF8.self)
            return (try child.waitForEnd(), said)
        }
        #expect(status == 0, "ip \(arguments): \(said)")
    }

    private func next(
        _ iterator: inout NetworkInterfaceChanges.Iterator,
        where isWanted: (NetworkInterface.Change) -> Bool = { !InterfaceChangesTests.isByItself($0) }
    ) async throws -> NetworkInterface.Change {
        // Bounded by the suite: an iterator cannot be handed to another task.
        while true {
            let change = try #require(try await iterator.next())
            if isWanted(change) { return change }
        }
    }

    /// Whether it is something that the kernel does a moment after a link was made: it begins to run, and has an address for
    /// its link.
    private static func isByItself(_ change: NetworkInterface.Change) -> Bool {
        switch change {
        case .changed(let interface, let before):
            interface.name == before.name && interface.mtu == before.mtu
                && interface.flags.symmetricDifference(before.flags).isSubset(of: .running)
        case .addressAdded(let address, _), .addressRemoved(let address, _): address.address.hasPrefix("fe80:")
        case .added, .removed: false
        }
    }

    @Test func changes_tellWhatComesAndGoes() async throws {
        var changes = NetworkInterface.changes.makeAsyncIterator()
        try await ip("address add 198.51.100.1/24 broadcast 198.51.100.255 dev near")
        guard case .addressAdded(let address, let near) = try await next(&changes) else { return notExpected() }
        #expect(address.description == "198.51.100.1/24" && address.family == .ipv4)
        #expect(address.broadcastAddress == "198.51.100.255" && address.peerAddress == nil)
        #expect(near.name == "near" && near.addresses.contains(address))

        try await ip("address del 198.51.100.1/24 dev near")
        guard case .addressRemoved(let gone, let after) = try await next(&changes) else { return notExpected() }
        #expect(gone == address && !after.addresses.contains(address))

        try await ip("address add 198.51.100.1 peer 198.51.100.9/32 dev near")
        guard case .addressAdded(let end, _) = try await next(&changes) else { return notExpected() }
        #expect(end.description == "198.51.100.1/32" && end.peerAddress == "198.51.100.9")
        try await ip("address del 198.51.100.1 peer 198.51.100.9/32 dev near")
        guard case .addressRemoved(end, _) = try await next(&changes) else { return notExpected() }

        try await ip("link add coming type veth peer name other")
        for _ in 0..<2 { guard case .added = try await next(&changes) else { return notExpected() } }
        try await ip("link set coming mtu 1400")
        guard case .changed(let small, let before) = try await next(&changes) else { return notExpected() }
        #expect(small.mtu == 1400 && before.mtu == 1500 && small.name == "coming" && small.index == before.index)
        try await ip("link set coming name going")
        guard case .changed(let renamed, _) = try await next(&changes) else { return notExpected() }
        #expect(renamed.name == "going" && renamed.index == small.index)
        try await ip("link set other up")
        try await ip("link set going up")
        let isRunning = try await next(&changes) {
            if case .changed(let interface, _) = $0 {
                interface.name == "going" && interface.flags.contains(.running)
            } else {
                false
            }
        }
        #expect(isRunning.description.hasPrefix("going: changed (up, running"))
        try await ip("link del going")
        let removed = try await next(&changes) { if case .removed = $0 { true } else { false } }
        #expect(["going: removed", "other: removed"].contains(removed.description))
        _ = try await next(&changes) { if case .removed = $0 { true } else { false } }
        #expect(try !NetworkInterface.all().map(\.name).contains("going"))
    }

    @Test func changesSinceAList_missNothing() async throws {
        let known = try NetworkInterface.all()
        try await ip("link add between type veth peer name beside")
        try await ip("address add 198.51.100.2/24 dev between")
        var changes = NetworkInterface.changes(since: known).makeAsyncIterator()
        let added = try await next(&changes) { if case .added(let new) = $0 { new.name == "between" } else { false } }
        guard case .added(let interface) = added else { return notExpected() }
        #expect(interface.addresses.map(\.address) == ["198.51.100.2"])
        try await ip("link del between")
        let removed = try await next(&changes) { if case .removed = $0 { true } else { false } }
        #expect(["between: removed", "beside: removed"].contains(removed.description))
        // From nothing on, everything is new.
        var all = NetworkInterface.changes(since: []).makeAsyncIterator()
        for interface in try NetworkInterface.all() { #expect(try await all.next() == .added(interface)) }
    }

    @Test func changes_moreThanTheKernelKeeps_areFoundByComparing() async throws {
        try await ip("link add many type veth peer name none")
        var changes = NetworkInterface.changes.makeAsyncIterator()
        // Nobody takes any of them meanwhile.
        let count = 3000
        let lines = (0..<count).map { "address add 10.\($0 / 250).\($0 % 250).1/24 dev many\n" }.joined()
        let status = try await blocking(.seconds(30)) {
            let child = try ChildProcess("ip", ["-batch", "-"])
            try child.write(Array(lines.utf8))
            child.closeInput()
            return try child.waitForEnd()
        }
        #expect(status == 0)
        var found: Set<String> = []
        while found.count < count {
            // Among them the kernel may tell of the link, which it is still setting up.
            let change = try await next(&changes) { if case .addressAdded = $0 { true } else { false } }
            if case .addressAdded(let address, _) = change, address.family == .ipv4 { found.insert(address.address) }
        }
        try await ip("link del many")
        _ = try await next(&changes) { if case .removed = $0 { true } else { false } }
    }

    private func notExpected(sourceLocation: SourceLocation = #_sourceLocation) {
        Issue.record("another change was expected", sourceLocation: sourceLocation)
    }
}
