import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct NetAddressTests {
    @Test(arguments: [
        (NetAddress("127.0.0.1", port: 80), "127.0.0.1:80"),
        (NetAddress("::1", port: 7007), "[::1]:7007"),
        (NetAddress("fe80::1%lo", port: 1), "[fe80::1%lo]:1"),
        (NetAddress("example.org", port: 443, family: .domain), "example.org:443"),
        (NetAddress.any, "0.0.0.0:0"),
    ])
    func description_showsAddressAndPort(_ address: NetAddress, _ text: String) {
        #expect(address.description == text)
        #expect("\(address)" == text)
    }

    @Test func init_withoutPortAndFamily_leavesThemOpen() {
        let address = NetAddress("::1")
        #expect(address.port == 0)
        #expect(address.family == nil)
        #expect(address == NetAddress("::1", port: 0, family: nil))
        #expect(address != NetAddress("::1", port: 1))
        #expect(address != NetAddress("::1", family: .ipv6))
        #expect(Set([address, NetAddress("::1"), NetAddress("::2")]).count == 2)
    }

    @Test(arguments: [
        NetAddress("127.0.0.1", port: 80), NetAddress("::1", port: 7, family: .ipv6),
        NetAddress("example.org", port: 65_535, family: .domain), NetAddress("not checked here", port: -5),
    ])
    func codable_roundTrip_isEqual(_ address: NetAddress) throws {
        let data = try JSONEncoder().encode(address)
        #expect(try JSONDecoder().decode(NetAddress.self, from: data) == address)
    }

    @Test func addressFamily_rawValues_areOpenHarmonys_andZeroForLocal() throws {
        #expect(AddressFamily.allCases.map(\.rawValue) == [1, 2, 3, 0])
        #expect(AddressFamily(rawValue: 1) == .ipv4)
        #expect(AddressFamily(rawValue: 2) == .ipv6)
        #expect(AddressFamily(rawValue: 3) == .domain)
        #expect(AddressFamily(rawValue: 0) == .local)
        #expect(AddressFamily(rawValue: 4) == nil)
        let data = try JSONEncoder().encode(AddressFamily.allCases)
        #expect(String(decoding: data, as: UTF8.self) == "[1,2,3,0]")
        #expect(try JSONDecoder().decode([AddressFamily].self, from: data) == AddressFamily.allCases)
    }

    // MARK: What cannot be

    /// An address that is refused, and the field that the error names.
    struct Refused: Sendable, CustomTestStringConvertible {
        let address: NetAddress
        let field: String

        init(_ text: String, port: Int = 7007, family: AddressFamily? = nil, field: String) {
            address = NetAddress(text, port: port, family: family)
            self.field = field
        }

        var testDescription: String { "\(address.description.prefix(40)) \(address.family.map { "\($0)" } ?? "")" }
    }

    static let refusedEverywhere = [
        Refused("127.0.0.1", port: 70_000, field: "port"),
        Refused("127.0.0.1", port: 65_536, field: "port"),
        Refused("127.0.0.1", port: -1, field: "port"),
        Refused("::1", port: .max, field: "port"),
        Refused("", field: "address"),
        Refused(" ", field: "address"),
        Refused("127.0.0.1 ", field: "address"),
        Refused("256.0.0.1", field: "address"),
        Refused("1.2.3", field: "address"),
        Refused("1.2.3.4.5", field: "address"),
        Refused("01.02.03.04567", field: "address"),
        Refused("[::1]", field: "address"),
        Refused("::g", field: "address"),
        Refused("1::2::3", field: "address"),
        Refused("::1%nosuchzone0", field: "address"),
        Refused("a..b", field: "address"),
        Refused(".a", field: "address"),
        Refused("under score", field: "address"),
        Refused("nul\0byte", field: "address"),
        Refused(String(repeating: "a", count: 64) + ".org", field: "address"),
        Refused(String(repeating: "abcdefg.", count: 32), field: "address"),
        Refused("::1", family: .ipv4, field: "family"),
        Refused("127.0.0.1", family: .ipv6, field: "family"),
        Refused("127.0.0.1", family: .domain, field: "family"),
        Refused("::1", family: .domain, field: "family"),
    ]

    private func check(_ error: SocketError?, _ refused: Refused, _ operation: SocketOperation) {
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == refused.field)
        #expect(error?.code == 401)
        #expect(error?.operation == operation)
        #expect(error?.systemError == nil)
    }

    @Test(arguments: refusedEverywhere)
    func tcpBind_ofImpossibleAddress_isRefusedBeforeAnythingIsOpened(_ refused: Refused) async throws {
        let socket = TCPSocket()
        check(await failure { () async throws(SocketError) in try await socket.bind(refused.address) }, refused, .bind)
        let result: Result<Void, SocketError> = try await answer { socket.bind(refused.address, completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        #expect(await socket.getSocketFd() == -1)
        #expect(socket.state.description == "fresh")
        // Nothing is lost: the socket can still be bound.
        try await socket.bind(NetAddress("127.0.0.1"))
        await socket.close()
    }

    @Test(arguments: refusedEverywhere)
    func connect_toImpossibleAddress_isRefusedWithoutSideEffect(_ refused: Refused) async throws {
        let socket = TCPSocket()
        let error = await failure { () async throws(SocketError) in try await socket.connect(to: refused.address) }
        check(error, refused, .connect)
        let result: Result<Void, SocketError> = try await answer { socket.connect(to: refused.address, completion: $0) }
        if case .failure(let error) = result { check(error, refused, .connect) } else { Issue.record("it connected") }
        #expect(socket.state.description == "fresh")
        #expect(await socket.getSocketFd() == -1)
        await socket.close()
    }

    @Test(arguments: refusedEverywhere)
    func listen_onImpossibleAddress_isRefusedBeforeAnythingIsOpened(_ refused: Refused) async throws {
        let server = TCPSocketServer()
        check(
            await failure { () async throws(SocketError) in try await server.listen(refused.address) }, refused, .listen
        )
        let result: Result<Void, SocketError> = try await answer { server.listen(refused.address, completion: $0) }
        if case .failure(let error) = result { check(error, refused, .listen) } else { Issue.record("it listens") }
        #expect(await server.getSocketFd() == -1)
        #expect(server.state.description == "fresh")
        await server.close()
    }

    @Test(arguments: refusedEverywhere)
    func udp_withImpossibleAddress_isRefusedBeforeAnythingIsOpened(_ refused: Refused) async throws {
        let socket = UDPSocket()
        check(await failure { () async throws(SocketError) in try await socket.bind(refused.address) }, refused, .bind)
        check(
            await failure { () async throws(SocketError) in try await socket.send("x", to: refused.address) }, refused,
            .send)
        let result: Result<Void, SocketError> = try await answer {
            socket.send("x", to: refused.address, completion: $0)
        }
        if case .failure(let error) = result { check(error, refused, .send) } else { Issue.record("it was sent") }
        #expect(await socket.getSocketFd() == -1)
        #expect(socket.state.description == "fresh")
        await socket.close()
    }

    @Test func name_whereNoneIsLookedUp_isRefused() async {
        let name = Refused("example.org", field: "address")
        check(
            await failure { () async throws(SocketError) in try await TCPSocket().bind(name.address) }, name, .bind)
        check(
            await failure { () async throws(SocketError) in try await UDPSocket().bind(name.address) }, name, .bind)
        check(
            await failure { () async throws(SocketError) in try await TCPSocketServer().listen(name.address) }, name,
            .listen)
        check(
            await failure { () async throws(SocketError) in try await UDPSocket().send("x", to: name.address) }, name,
            .send)
    }

    @Test func portZero_asDestination_isRefused() async {
        let zero = Refused("127.0.0.1", port: 0, field: "port")
        check(
            await failure { () async throws(SocketError) in try await TCPSocket().connect(to: zero.address) }, zero,
            .connect)
        check(
            await failure { () async throws(SocketError) in try await UDPSocket().send("x", to: zero.address) }, zero,
            .send)
    }

    // MARK: What can

    @Test(arguments: [(nil, "127.0.0.1"), (AddressFamily.ipv4, "127.0.0.1"), (.ipv6, "::1")])
    func localhost_isTheLoopbackOfItsFamily(_ family: AddressFamily?, _ expected: String) async throws {
        let socket = UDPSocket()
        try await socket.bind(NetAddress("localhost", family: family))
        #expect(try await socket.getLocalAddress().address == expected)
        await socket.close()
    }

    @Test(arguments: [
        ("::0001", "::1"), ("::ffff:127.0.0.1", "::ffff:127.0.0.1"), ("0:0:0:0:0:0:0:1", "::1"),
        ("127.0.0.1", "127.0.0.1"),
    ])
    func literal_comesBackInItsUsualForm(_ given: String, _ expected: String) async throws {
        let socket = UDPSocket()
        try await socket.bind(NetAddress(given))
        let address = try await socket.getLocalAddress()
        #expect(address.address == expected)
        #expect(address.family == (expected.contains(":") ? .ipv6 : .ipv4))
        #expect(address.port > 0)
        await socket.close()
    }
}
