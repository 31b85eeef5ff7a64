import ExampleSupport
import HarmonySocket

/// A socket on each interface, since a socket sends to groups over one interface only. Runs on the loop of its sockets.
actor Station {
    private let own: Greeting
    private let group: NetAddress
    private let loops: SocketEventLoopGroup
    private let only: String?
    /// By the index of the interface.
    private var sockets: [Int: MulticastSocket] = [:]
    private var neighbours = Neighbours(patience: .seconds(3))
    private var known: [NetworkInterface] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        loops.loops[0].serialExecutor.asUnownedSerialExecutor()
    }

    init(_ own: Greeting, _ group: NetAddress, _ loops: SocketEventLoopGroup, onlyOn only: String?) {
        self.own = own
        self.group = group
        self.loops = loops
        self.only = only
    }

    /// Opens sockets on the interfaces that there are. Fails where that cannot be.
    func open() async throws(SocketError) {
        known = try NetworkInterface.all()
        // The one that is named is tried, whatever it says of itself, to hear why it cannot be.
        if let only { return try await join(.name(only), known.first { $0.name == only }?.index ?? 0) }
        for interface in known where isSuitable(interface) { try await join(interface.reference, interface.index) }
    }

    /// Opens and closes sockets as interfaces come and go.
    func followInterfaces() async throws(SocketError) {
        for try await change in NetworkInterface.changes(since: known, group: loops) {
            switch change {
            case .added(let interface), .changed(let interface, _), .addressAdded(_, let interface),
                .addressRemoved(_, let interface):
                let isOpen = sockets[interface.index] != nil
                if !isOpen, isSuitable(interface) {
                    // It may be gone again, or not be ready: then another change follows.
                    try? await join(interface.reference, interface.index)
                } else if isOpen, !isSuitable(interface) {
                    await leave(interface.index)
                }
            case .removed(let interface): await leave(interface.index)
            }
        }
    }

    /// Says every so often that we are here, and finds out who is not any more.
    func greetEvery(_ interval: Duration) async throws {
        neighbours = Neighbours(patience: interval * 3)
        while true {
            await tellAll(own.text(isBye: false))
            for line in neighbours.tick(.now) { say(line) }
            try await Task.sleep(for: interval)
        }
    }

    /// Says goodbye.
    func close() async {
        await tellAll(own.text(isBye: true))
        for index in sockets.keys { await leave(index) }
    }

    // MARK: Sockets

    private func isSuitable(_ interface: NetworkInterface) -> Bool {
        if let only { return interface.name == only && interface.flags.contains(.up) }
        let family: AddressFamily = group.address.contains(":") ? .ipv6 : .ipv4
        return interface.flags.isSuperset(of: [.up, .multicast]) && interface.addresses.contains { $0.family == family }
    }

    private func join(_ interface: NetworkInterface.Reference, _ index: Int) async throws(SocketError) {
        let socket = MulticastSocket(group: loops)
        // It shares the port with its siblings and the other copies on this machine, but hears its own interface only.
        try await socket.addMembership(group, on: interface)
        let name = socket.joinedGroups.first?.interface
        try await socket.setExtraOptions(UDPExtraOptions(multicastInterface: name))
        sockets[index] = socket
        Task {
            for try await datagram in socket.messages { await hear(datagram, on: name ?? "\(index)", socket) }
        }
        try? await socket.send(own.text(isBye: false), to: group)
    }

    private func leave(_ index: Int) async { await sockets.removeValue(forKey: index)?.close() }

    private func tellAll(_ text: String) async {
        // An interface that cannot send now may be able to next time.
        for socket in sockets.values { try? await socket.send(text, to: group) }
    }

    // MARK: Hearing

    private func hear(_ datagram: SocketMessageInfo, on interface: String, _ socket: MulticastSocket) async {
        var isBye = false
        guard let text = datagram.text, let greeting = Greeting(text, isBye: &isBye), greeting != own else { return }
        if isBye {
            if let line = neighbours.bye(greeting) { say(line) }
        } else if let line = neighbours.hello(greeting, from: "\(datagram.remoteInfo.address) (\(interface))", at: .now)
        {
            say(line)
            // A newcomer need not wait until it is our turn.
            try? await socket.send(own.text(isBye: false), to: group)
        }
    }
}
