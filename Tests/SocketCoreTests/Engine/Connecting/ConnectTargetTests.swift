import Testing

@testable import SocketCore

@Suite struct ConnectTargetTests {
    static let loopbacks = SocketAddress.Family.internet

    @Test(arguments: loopbacks, loopbacks)
    func address_isReachedFromItsFamilyOnly(_ family: SocketAddress.Family, _ bound: SocketAddress.Family) throws {
        let target = ConnectTarget.address(.loopback(family, port: 9))
        guard family == bound else {
            #expect(throws: Failure.self) { try target.limited(to: bound) }
            return
        }
        guard case .address(.loopback(family, port: 9)) = try target.limited(to: bound) else {
            Issue.record("another address")
            return
        }
    }

    @Test(arguments: loopbacks, [[HappyEyeballsFamily.ipv4], [.ipv6], [.ipv4, .ipv6]])
    func name_isLookedUpForTheBoundFamilyOnly(
        _ bound: SocketAddress.Family, _ families: [HappyEyeballsFamily]
    ) throws {
        let target = ConnectTarget.name("host", port: 9, families: Set(families))
        guard families.contains(HappyEyeballsFamily(bound)) else {
            let problem = "the socket is bound to an \(bound == .v4 ? "IPv4" : "IPv6") address"
            #expect(throws: Failure.invalidArgument(.init("family", problem))) { try target.limited(to: bound) }
            return
        }
        guard case .name("host", port: 9, let limited, resolver: nil) = try target.limited(to: bound) else {
            Issue.record("another name")
            return
        }
        #expect(limited == [HappyEyeballsFamily(bound)])
    }
}
