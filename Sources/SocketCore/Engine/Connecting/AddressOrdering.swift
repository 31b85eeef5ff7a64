/// Sorts the addresses of a host so that the one most likely to work comes first: RFC 6724 section 6.
///
/// Applies rules 1, 2, 5, 6, 8, 9 and 10. Rules 3, 4 and 7 (deprecated, home and tunnelled addresses) need to know
/// more about interfaces than a portable program can ask.
package enum AddressOrdering {
    /// An IP address as a number.
    package enum IP: Sendable, Hashable {
        /// An IPv4 address in host order: 127.0.0.1 is 0x7f00_0001.
        case v4(UInt32)
        /// An IPv6 address as its first and last 64 bits in host order: ::1 is `hi: 0, lo: 1`.
        case v6(hi: UInt64, lo: UInt64)
    }

    /// A destination, with the source address that the kernel would use for it.
    package struct Candidate: Sendable, Hashable {
        /// The address to connect to.
        package var destination: IP
        /// The zone of a link-local destination, 0 for none; tells destinations apart, and is not compared.
        package var scopeID: UInt32
        /// What getsockname(2) says on a datagram socket connected to the destination; nil when it is unreachable.
        package var source: IP?

        /// Makes a candidate; `source` nil means that the destination is unreachable.
        package init(destination: IP, scopeID: UInt32 = 0, source: IP?) {
            self.destination = destination
            self.scopeID = scopeID
            self.source = source
        }
    }

    /// The indices of the candidates, best first; equals keep their order (rule 10).
    package static func order(of candidates: [Candidate]) -> [Int] {
        let ranks = candidates.map(rank)
        return ranks.indices.sorted { (ranks[$0], $0) < (ranks[$1], $1) }
    }

    /// One number that holds every rule, the first rule in the highest bits; the lower number is the better address.
    private static func rank(of candidate: Candidate) -> UInt64 {
        let destination = Value(candidate.destination)
        let policy = destination.policy
        let scope = destination.scope
        var rank: UInt64 = 0

        /// Adds what the next rule says: 0 is best.
        func rule(_ value: UInt64, bits: UInt64) { rank = rank << bits | value }

        let source = candidate.source.map(Value.init)
        rule(source == nil ? 1 : 0, bits: 1) // 1: avoid unusable destinations
        rule(source.map { $0.scope == scope ? 0 : 1 } ?? 0, bits: 1) // 2: prefer matching scope
        rule(source.map { $0.policy.label == policy.label ? 0 : 1 } ?? 0, bits: 1) // 5: prefer matching label
        rule(255 - policy.precedence, bits: 8) // 6: prefer higher precedence
        rule(scope, bits: 4) // 8: prefer smaller scope
        rule(64 - (source.map(destination.commonPrefix) ?? 0), bits: 7) // 9: use longest matching prefix
        return rank
    }

    /// A row of the policy table.
    private struct Policy {
        var hi: UInt64
        var lo: UInt64
        var length: UInt64
        var precedence: UInt64
        var label: UInt64
    }

    /// The default policy table of RFC 6724 section 2.1, longest prefix first; the last row matches everything.
    private static let policies = [
        Policy(hi: 0, lo: 1, length: 128, precedence: 50, label: 0), // ::1
        Policy(hi: 0, lo: 0xffff_0000_0000, length: 96, precedence: 35, label: 4), // ::ffff:0:0
        Policy(hi: 0, lo: 0, length: 96, precedence: 1, label: 3), // ::
        Policy(hi: 0x2001_0000_0000_0000, lo: 0, length: 32, precedence: 5, label: 5), // Teredo
        Policy(hi: 0x2002_0000_0000_0000, lo: 0, length: 16, precedence: 30, label: 2), // 6to4
        Policy(hi: 0x3ffe_0000_0000_0000, lo: 0, length: 16, precedence: 1, label: 12), // 6bone
        Policy(hi: 0xfec0_0000_0000_0000, lo: 0, length: 10, precedence: 1, label: 11), // site-local
        Policy(hi: 0xfc00_0000_0000_0000, lo: 0, length: 7, precedence: 3, label: 13), // unique local
    ]

    private static let anyPolicy = Policy(hi: 0, lo: 0, length: 0, precedence: 40, label: 1)

    /// An address as 128 bits; IPv4 becomes IPv4-mapped, which is how the policy table sees it.
    private struct Value {
        let hi: UInt64
        let lo: UInt64

        init(_ address: IP) {
            switch address {
            case .v4(let number): (hi, lo) = (0, 0xffff_0000_0000 | UInt64(number))
            case .v6(let hi, let lo): (self.hi, self.lo) = (hi, lo)
            }
        }

        var isIPv4: Bool { hi == 0 && lo >> 32 == 0xffff }

        var policy: Policy {
            for policy in AddressOrdering.policies where matches(policy) { return policy }
            return AddressOrdering.anyPolicy
        }

        private func matches(_ policy: Policy) -> Bool {
            guard policy.length > 64 else { return (hi ^ policy.hi) >> (64 - policy.length) == 0 }
            return hi == policy.hi && (lo ^ policy.lo) >> (128 - policy.length) == 0
        }

        /// 2 is link-local, 5 site-local, 14 global; a multicast address carries its own (RFC 6724 sections 3.1, 3.2).
        var scope: UInt64 {
            if isIPv4 {
                let number = lo & 0xffff_ffff
                return number >> 24 == 127 || number >> 16 == 0xa9fe ? 2 : 14
            }
            if hi >> 56 == 0xff { return hi >> 48 & 0xf }
            if hi >> 54 == 0xfe80 >> 6 || (hi == 0 && lo == 1) { return 2 }
            return hi >> 54 == 0xfec0 >> 6 ? 5 : 14
        }

        /// Leading bits shared with a source, at most 64: the interface part does not count (RFC 6724 section 2.2).
        ///
        /// 0 for IPv4: the rule was meant for IPv6's hierarchy, and would undo the load sharing of IPv4 name servers.
        func commonPrefix(with source: Value) -> UInt64 {
            isIPv4 ? 0 : UInt64((hi ^ source.hi).leadingZeroBitCount)
        }
    }
}
