/// Finds the addresses of a name in a way of the program's own. What it finds of the other family does not count.
package typealias NameResolver =
    @Sendable (_ name: String, SocketAddress.Family) async -> Result<[SocketAddress], NameCalls.Failure>

/// Where to connect to.
package enum ConnectTarget: Sendable {
    /// An address that needs no look-up.
    case address(SocketAddress)
    /// A host name, for one family or both, with who knows its addresses: nil is the system.
    case name(String, port: UInt16, families: Set<HappyEyeballsFamily>, resolver: NameResolver? = nil)

    /// What of it a socket can reach that is bound to an address of `family`.
    func limited(to family: SocketAddress.Family) throws(Failure) -> ConnectTarget {
        let wanted = HappyEyeballsFamily(family)
        switch self {
        case .address(let address) where address.family == family: return self
        case .name(let name, let port, let families, let resolver) where families.contains(wanted):
            return .name(name, port: port, families: [wanted], resolver: resolver)
        default: throw .invalidArgument(.init("family", "the socket is bound to an \(wanted) address"))
        }
    }
}

extension HappyEyeballsFamily {
    package init(_ family: SocketAddress.Family) { self = family == .v4 ? .ipv4 : .ipv6 }

    package var family: SocketAddress.Family { self == .ipv4 ? .v4 : .v6 }
}

extension HappyEyeballsFamily: CustomStringConvertible {
    /// `IPv4`.
    package var description: String { self == .ipv4 ? "IPv4" : "IPv6" }
}

extension AddressOrdering {
    /// Sorts answers so that the one most likely to work comes first.
    package static func sorted(_ answers: [Resolver.Answer]) -> [Resolver.Answer] {
        let candidates = answers.map { answer in
            Candidate(
                destination: IP(answer.address), scopeID: answer.address.native.scope,
                source: answer.source.map(IP.init))
        }
        return order(of: candidates).map { answers[$0] }
    }
}

extension AddressOrdering.IP {
    init(_ address: SocketAddress) {
        switch address.family {
        case .v6: self = .v6(hi: address.native.high, lo: address.native.low)
        case .v4, .local, nil: self = .v4(UInt32(truncatingIfNeeded: address.native.low))
        }
    }
}
