import SocketCore
import Testing

@Suite struct InterfaceMachineTests {
    private static let one = InterfaceRecord.Address(SocketAddress(v4: 0x0a00_0001), prefixLength: 8)
    private static let two = InterfaceRecord.Address(SocketAddress(v4: 0x0a00_0002), prefixLength: 8)
    private static let wide = InterfaceRecord.Address(SocketAddress(v4: 0x0a00_0001), prefixLength: 16)
    private static let broad = InterfaceRecord.Address(
        SocketAddress(v4: 0x0a00_0001), prefixLength: 8, broadcast: SocketAddress(v4: 0x0aff_ffff))
    private static func record(
        _ index: UInt32 = 2, _ name: String = "eth0", _ flags: InterfaceRecord.Flags = .up, mtu: Int = 1500,
        _ addresses: [InterfaceRecord.Address] = []
    ) -> InterfaceRecord {
        InterfaceRecord(index: index, name: name, flags: flags, mtu: mtu, hardwareAddress: [1], addresses: addresses)
    }
    private static func link(
        _ index: UInt32 = 2, _ name: String? = "eth0", _ flags: InterfaceRecord.Flags = .up, mtu: Int? = 1500,
        hardware: [UInt8]? = [1]
    ) -> InterfaceNews {
        .link(index: index, name: name, flags: flags, mtu: mtu, hardwareAddress: hardware)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let known: [InterfaceRecord]
        let news: InterfaceNews
        let changes: [InterfaceMachine.Change]
        /// Nil: as before.
        let after: [InterfaceRecord]

        init(
            _ name: String, _ known: [InterfaceRecord], _ news: InterfaceNews, _ changes: [InterfaceMachine.Change],
            _ after: [InterfaceRecord]? = nil
        ) {
            testDescription = name
            self.known = known
            self.news = news
            self.changes = changes
            self.after = after ?? known
        }
    }

    @Test(arguments: [
        Row("a link comes", [], link(), [.came(record())], [record()]),
        Row("one without a name does not", [], link(2, nil), []),
        Row("a link is told again", [record(2, "eth0", .up, [one])], link(), []),
        Row(
            "less is told of it than is known", [record()], link(2, nil, [], mtu: nil, hardware: nil),
            [.changed(record(2, "eth0", []), before: record())], [record(2, "eth0", [])]),
        Row(
            "it gets another name, keeping its addresses", [record(2, "eth0", .up, [one])], link(2, "wan"),
            [.changed(record(2, "wan", .up, [one]), before: record(2, "eth0", .up, [one]))],
            [record(2, "wan", .up, [one])]),
        Row(
            "its MTU", [record()], link(mtu: 9000), [.changed(record(mtu: 9000), before: record())], [record(mtu: 9000)]
        ),
        Row(
            "it goes", [record(2, "eth0", .up, [one])], .linkGone(index: 2), [.went(record(2, "eth0", .up, [one]))], []),
        Row("one goes that was not there", [record()], .linkGone(index: 3), []),
        Row(
            "an address comes", [record()], .address(one, index: 2), [.gained(one, record(2, "eth0", .up, [one]))],
            [record(2, "eth0", .up, [one])]),
        Row("it is told again", [record(2, "eth0", .up, [one])], .address(one, index: 2), []),
        Row(
            "the same with another prefix is another one", [record(2, "eth0", .up, [one])], .address(wide, index: 2),
            [.gained(wide, record(2, "eth0", .up, [one, wide]))], [record(2, "eth0", .up, [one, wide])]),
        Row(
            "the same with a broadcast address takes its place", [record(2, "eth0", .up, [one])],
            .address(broad, index: 2),
            [.lost(one, record(2, "eth0", .up, [broad])), .gained(broad, record(2, "eth0", .up, [broad]))],
            [record(2, "eth0", .up, [broad])]),
        Row("an address of nobody", [record()], .address(one, index: 9), []),
        Row(
            "an address goes", [record(2, "eth0", .up, [one, two])], .addressGone(one, index: 2),
            [.lost(one, record(2, "eth0", .up, [two]))], [record(2, "eth0", .up, [two])]),
        Row("one goes that was not there", [record(2, "eth0", .up, [one])], .addressGone(two, index: 2), []),
        Row("one of nobody goes", [record()], .addressGone(two, index: 9), []),
        Row("nothing that changes anything", [record()], .done, []),
        Row("something lost", [record()], .incomplete, []),
    ])
    func apply_ofNews_tellsWhatIsDifferent(_ row: Row) {
        var machine = InterfaceMachine(row.known)
        #expect(machine.apply(row.news) == row.changes)
        #expect(machine.interfaces == row.after)
    }

    @Test func replace_withAnotherList_tellsTheDifference() {
        let before = [
            Self.record(1, "lo"), Self.record(2, "eth0", .up, [Self.one, Self.two]),
            Self.record(3, "gone", .up, [Self.one]),
        ]
        let after = [
            Self.record(1, "lo"), Self.record(2, "wan", [], [Self.two, Self.wide]),
            Self.record(4, "new", .up, [Self.one]),
        ]
        var machine = InterfaceMachine(before)
        #expect(
            machine.replace(with: after) == [
                .went(before[2]),
                .lost(Self.one, after[1]),
                .changed(after[1], before: before[1]),
                .gained(Self.wide, after[1]),
                .came(after[2]),
            ])
        #expect(machine.interfaces == after)
        #expect(machine.replace(with: after).isEmpty)
    }

    @Test func replace_inAnotherOrder_tellsNothing() {
        var machine = InterfaceMachine([Self.record(1, "lo"), Self.record(2, "eth0", .up, [Self.one, Self.two])])
        #expect(
            machine.replace(with: [Self.record(2, "eth0", .up, [Self.two, Self.one]), Self.record(1, "lo")]).isEmpty)
    }

    @Test func apply_ofNewsOlderThanTheList_endsWithTheList() {
        // The list was read after the address had come, gone and come again; the kernel tells of it afterwards.
        let list = [Self.record(2, "eth0", .up, [Self.one])]
        var machine = InterfaceMachine(list)
        var changes: [InterfaceMachine.Change] = []
        for news in [
            InterfaceNews.address(Self.one, index: 2), .addressGone(Self.one, index: 2), .address(Self.one, index: 2),
        ] {
            changes += machine.apply(news)
        }
        #expect(machine.interfaces == list)
        #expect(changes == [.lost(Self.one, Self.record()), .gained(Self.one, list[0])])
    }
}
