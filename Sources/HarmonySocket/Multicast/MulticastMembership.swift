internal import SocketCore

/// A group that a socket is in.
public struct MulticastMembership: Sendable, Hashable {
    private let core: Membership

    init(_ core: Membership) { self.core = core }

    /// The group's address.
    public var group: String { core.group.host }

    /// The sender that is listened to; nil for whoever sends.
    public var source: String? { core.source?.host }

    /// The index of the interface that was named when the group was joined; nil when the system chose.
    public var interfaceIndex: Int? { core.interface == 0 ? nil : Int(core.interface) }

    /// The name that this interface has now; nil when the system chose, and when it is gone.
    public var interface: String? { InterfaceCalls.name(of: Int32(bitPattern: core.interface)) }
}

extension MulticastMembership: CustomStringConvertible {
    /// `232.1.2.3 from 192.0.2.1 on eth0`.
    public var description: String {
        group + (source.map { " from \($0)" } ?? "")
            + (interfaceIndex.map { " on \(interface ?? "interface \($0)")" } ?? "")
    }
}

extension Membership {
    /// Refuses what cannot be, naming the field.
    init(_ text: String, from source: String?, on interface: NetworkInterface.Reference?) throws(Failure) {
        let group = try Membership.parse(text, "group")
        try self.init(group, text, from: source, on: interface)
    }

    /// The group that an address names; its port is not looked at.
    init(_ address: NetAddress, from source: String?, on interface: NetworkInterface.Reference?) throws(Failure) {
        try self.init(try address.literal(), address.address, from: source, on: interface)
    }

    private init(
        _ group: SocketAddress, _ text: String, from source: String?, on interface: NetworkInterface.Reference?
    ) throws(Failure) {
        guard group.isMulticast else { throw .invalidArgument(.init("group", "\(text) is no multicast address")) }
        var origin: SocketAddress?
        if let source {
            let address = try Membership.parse(source, "source")
            guard address.family == group.family, !address.isMulticast, !address.isAny else {
                throw .invalidArgument(.init("source", "\(source) cannot send to \(text)"))
            }
            origin = address
        }
        let zone = group.native.scope
        let index = try interface?.resolve() ?? zone
        guard zone == 0 || zone == index else {
            throw .invalidArgument(.init("interface", "it is not the zone of \(text)"))
        }
        self.init(group, source: origin, interface: index)
    }

    private static func parse(_ text: String, _ field: String) throws(Failure) -> SocketAddress {
        do throws(SocketAddress.ParseError) {
            return try SocketAddress(parsing: text)
        } catch {
            let problem = error == .unknownZone ? "no interface has the zone of" : "no IP address:"
            throw .invalidArgument(.init(field, "\(problem) \"\(text)\""))
        }
    }
}
