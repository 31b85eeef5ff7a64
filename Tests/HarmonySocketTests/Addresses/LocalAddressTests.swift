import HarmonySocket
import Testing

@Suite(.bounded) struct LocalAddressTests {
    @Test func address_printsItself() {
        #expect(LocalAddress("/run/a.socket").description == "/run/a.socket")
        #expect(LocalAddress.abstract("a").description == "@a")
        #expect(LocalAddress.unnamed.description == "(unnamed)")
        #expect(LocalAddress("/run/a.socket").address == "/run/a.socket")
        #expect(LocalAddress.unnamed.address == "")
        let literal: LocalAddress = "/x"
        #expect(literal == LocalAddress(path: [0x2F, 0x78]) && literal.kind == .path)
        #expect(LocalAddress.abstract("/x") != literal)
        #expect(LocalAddress.Kind.allCases.count == 3)
    }

    private static let longestPath = isLinux ? 107 : 103

    @Test(arguments: [
        LocalAddress(String(repeating: "a", count: 200)),
        LocalAddress(String(repeating: "a", count: longestPath + 1)),
        LocalAddress(""), LocalAddress("/tmp/a\0b"), LocalAddress("\0abstract"), .unnamed,
        .abstract(""), .abstract(String(repeating: "a", count: 108)),
    ])
    func address_thatCannotBe_isRefusedByAll(_ address: LocalAddress) async throws {
        let errors = [
            await failure { () async throws(SocketError) in try await LocalSocketServer().listen(address) },
            await failure { () async throws(SocketError) in try await LocalSocket().bind(address) },
            await failure { () async throws(SocketError) in try await LocalSocket().connect(to: address) },
        ]
        for (error, operation) in zip(errors, [SocketOperation.listen, .bind, .connect]) {
            #expect(error?.kind == .invalidArgument && error?.field == "address" && error?.code == 401)
            #expect(error?.operation == operation)
        }
    }

    @Test func address_ofTheGreatestLength_isWhole() async throws {
        let directory = try TemporaryDirectory()
        let name = String(repeating: "a", count: LocalAddressTests.longestPath - directory.path.utf8.count - 1)
        let server = LocalSocketServer()
        try await server.listen(directory.address(name))
        #expect(directory.look(name)?.hasPrefix("socket") == true)
        #expect(try await server.getLocalAddress() == directory.address(name))
        let client = LocalSocket()
        try await client.connect(to: directory.address(name))
        #expect(client.remoteAddress == directory.address(name))
        await client.close()
        await server.close()
        #expect(directory.look(name) == nil)
    }

    @Test(.enabled(if: isLinux)) func abstractName_isExactlyAsLong() async throws {
        let name = Array("harmony-\(RawLocal.identity.process)".utf8)
        let server = LocalSocketServer()
        try await server.listen(.abstract(name))
        #expect(try await server.getLocalAddress() == .abstract(name))
        let client = LocalSocket()
        let error = await failure { () async throws(SocketError) in try await client.connect(to: .abstract(name + [0]))
        }
        #expect(error?.kind == .connectionRefused)
        let longest = LocalAddress.abstract(name + [0] + [UInt8](repeating: 0x61, count: 106 - name.count))
        let other = LocalSocketServer()
        try await other.listen(longest)
        #expect(other.localAddress == longest && longest.bytes.count == 107)
        let second = LocalSocket()
        try await second.connect(to: longest)
        #expect(second.remoteAddress == longest)
        await second.close()
        await other.close()
        await server.close()
    }

    @Test func netAddress_ofTheLocalFamily_isRefused() async {
        let error = await failure { () async throws(SocketError) in
            try await TCPSocket().connect(to: NetAddress("/tmp/a", port: 1, family: .local))
        }
        #expect(error?.kind == .invalidArgument && error?.field == "family")
        let lookUp = await failure { () async throws(SocketError) in
            try await SystemResolver().resolve("localhost", family: .local)
        }
        #expect(lookUp?.kind == .invalidArgument)
    }
}
