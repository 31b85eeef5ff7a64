import SocketCore
import Testing

@Suite struct AddressOrderingTests {
    /// Destinations with the source the kernel would use, in the order that is right.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let pairs: [(destination: String, source: String?)]

        init(_ description: String, _ pairs: (String, String?)...) {
            testDescription = description
            self.pairs = pairs.map { ($0.0, $0.1) }
        }
    }

    /// RFC 6724 section 10.2, in its order, without the two examples of rules 3 and 4, which are not applied.
    static let examples = [
        Row("matching scope", ("2001:db8:1::1", "2001:db8:1::2"), ("198.51.100.121", "169.254.13.78")),
        Row("matching scope, IPv4", ("198.51.100.121", "198.51.100.117"), ("2001:db8:1::1", "fe80::1")),
        Row("higher precedence", ("2001:db8:1::1", "2001:db8:1::2"), ("10.1.2.3", "10.1.2.4")),
        Row("smaller scope", ("fe80::1", "fe80::2"), ("2001:db8:1::1", "2001:db8:1::2")),
        Row("longest matching prefix", ("2001:db8:1::1", "2001:db8:1::2"), ("2001:db8:3ffe::1", "2001:db8:3f44::2")),
        Row("matching label", ("2002:c633:6401::1", "2002:c633:6401::2"), ("2001:db8:1::1", "2002:c633:6401::2")),
        Row("higher precedence, 6to4", ("2001:db8:1::1", "2001:db8:1::2"), ("2002:c633:6401::1", "2002:c633:6401::2")),
    ]

    static let more = [
        Row("reachable first", ("10.1.2.3", "10.1.2.4"), ("2001:db8:1::1", nil)),
        Row("reachable before matching scope", ("198.51.100.121", "169.254.13.78"), ("::1", nil)),
        Row("unreachable ones by precedence", ("::1", nil), ("2001:db8::1", nil), ("10.1.2.3", nil), ("fc00::1", nil)),
        Row("loopback", ("::1", "::1"), ("127.0.0.1", "127.0.0.1")),
        Row("IPv4 before a unique local address", ("198.51.100.121", "198.51.100.117"), ("fd00::1", "fd00::2")),
        Row("unique local before a label mismatch", ("fd00::1", "fd00::2"), ("2001:db8::1", "fd00::2")),
        Row(
            "native before 6to4, IPv4 before Teredo",
            ("2001:db8::1", "2001:db8::2"), ("198.51.100.1", "198.51.100.2"), ("2002::1", "2002::2"),
            ("2001:0:1::1", "2001:0:1::2")),
        Row(
            "site-local and 6bone last", ("198.51.100.1", "198.51.100.2"), ("fec0::1", "fec0::2"),
            ("3ffe::1", "3ffe::2")),
        Row("multicast by its own scope", ("ff02::1", "fe80::2"), ("ff05::1", "fec0::2")),
        Row("an IPv4-mapped destination is IPv4", ("2001:db8::1", "2001:db8::2"), ("::ffff:10.1.2.3", "10.1.2.4")),
    ]

    @Test(arguments: examples + more)
    func ordersWhicheverCameFirst(_ row: Row) throws {
        let candidates = try row.pairs.map(candidate)
        #expect(AddressOrdering.order(of: candidates) == Array(candidates.indices))
        #expect(AddressOrdering.order(of: candidates.reversed()) == candidates.indices.reversed())
    }

    /// Rows whose destinations are equally good, so that they keep their order (rule 10).
    static let equals = [
        Row("nothing"),
        Row("one", ("10.0.0.1", "10.0.0.2")),
        Row("IPv4 has no rule 9", ("10.55.0.1", "10.99.0.2"), ("10.0.0.1", "10.0.0.2")),
        Row("IPv4-mapped neither", ("::ffff:10.55.0.1", "::ffff:10.99.0.2"), ("::ffff:10.0.0.1", "::ffff:10.0.0.2")),
        Row(
            "the interface part does not count", ("2001:db8::1", "2001:db8::8000:0:0:2"), ("2001:db8::3", "2001:db8::2")
        ),
        Row("the same twice", ("2001:db8::1", "2001:db8::2"), ("2001:db8::1", "2001:db8::2")),
        Row("both unreachable", ("2001:db8::1", nil), ("2001:db8::2", nil)),
        Row("private and public IPv4 are both global", ("10.1.2.3", "10.1.2.4"), ("198.51.100.1", "10.1.2.4")),
        Row("both loopback or link-local IPv4", ("127.0.0.1", "127.0.0.1"), ("169.254.1.1", "169.254.1.2")),
    ]

    @Test(arguments: equals)
    func keepsTheOrderOfEquals(_ row: Row) throws {
        let candidates = try row.pairs.map(candidate)
        #expect(AddressOrdering.order(of: candidates) == Array(candidates.indices))
        #expect(AddressOrdering.order(of: candidates.reversed()) == Array(candidates.indices))
    }

    @Test func theZoneIsNotCompared() {
        let candidates = [7, 3, 5].map { zone in
            AddressOrdering.Candidate(
                destination: .v6(hi: 0xfe80 << 48, lo: 1), scopeID: zone, source: .v6(hi: 0xfe80 << 48, lo: 2))
        }
        #expect(AddressOrdering.order(of: candidates) == [0, 1, 2])
    }

    // MARK: Reading addresses

    private func candidate(_ pair: (destination: String, source: String?)) throws -> AddressOrdering.Candidate {
        .init(destination: try #require(ip(pair.destination)), source: try pair.source.map { try #require(ip($0)) })
    }

    private func ip(_ text: String) -> AddressOrdering.IP? {
        guard text.contains(":") else { return ipv4(text).map { .v4($0) } }
        var bits = [UInt64](repeating: 0, count: 8)
        let gap = text.firstRange(of: "::")
        let head = groups(gap.map { text[..<$0.lowerBound] } ?? text[...])
        let tail = groups(gap.map { text[$0.upperBound...] } ?? "")
        guard head.count + tail.count <= 8 else { return nil }
        bits.replaceSubrange(..<head.count, with: head)
        bits.replaceSubrange((8 - tail.count)..., with: tail)
        let (hi, lo) = (bits[..<4].reduce(0) { $0 << 16 | $1 }, bits[4...].reduce(0) { $0 << 16 | $1 })
        return .v6(hi: hi, lo: lo)
    }

    private func groups(_ text: Substring) -> [UInt64] {
        text.split(separator: ":").flatMap { group in
            if let number = ipv4(String(group)) { return [UInt64(number >> 16), UInt64(number & 0xffff)] }
            return [UInt64(group, radix: 16) ?? 0]
        }
    }

    private func ipv4(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".").compactMap { UInt32($0) }
        return parts.count == 4 ? parts.reduce(0) { $0 << 8 | $1 } : nil
    }
}
