internal import SocketCore

/// A network interface of this machine, as it was when it was listed (chrome.socket's NetworkInterface).
///
/// ```swift
/// for interface in try NetworkInterface.all() where interface.flags.contains(.multicast) {
///     print(interface.name, interface.mtu, interface.addresses)
/// }
/// ```
public struct NetworkInterface: Sendable, Hashable {
    let record: InterfaceRecord

    init(_ record: InterfaceRecord) { self.record = record }

    /// Every interface of this machine, up or down, by index: what the kernel answers now (rtnetlink(7); getifaddrs(3) on
    /// Apple systems). Does not wait. To be told what changes from then on, give the list to `changes(since:)`.
    ///
    /// - Throws: `.tooManyOpenFiles`, since a descriptor is needed for a moment; the kernel's other refusals.
    public static func all() throws(SocketError) -> [NetworkInterface] {
        do throws(Failure) {
            return try InterfaceInquiry().interfaces().map(NetworkInterface.init)
        } catch {
            throw SocketError(error, .listInterfaces)
        }
    }

    /// Its name: `lo`, `eth0`.
    public var name: String { record.name }

    /// The kernel's number for it, above zero. It stays the same when the name changes.
    public var index: Int { Int(record.index) }

    /// What it is, and whether it works.
    public var flags: Flags { Flags(record.flags) }

    /// The most bytes that a packet can carry over it, the header of IP included.
    public var mtu: Int { record.mtu }

    /// Its address on the link, as `02:42:ac:11:00:02`; nil when it has none, or only zeros.
    public var hardwareAddress: String? {
        guard record.hardwareAddress.contains(where: { $0 != 0 }) else { return nil }
        return record.hardwareAddress.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }

    /// Its IPv4 and IPv6 addresses, in the kernel's order.
    public var addresses: [Address] { record.addresses.map { Address($0, name) } }
}

extension NetworkInterface {
    /// What an interface is, and whether it works (netdevice(7)).
    public struct Flags: OptionSet, Sendable, Hashable, Codable {
        /// The bits: those of Linux, on every system.
        public let rawValue: UInt32

        /// Makes flags from their bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        init(_ flags: InterfaceRecord.Flags) { rawValue = flags.rawValue }

        /// It has been switched on.
        public static let up = Flags(.up)
        /// It can carry packets now: it is on, and its cable or other end is there.
        public static let running = Flags(.running)
        /// What is sent over it comes back to this machine.
        public static let loopback = Flags(.loopback)
        /// It has a broadcast address.
        public static let broadcast = Flags(.broadcast)
        /// It carries multicast.
        public static let multicast = Flags(.multicast)
        /// It leads to one other machine.
        public static let pointToPoint = Flags(.pointToPoint)
    }

    /// An address of an interface.
    public struct Address: Sendable, Hashable {
        private let core: InterfaceRecord.Address
        private let interface: String

        init(_ core: InterfaceRecord.Address, _ interface: String) {
            self.core = core
            self.interface = interface
        }

        /// The IP address; a link-local one carries its interface as its zone: `fe80::1%eth0`.
        public var address: String { text(of: core.address) }

        /// IPv4 or IPv6.
        public var family: AddressFamily { core.address.family == .v6 ? .ipv6 : .ipv4 }

        /// How many leading bits all addresses of its network share: 0 to 32 (IPv4) or 128 (IPv6).
        public var prefixLength: Int { core.prefixLength }

        /// Where a datagram to every machine of its network is sent; nil where there is no such thing.
        public var broadcastAddress: String? { core.broadcast.map(text) }

        /// The other end of a point-to-point link; nil for other links.
        public var peerAddress: String? { core.peer.map(text) }

        /// The address with a port, to bind or send to.
        public func netAddress(port: Int) -> NetAddress { NetAddress(address, port: port, family: family) }

        private func text(of address: SocketAddress) -> String {
            address.unscoped.host + (address.isLinkLocal ? "%\(interface)" : "")
        }
    }
}

extension NetworkInterface.Address: CustomStringConvertible {
    /// `192.0.2.1/24`.
    public var description: String { "\(address)/\(prefixLength)" }
}

extension NetworkInterface.Flags: CustomStringConvertible {
    /// `up, running, multicast`.
    public var description: String {
        let names: [(NetworkInterface.Flags, String)] = [
            (.up, "up"), (.running, "running"), (.loopback, "loopback"), (.broadcast, "broadcast"),
            (.multicast, "multicast"), (.pointToPoint, "point-to-point"),
        ]
        return names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
    }
}

extension NetworkInterface: CustomStringConvertible {
    /// `eth0 (up, running, broadcast, multicast) 192.0.2.1/24`.
    public var description: String {
        (["\(name) (\(flags))"] + addresses.map(\.description)).joined(separator: " ")
    }
}
