import HarmonySocket
import Testing

@Suite(.bounded) struct SocketResolverTests {
    private struct OwnError: Error, CustomStringConvertible { let description = "the name service is on fire" }

    private func connect(
        to address: NetAddress, asking resolver: any SocketResolver, timeout: Duration? = .seconds(10)
    ) async -> SocketError? {
        let socket = TCPSocket(resolver: resolver)
        let error = await failure { () async throws(SocketError) in
            try await socket.connect(to: address, timeout: timeout)
        }
        #expect(socket.state.isClose)
        return error
    }

    // MARK: What it is asked

    @Test func connect_toAName_asksForTheFamiliesThatAreWanted() async throws {
        let (server, address) = try await makeServer()
        for (family, wanted) in [
            (nil, ["host.example ipv4", "host.example ipv6"]), (.domain, ["host.example ipv4", "host.example ipv6"]),
            (.ipv4, ["host.example ipv4"]),
        ] as [(AddressFamily?, [String])] {
            let resolver = ScriptedResolver(["127.0.0.1"])
            let socket = TCPSocket(resolver: resolver)
            try await socket.connect(to: NetAddress("host.example", port: address.port, family: family))
            #expect(socket.remoteAddress == address)
            #expect(resolver.asked.events.sorted() == wanted)
            await socket.close()
        }
        await server.close()
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func connect_toALiteral_asksNobody(_ host: String) async throws {
        let (server, address) = try await makeServer()
        let resolver = ScriptedResolver { _, _ in throw OwnError() }
        let socket = TCPSocket(resolver: resolver)
        let result: Result<Void, SocketError> = try await answer {
            socket.connect(to: NetAddress(host, port: address.port), completion: $0)
        }
        try result.get()
        #expect(resolver.asked.events.isEmpty)
        await socket.close()
        await server.close()
    }

    @Test func socket_unlessToldOtherwise_asksTheSystem() {
        #expect(TCPSocket().resolver is SystemResolver)
    }

    // MARK: What it answers

    @Test func answerWithoutAddresses_isAnUnknownHost() async throws {
        let error = await connect(to: NetAddress("nobody.example", port: 80), asking: ScriptedResolver([]))
        #expect(error?.kind == .unknownHost)
        #expect(error?.description == "connect to nobody.example:80: no host is called nobody.example")
        #expect(error?.attempts.isEmpty == true)
    }

    @Test func answerOfTheOtherFamily_isNone() async throws {
        let address = NetAddress("host.example", port: 80, family: .ipv6)
        #expect(await connect(to: address, asking: ScriptedResolver(["127.0.0.1"]))?.kind == .unknownHost)
    }

    @Test(arguments: [["elsewhere.example"], [""], ["1.2.3"], ["127.0.0.1:80", "[::1]"], ["a b", "\0"]])
    func answerThatIsNoAddress_isAFailedLookUp(_ garbage: [String]) async throws {
        let error = await connect(to: NetAddress("host.example", port: 80), asking: ScriptedResolver(garbage))
        #expect(error?.kind == .lookupFailed)
        #expect(error?.message == "looking up host.example failed: \"\(garbage[0])\" is not an IP address")
    }

    @Test func garbageAmongAddresses_isLeftOut() async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket(resolver: ScriptedResolver(["garbage", "127.0.0.1", ""]))
        try await socket.connect(to: NetAddress("host.example", port: address.port))
        #expect(socket.remoteAddress == address)
        await socket.close()
        await server.close()
    }

    @Test func errorOfItsOwn_isAFailedLookUp_thatSaysWhy() async throws {
        let resolver = ScriptedResolver { _, _ in throw OwnError() }
        let error = await connect(to: NetAddress("host.example", port: 80), asking: resolver)
        #expect(error?.kind == .lookupFailed)
        #expect(error?.code == 2_301_302)
        #expect(
            error?.description
                == "connect to host.example:80: looking up host.example failed: the name service is on fire")
    }

    /// A resolver that asks the system fails as the system does.
    @Test func errorOfTheSystemsResolver_staysWhatItIs() async throws {
        let system = await failure { () async throws(SocketError) in
            _ = try await SystemResolver().resolve("no-such-host.invalid", family: .ipv4)
        }
        let resolver = ScriptedResolver { name, _ in try await SystemResolver().resolve(name, family: .ipv4) }
        let error = await connect(to: NetAddress("no-such-host.invalid", port: 80), asking: resolver)
        #expect(error?.kind == system?.kind)
        #expect(error?.message == system?.message)
        #expect(error?.operation == .connect)
    }

    @Test func failureOfOneFamily_leavesTheOther() async throws {
        let (server, address) = try await makeServer()
        let resolver = ScriptedResolver { _, family in
            if family == .ipv6 { throw OwnError() }
            return [NetAddress("127.0.0.1", port: 1)]
        }
        let socket = TCPSocket(resolver: resolver)
        try await socket.connect(to: NetAddress("host.example", port: address.port))
        #expect(socket.remoteAddress == address, "the port is the one that was asked for")
        await socket.close()
        // With nothing of the other family, the failure says more than "unknown".
        let failing = ScriptedResolver { _, family in
            if family == .ipv6 { throw OwnError() }
            return []
        }
        #expect(await connect(to: NetAddress("host.example", port: 80), asking: failing)?.kind == .lookupFailed)
        await server.close()
    }

    // MARK: One that never answers

    @Test func resolverThatNeverAnswers_isBoundedByTheTimeout() async throws {
        let resolver = StuckResolver()
        let start = ContinuousClock.now
        let error = await connect(
            to: NetAddress("host.example", port: 80), asking: resolver, timeout: .milliseconds(60))
        #expect(ContinuousClock.now - start >= .milliseconds(60))
        #expect(error?.kind == .timedOut)
        #expect(error?.code == 2_301_110)
        #expect(error?.systemError == nil)
        #expect(error?.description == "connect to host.example:80: timed out while host.example was looked up")
        resolver.release()
    }

    @Test func resolverThatNeverAnswers_isLeftByCancellationAndClose_andKeepsNoSocket() async throws {
        let resolver = StuckResolver()
        let address = NetAddress("host.example", port: 80)
        let cancelled = Outcome<SocketError?>()
        let aborted = Outcome<SocketError?>()
        let sockets: [Weak<TCPSocket>]
        do {
            let (first, second) = (TCPSocket(resolver: resolver), TCPSocket(resolver: resolver))
            sockets = [Weak(first), Weak(second)]
            let task = Task {
                await failure { () async throws(SocketError) in try await first.connect(to: address, timeout: nil) }
            }
            second.connect(to: address, timeout: nil) { result in
                if case .failure(let error) = result { aborted.set(.success(error)) }
            }
            try await resolver.asked.wait(count: 4)
            task.cancel()
            cancelled.set(.success(try await within { await task.value }))
            await second.close()
        }
        #expect(try await cancelled.value?.kind == .cancelled)
        #expect(try await within { try await aborted.value }?.kind == .aborted)
        try await eventually("the sockets are gone") { sockets.allSatisfy { $0.value == nil } }
        resolver.release()
    }

    /// A socket without any other reference waits for its resolver, and hears the answer.
    @Test func pendingConnect_keepsTheSocketAlive() async throws {
        let (server, address) = try await makeServer()
        let release = Outcome<[NetAddress]>()
        let resolver = ScriptedResolver { _, _ in try await release.value }
        let result: Result<Void, SocketError> = try await answer { handler in
            TCPSocket(resolver: resolver)
                .connect(to: NetAddress("host.example", port: address.port), completion: handler)
            release.set(.success([NetAddress("127.0.0.1")]))
        }
        try result.get()
        await server.close()
    }
}
