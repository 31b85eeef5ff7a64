import SocketCore
import Testing

@Suite struct SocketAddressTests {
    /// Text, and the same in the one form that is printed.
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1", "fe80::1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ])
    func literal_isReadAndPrinted(_ text: String, _ printed: String) throws {
        let address = try SocketAddress(parsing: text, port: 4711)
        #expect(address.host == printed)
        #expect(address.port == 4711)
        #expect(address.family == (text.contains(":") ? .v6 : .v4))
        #expect(address.description == (text.contains(":") ? "[\(printed)]:4711" : "\(printed):4711"))
        #expect(try SocketAddress(parsing: address.host, port: 4711) == address)
    }

    @Test(arguments: [
        "", " ", "localhost", "127.1", "127.0.0.01x", "0x7f.0.0.1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.4:80", "[::1]", "::1%", ":::", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "1.2.3.4%lo",
        "127.0.0.1\0", "::1\0%lo", "%lo", "é", String(repeating: "1", count: 10_000),
        String(repeating: ":", count: 100),
    ])
    func text_thatIsNoAddress_isRefused(_ text: String) {
        #expect(throws: SocketAddress.ParseError.self) { try SocketAddress(parsing: text) }
    }

    @Test func zone_byNumber_isKept() throws {
        // Interface 1 is the loopback of every system; its name differs.
        let address = try SocketAddress(parsing: "fe80::1%1", port: 9)
        #expect(address.native.scope == 1)
        #expect(address.host.hasPrefix("fe80::1%"))
        let again = try SocketAddress(parsing: address.host, port: 9)
        #expect(again == address)
        #expect(address != (try SocketAddress(parsing: "fe80::1", port: 9)))
    }

    @Test func zone_thatNoInterfaceHasAnyMore_isPrintedAsANumber() throws {
        let address = try SocketAddress(parsing: "fe80::1%4000000000")
        #expect(address.native.scope == 4_000_000_000)
        #expect(address.host == "fe80::1%4000000000")
    }

    @Test(arguments: [
        "fe80::1%nosuchzone", "fe80::1%0", "fe80::1%-1", "fe80::1%4294967296", "fe80::1% 1", "fe80::1%1x",
    ])
    func zone_thatIsNone_isRefused(_ text: String) throws {
        do {
            _ = try SocketAddress(parsing: text)
            Issue.record("accepted \(text)")
        } catch .unknownZone {
        } catch .malformed {
            Issue.record("\(text) is not malformed, its zone is unknown")
        }
    }

    @Test func literal_ofHalves_isTheSame() throws {
        #expect(try SocketAddress(parsing: "192.0.2.1") == SocketAddress(v4: 0xc000_0201))
        #expect(
            try SocketAddress(parsing: "2001:db8::5") == SocketAddress(v6: 0x2001_0db8_0000_0000, 5))
        #expect(try SocketAddress(parsing: "::") == .any(.v6))
        #expect(try SocketAddress(parsing: "0.0.0.0", port: 3) == .any(.v4, port: 3))
    }

    @Test(
        arguments: [
            ("127.0.0.1", true), ("127.255.0.3", true), ("128.0.0.1", false), ("::1", true), ("::2", false),
            ("::", false), ("0.0.0.0", false), ("::ffff:127.0.0.1", false),
        ])
    func isLoopback_isTrueForLoopbackOnly(_ text: String, _ isLoopback: Bool) throws {
        #expect(try SocketAddress(parsing: text).isLoopback == isLoopback)
    }

    @Test func equality_looksAtEveryField() {
        let address = SocketAddress(v6: 1, 2, scope: 3, port: 4)
        let others = [
            SocketAddress(v6: 9, 2, scope: 3, port: 4), SocketAddress(v6: 1, 9, scope: 3, port: 4),
            SocketAddress(v6: 1, 2, scope: 9, port: 4), SocketAddress(v6: 1, 2, scope: 3, port: 9),
        ]
        for other in others { #expect(other != address) }
        #expect(SocketAddress(v4: 5) != SocketAddress(v6: 0, 5))
        #expect(Set(others + [address, address]).count == 5)
    }

    @Test func address_thatWasNeverFilled_hasNoFamily() {
        let address = SocketAddress(native: .init())
        #expect(address.family == nil)
        #expect(address.host == "")
        #expect(!address.isLoopback)
    }

    @Test(arguments: SocketAddress.Family.internet)
    func kernel_givesBackTheAddressThatWasBound(_ family: SocketAddress.Family) throws {
        let socket = try RawSocket.listener(family)
        defer { socket.close() }
        let address = try socket.address
        #expect(address.port != 0)
        #expect(address == .loopback(family, port: address.port))
        #expect(address.isLoopback)
    }
}
