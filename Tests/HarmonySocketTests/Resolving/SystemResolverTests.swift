import HarmonySocket
import Testing

@Suite(.bounded) struct SystemResolverTests {
    @Test func localhost_hasLoopbackAddresses() async throws {
        let found = try await SystemResolver().resolve("localhost")
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { ["127.0.0.1", "::1"].contains($0.address) && $0.port == 0 })
        let ipv4 = try await SystemResolver().resolve("localhost", family: .ipv4)
        #expect(ipv4 == [NetAddress("127.0.0.1", family: .ipv4)])
    }

    @Test(arguments: [("192.0.2.9", AddressFamily.ipv4), ("2001:db8::9", .ipv6)])
    func literal_isItself_inItsFamilyOnly(_ literal: String, _ family: AddressFamily) async throws {
        #expect(try await SystemResolver().resolve(literal).map(\.address) == [literal])
        #expect(try await SystemResolver().resolve(literal, family: family).map(\.address) == [literal])
        let other = await failure { () async throws(SocketError) in
            try await SystemResolver().resolve(literal, family: family == .ipv4 ? .ipv6 : .ipv4)
        }
        #expect(other?.kind == .unknownHost)
    }

    @Test(arguments: [AddressFamily.ipv4, .ipv6, .domain])
    func nameThatDoesNotExist_saysSo(_ family: AddressFamily) async throws {
        let name = "no-such-host.invalid"
        let error = await failure { () async throws(SocketError) in
            try await SystemResolver().resolve(name, family: family)
        }
        // Without a name server the look-up fails; with one the name does not exist (RFC 6761).
        #expect(error?.kind == .unknownHost || error?.kind == .lookupFailed)
        #expect(error?.operation == .resolve)
        #expect(error?.description.hasPrefix("look-up of \(name): ") == true)
    }

    @Test func cancelledTask_stopsWaiting() async throws {
        let task = Task {
            await failure { () async throws(SocketError) in try await SystemResolver().resolve("no-such-host.invalid") }
        }
        task.cancel()
        // It may have been quick.
        let kind = try await within { await task.value }?.kind
        #expect(kind == .cancelled || kind == .unknownHost || kind == .lookupFailed)
    }
}
