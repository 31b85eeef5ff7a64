/// Where to connect to.
package enum ConnectTarget: Sendable {
    /// An address that needs no look-up.
    case address(SocketAddress)
    /// A host name, for one family or both.
    case name(String, port: UInt16, families: Set<HappyEyeballsFamily>)
}

extension HappyEyeballsFamily {
    package init(_ family: SocketAddress.Family) { self = family == .v4 ? .ipv4 : .ipv6 }

    package var family: SocketAddress.Family { self == .ipv4 ? .v4 : .v6 }
}

extension AddressOrdering {
    /// Sorts answers so that the one most likely to work comes first.
    static func sorted(_ answers: [Resolver.Answer]) -> [Resolver.Answer] {
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
        case .v4, nil: self = .v4(UInt32(truncatingIfNeeded: address.native.low))
        }
    }
}
