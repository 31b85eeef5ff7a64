import SocketCore
import Testing

@Suite struct NetlinkParserTests {
    // MARK: What the kernel says

    private static let eth0 = NetlinkMessage.link(
        index: 2, flags: 0x11043,
        attributes: NetlinkMessage.attribute(3, Array("eth0\0".utf8))
            + NetlinkMessage.attribute(4, NetlinkMessage.bytes(UInt32(1500)))
            + NetlinkMessage.attribute(1, [2, 66, 172, 17, 0, 2]) + NetlinkMessage.attribute(0x8000 | 26, [1, 2, 3]))
    private static let eth0News = InterfaceNews.link(
        index: 2, name: "eth0", flags: [.up, .broadcast, .running, .multicast], mtu: 1500,
        hardwareAddress: [2, 66, 172, 17, 0, 2])
    private static let v4 = NetlinkMessage.address(
        family: 2, prefix: 24, index: 2,
        attributes: NetlinkMessage.attribute(1, [192, 0, 2, 1]) + NetlinkMessage.attribute(2, [192, 0, 2, 1])
            + NetlinkMessage.attribute(4, [192, 0, 2, 255]) + NetlinkMessage.attribute(3, Array("eth0\0".utf8)))
    private static let v4News = InterfaceNews.address(
        .init(SocketAddress(v4: 0xc000_0201), prefixLength: 24, broadcast: SocketAddress(v4: 0xc000_02ff)), index: 2)
    private static let linkLocal: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let news: [InterfaceNews]

        init(_ name: String, _ bytes: [UInt8], _ news: [InterfaceNews]) {
            testDescription = name
            self.bytes = bytes
            self.news = news
        }
    }

    @Test(arguments: [
        Row("nothing", [], []),
        Row("a new link", eth0, [eth0News]),
        Row("an IPv4 address", v4, [v4News]),
        Row("several in one datagram", eth0 + v4 + NetlinkMessage.make(3, [0, 0, 0, 0]), [eth0News, v4News, .done]),
        Row(
            "a link that says little", NetlinkMessage.link(index: 7),
            [.link(index: 7, name: nil, flags: [], mtu: nil, hardwareAddress: nil)]),
        Row("a link that is gone", NetlinkMessage.link(17, index: 7), [.linkGone(index: 7)]),
        Row("a port that leaves its bridge, and lives", NetlinkMessage.link(17, family: 7, index: 7), []),
        Row(
            "a link-local address, with its scope",
            NetlinkMessage.address(
                21, family: 10, prefix: 64, index: 3, attributes: NetlinkMessage.attribute(1, linkLocal)),
            [.addressGone(.init(SocketAddress(v6: 0xfe80 << 48, 1, scope: 3), prefixLength: 64), index: 3)]),
        Row(
            "the two ends of a link",
            NetlinkMessage.address(
                family: 2, prefix: 32, index: 4,
                attributes: NetlinkMessage.attribute(1, [10, 0, 0, 2]) + NetlinkMessage.attribute(2, [10, 0, 0, 1])),
            [
                .address(
                    .init(SocketAddress(v4: 0x0a00_0001), prefixLength: 32, peer: SocketAddress(v4: 0x0a00_0002)),
                    index: 4)
            ]),
        Row("an address of another kind of network", NetlinkMessage.address(family: 28, prefix: 8, index: 2), []),
        Row("something else", NetlinkMessage.make(24, [1, 2, 3, 4]) + eth0, [eth0News]),
        Row("an acknowledgement", NetlinkMessage.make(2, NetlinkMessage.bytes(Int32(0))), []),
        Row(
            "a refusal", NetlinkMessage.make(2, NetlinkMessage.bytes(Int32(-1))), [.refused(SystemError(rawValue: 1))]),
        Row("an overrun", NetlinkMessage.make(4, []), [.incomplete]),
        Row(
            "an answer that changed while it was told", NetlinkMessage.make(3, flags: 0x12, [0, 0, 0, 0]),
            [.incomplete, .done]
        ),
        Row("no padding behind the last", Array(NetlinkMessage.make(3, [0, 0])[..<18]), [.done]),
    ])
    func next_ofMessage_isItsNews(_ row: Row) {
        #expect(news(row.bytes) == row.news)
    }

    // MARK: What no kernel says

    @Test(arguments: [
        Row("less than a header", [1, 2, 3], [.incomplete]),
        Row("a length of zero", NetlinkMessage.make(16, length: 0, [1, 2, 3, 4]), [.incomplete]),
        Row("a length below the header's", NetlinkMessage.make(16, length: 15, []), [.incomplete]),
        Row("a length beyond the end", NetlinkMessage.make(3, length: 21, [0, 0, 0, 0]), [.incomplete]),
        Row("the longest length", NetlinkMessage.make(16, length: Int(UInt32.max), []), [.incomplete]),
        Row("a link without a body, and one with", NetlinkMessage.make(16, [0]) + eth0, [.incomplete, eth0News]),
        Row("a link of index zero", NetlinkMessage.link(index: 0), [.incomplete]),
        Row(
            "an attribute of length zero",
            NetlinkMessage.link(index: 1, attributes: NetlinkMessage.attribute(3, [97, 0], length: 0)), [.incomplete]),
        Row(
            "an attribute beyond the end",
            NetlinkMessage.link(index: 1, attributes: NetlinkMessage.attribute(3, [97, 0], length: 200)), [.incomplete]),
        Row("half an attribute", NetlinkMessage.link(index: 1, attributes: [4, 0, 1, 0, 1]), [.incomplete]),
        Row(
            "numbers that are too short, a name without an end, a hardware address without one",
            NetlinkMessage.link(
                index: 1,
                attributes: NetlinkMessage.attribute(4, [1]) + NetlinkMessage.attribute(3, [97])
                    + NetlinkMessage.attribute(1, [UInt8](repeating: 1, count: 33))),
            [.link(index: 1, name: "a", flags: [], mtu: nil, hardwareAddress: nil)]),
        Row("an address without one", NetlinkMessage.address(family: 2, prefix: 8, index: 1), [.incomplete]),
        Row(
            "an address of five bytes",
            NetlinkMessage.address(
                family: 2, prefix: 8, index: 1, attributes: NetlinkMessage.attribute(2, [1, 2, 3, 4, 5])), [.incomplete]
        ),
        Row(
            "a prefix longer than the address",
            NetlinkMessage.address(
                family: 2, prefix: 33, index: 1, attributes: NetlinkMessage.attribute(2, [1, 2, 3, 4])), [.incomplete]),
        Row("a refusal without a number", NetlinkMessage.make(2, [1]), [.incomplete]),
        Row(
            "the refusal that has no opposite", NetlinkMessage.make(2, NetlinkMessage.bytes(Int32.min)),
            [.refused(SystemError(rawValue: .max))]),
    ])
    func next_ofNonsense_saysSo(_ row: Row) {
        #expect(news(row.bytes) == row.news)
    }

    @Test func next_cutAnywhere_isIncompleteOrShorter() {
        let whole = NetlinkParserTests.eth0 + NetlinkParserTests.v4
        for count in 1..<whole.count {
            let found = news(Array(whole[..<count]))
            if count < NetlinkParserTests.eth0.count {
                #expect(found == [.incomplete], "\(count)")
            } else if count == NetlinkParserTests.eth0.count {
                #expect(found == [NetlinkParserTests.eth0News])
            } else {
                #expect(found == [NetlinkParserTests.eth0News, .incomplete], "\(count)")
            }
        }
    }

    @Test func next_ofRandomBytes_ends() {
        var random = SplitMix(42)
        let whole = NetlinkParserTests.eth0 + NetlinkParserTests.v4 + NetlinkParserTests.eth0
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int(random.next() % 6) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            #expect(news(bytes).count <= whole.count / 8)
        }
    }

    private func news(_ bytes: [UInt8]) -> [InterfaceNews] {
        // A copy of exactly this size, so that a sanitizer sees a read behind it.
        bytes.withUnsafeBytes { bytes in
            var parser = NetlinkParser(bytes)
            var found: [InterfaceNews] = []
            while let next = parser.next() { found.append(next) }
            return found
        }
    }
}
