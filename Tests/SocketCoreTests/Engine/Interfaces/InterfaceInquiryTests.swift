import SocketCore
import Testing

@Suite struct InterfaceInquiryTests {
    @Test func interfaces_hasTheLoopbackInterface() throws {
        let interfaces = try InterfaceInquiry().interfaces()
        let loopback = try #require(interfaces.first { $0.flags.contains(.loopback) })
        #expect(loopback.flags.contains(.up))
        #expect(loopback.mtu > 0)
        #expect(InterfaceCalls.index(of: loopback.name).map(UInt32.init) == loopback.index)
        #expect(loopback.addresses.contains { $0.address == .loopback(.v4) && $0.prefixLength == 8 })
        #expect(interfaces.map(\.index) == interfaces.map(\.index).sorted())
    }

    // On Linux the kernel is asked directly; elsewhere this call answers.
    @Test func interfaces_agreesWithTheCLibrary() throws {
        // Other tests may be changing interfaces; once the two must agree.
        let agrees = try (0..<50).contains { _ in
            try InterfaceInquiry().interfaces().map(comparable)
                == InterfaceNewsCalls.listPortably().get().map(comparable)
        }
        #expect(agrees)
    }

    @Test func interfaces_askedForAgain_areTheSame() throws {
        let inquiry = try InterfaceInquiry()
        let agrees = try (0..<50).contains { _ in try inquiry.interfaces() == inquiry.interfaces() }
        #expect(agrees)
    }

    private func comparable(_ record: InterfaceRecord) -> InterfaceRecord {
        var record = record
        // getifaddrs(3) has one place for the broadcast address and the other end.
        record.addresses = record.addresses.map { InterfaceRecord.Address($0.address, prefixLength: $0.prefixLength) }
        record.addresses.sort { "\($0)" < "\($1)" }
        return record
    }
}
