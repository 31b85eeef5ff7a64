import HarmonySocket
import Testing

/// Connecting to names: several addresses, some of them dead.
@Suite(.bounded) struct TCPSocketConnectTests {
    /// Listeners at addresses of 127.0.0.0/8, all with one port, that answer nobody.
    private func makeSilentListeners(_ hosts: ClosedRange<Int>) throws -> [SilentListener] {
        var listeners: [SilentListener] = []
        for host in hosts {
            listeners.append(try SilentListener(at: NetAddress("127.0.0.\(host)", port: listeners.first?.port ?? 0)))
        }
        return listeners
    }

    // MARK: Every attempt in the error

    /// Five refuse, five never answer. None is given up before time is over, and the error tells of all.
    @Test(.enabled(if: Loopback.isNetwork, "needs 127.0.0.2"))
    func tenDeadAddresses_areAllInTheError() async throws {
        let silent = try makeSilentListeners(6...10)
        let port = silent[0].port
        // Those of 127.0.1.0 are nobody's but this test's.
        let hosts = (1...5).map { "127.0.1.\($0)" } + (6...10).map { "127.0.0.\($0)" }
        let socket = TCPSocket(resolver: ScriptedResolver(hosts))
        // The last one starts after a second, and later on a busy machine.
        let limit = Duration.milliseconds(2500)
        let error = try #require(
            await failure { () async throws(SocketError) in
                try await socket.connect(to: NetAddress("ten.example", port: port), timeout: limit)
            })
        #expect(error.kind == .timedOut)
        #expect(error.attempts.map(\.address) == hosts.map { NetAddress($0, port: port, family: .ipv4) })
        #expect(
            error.attempts.map(\.error.name)
                == Array(repeating: "ECONNREFUSED", count: 5) + Array(repeating: "ETIMEDOUT", count: 5))
        let (dead, mute) = (hosts[..<5].joined(separator: ", "), hosts[5...].joined(separator: ", "))
        #expect(
            error.description == "connect to ten.example:\(port): 10 addresses failed: "
                + "connection refused (ECONNREFUSED) at \(dead); \(error.attempts[5].error) at \(mute)")
        let durations = error.attempts.map(\.duration)
        #expect(durations[..<5].allSatisfy { $0 < .milliseconds(250) }, "a refusal does not wait")
        #expect(durations[5] <= limit + .seconds(1))
        for (earlier, later) in zip(durations[5...], durations[6...]) {
            #expect(earlier - later >= .milliseconds(249), "the next starts 250 ms later, and the earlier goes on")
        }
        #expect("\(error.attempts[0])".hasPrefix("127.0.1.1:\(port): connection refused (ECONNREFUSED) after "))
        #expect("\(error.attempts[0])".contains(#/ after \d+\.\d (µs|ms)$/#))
        #expect("\(error.attempts[5])".hasSuffix(" s"))
        if ProcessFacts.hasProc { #expect(ProcessFacts.connecting(to: port) == 0) }
    }

    // MARK: Racing

    /// A server on IPv4, and at the same port on IPv6 nobody who answers.
    private func makeServerWithSilentTwin() async throws -> (TCPSocketServer, NetAddress, SilentListener) {
        for _ in 0..<20 {
            let (server, address) = try await makeServer()
            // Somebody else may have that port on IPv6.
            if let silent = try? SilentListener(at: Loopback.ipv6.address(address.port)) {
                return (server, address, silent)
            }
            await server.close()
        }
        throw WaitTimedOut(what: "a port that is free on both")
    }

    /// What a network looks like that announces IPv6 and loses it.
    @Test func firstAddressNeverAnswers_nextIsTriedBesideIt_andWins() async throws {
        let (server, address, silent) = try await makeServerWithSilentTwin()
        var best = Duration.seconds(60)
        for _ in 0..<5 {
            let socket = TCPSocket(resolver: ScriptedResolver(["::1", "127.0.0.1"]))
            let start = ContinuousClock.now
            try await socket.connect(to: NetAddress("host.example", port: silent.port))
            best = min(best, ContinuousClock.now - start)
            #expect(socket.remoteAddress == address)
            // Its other attempt is closed already.
            if ProcessFacts.hasProc { #expect(ProcessFacts.connecting(to: silent.port) == 0) }
            await socket.close()
        }
        #expect(best >= .milliseconds(250) && best < .milliseconds(400), "\(best)")
        await server.close()
    }

    /// An attempt that is slow and good wins, though others have begun meanwhile: it was not given up.
    @Test(.enabled(if: Loopback.isNetwork && ProcessFacts.hasProc, "needs 127.0.0.2 and /proc"))
    func slowAttempt_isNotGivenUp() async throws {
        let silent = try makeSilentListeners(2...4)
        let port = silent[0].port
        let socket = TCPSocket(resolver: ScriptedResolver(["127.0.0.2", "127.0.0.3", "127.0.0.4"]))
        let connecting = Task {
            try await socket.connect(to: NetAddress("host.example", port: port), timeout: .seconds(15))
        }
        try await eventually("all three are under way") { ProcessFacts.connecting(to: port) == 3 }
        // The kernel repeats the SYN of the first within a second.
        let accepted = try await blocking { try silent[0].letIn() }
        try await within { try await connecting.value }
        #expect(socket.remoteAddress?.address == "127.0.0.2")
        #expect(ProcessFacts.connecting(to: port) == 0)
        try accepted.send("slow")
        #expect(try await socket.receive(timeout: .seconds(5))?.text == "slow")
        await socket.close()
    }

    @Test func lateIPv6Answer_isWaitedFor50Milliseconds() async throws {
        let (server, address) = try await makeServer()
        let stuck = StuckResolver()
        let resolver = ScriptedResolver { name, family in
            if family == .ipv6 { return try await stuck.resolve(name, family: family) }
            return [NetAddress("127.0.0.1")]
        }
        let socket = TCPSocket(resolver: resolver)
        let start = ContinuousClock.now
        try await socket.connect(to: NetAddress("host.example", port: address.port))
        #expect(ContinuousClock.now - start >= .milliseconds(50))
        #expect(socket.remoteAddress == address)
        stuck.release()
        await socket.close()
        await server.close()
    }

    // MARK: Bound sockets

    @Test(arguments: Loopback.allCases)
    func boundSocket_asksForItsFamilyOnly_andConnectsFromItsPort(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let accepted = EventRecorder<NetAddress?>()
        server.on(.connect) { accepted.record($0.remoteAddress) }
        let resolver = ScriptedResolver(["127.0.0.1", "::1"])
        let socket = TCPSocket(resolver: resolver)
        try await socket.bind(loopback.address())
        let local = try await socket.getLocalAddress()
        try await socket.connect(to: NetAddress("host.example", port: address.port))
        #expect(resolver.asked.events == ["host.example \(loopback.family)"])
        #expect(try await accepted.wait(count: 1) == [local])
        #expect(socket.localAddress == local)
        await socket.close()
        await server.close()
    }

    /// Its attempts share the port, so they go one after another; each of them really has it.
    @Test(.enabled(if: Loopback.isNetwork, "needs 127.0.0.2"))
    func boundSocket_keepsItsPort_forEachAttempt() async throws {
        let server = TCPSocketServer()
        try await server.listen(NetAddress("127.0.0.4"))
        let port = try await server.getLocalAddress().port
        let accepted = EventRecorder<NetAddress?>()
        server.on(.connect) { accepted.record($0.remoteAddress) }
        let socket = TCPSocket(resolver: ScriptedResolver(["127.0.0.2", "127.0.0.3", "127.0.0.4"]))
        try await socket.bind(NetAddress("127.0.0.9"))
        let local = try await socket.getLocalAddress()
        try await socket.connect(to: NetAddress("host.example", port: port))
        #expect(socket.remoteAddress?.address == "127.0.0.4")
        #expect(try await accepted.wait(count: 1) == [local])
        #expect(local.address == "127.0.0.9")
        await socket.close()
        await server.close()
    }

    @Test(arguments: Loopback.allCases)
    func boundSocket_toTheOtherFamily_isRefused_andStaysBound(_ loopback: Loopback) async throws {
        let other = loopback == .ipv4 ? Loopback.ipv6 : .ipv4
        let resolver = ScriptedResolver([other.rawValue])
        let socket = TCPSocket(resolver: resolver)
        try await socket.bind(loopback.address())
        let local = try await socket.getLocalAddress()
        for address in [other.address(9), NetAddress("host.example", port: 9, family: other.family)] {
            let error = await failure { () async throws(SocketError) in try await socket.connect(to: address) }
            #expect(error?.kind == .invalidArgument)
            #expect(error?.field == "family")
            let result: Result<Void, SocketError> = try await answer { socket.connect(to: address, completion: $0) }
            #expect(throws: SocketError.self) { try result.get() }
        }
        #expect(resolver.asked.events.isEmpty)
        #expect(socket.localAddress == local)
        let (server, address) = try await makeServer(loopback)
        try await socket.connect(to: address)
        #expect(socket.localAddress == local)
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.connect(to: other.address(9)) }
        #expect(closed?.kind == .closed)
        await server.close()
    }

    // MARK: What does not fit

    /// Pepper's rule: a connect that cannot begin changes nothing.
    @Test func badArguments_changeNothing_inEitherStyle() async throws {
        let (server, address) = try await makeServer()
        let asked = ScriptedResolver(["127.0.0.1"])
        let socket = TCPSocket(resolver: asked)
        let log = EventLog()
        record(socket, in: log)
        let table: [(NetAddress, Duration?, String)] = [
            (NetAddress("", port: 9), nil, "address"), (NetAddress("a b", port: 9), nil, "address"),
            (NetAddress("1.2.3", port: 9), nil, "address"), (NetAddress("127.0.0.1", port: 0), nil, "port"),
            (NetAddress("host.example", port: 0), nil, "port"), (NetAddress("127.0.0.1", port: 65_536), nil, "port"),
            (NetAddress("127.0.0.1", port: -1), nil, "port"),
            (NetAddress("::1", port: 9, family: .ipv4), nil, "family"),
            (NetAddress("127.0.0.1", port: 9, family: .ipv6), nil, "family"),
            (NetAddress("127.0.0.1", port: 9, family: .domain), nil, "family"),
            (NetAddress("host.example", port: 9), .milliseconds(-1), "timeout"),
        ]
        for (bad, timeout, field) in table {
            let error = await failure { () async throws(SocketError) in
                try await socket.connect(to: bad, timeout: timeout)
            }
            #expect(error?.kind == .invalidArgument && error?.field == field, "\(bad)")
            let result: Result<Void, SocketError> = try await answer {
                socket.connect(to: bad, timeout: timeout, completion: $0)
            }
            guard case .failure(let other) = result else { throw WaitTimedOut(what: "an error") }
            #expect(other == error)
            #expect(socket.state.description == "fresh")
        }
        #expect(asked.asked.events.isEmpty)
        try await socket.connect(to: address)
        #expect(log.events.isEmpty)
        await socket.close()
        await server.close()
    }

    /// Pepper's rule: a connect that failed has closed the socket.
    @Test(arguments: [true, false])
    func failedConnect_closesTheSocket_inEitherStyle(_ isBound: Bool) async throws {
        let address = Loopback.ipv4.address(try freePort())
        for style in ["async", "completion"] {
            let socket = TCPSocket()
            if isBound { try await socket.bind(Loopback.ipv4.address()) }
            let log = EventLog()
            record(socket, in: log)
            let error: SocketError?
            if style == "async" {
                error = await failure { () async throws(SocketError) in try await socket.connect(to: address) }
            } else {
                let result: Result<Void, SocketError> = try await answer {
                    socket.connect(to: address, completion: $0)
                }
                error = if case .failure(let error) = result { error } else { nil }
            }
            #expect(error?.kind == .connectionRefused)
            #expect(socket.state.description == "closed")
            #expect(await socket.getSocketFd() == -1)
            try await log.wait(for: "close:connectionRefused")
            #expect(log.events == ["close:connectionRefused"], "told by the call, and not by error")
            let again = await failure { () async throws(SocketError) in try await socket.connect(to: address) }
            #expect(again?.kind == .closed)
        }
    }

    /// Titanium and chrome.socket disconnect and connect one object again; here a new one takes its place, and may have
    /// the same local address.
    @Test func newSocket_takesThePlaceOfAClosedOne() async throws {
        let (server, address) = try await makeServer()
        server.on(.connect) { client in client.on(.message) { client.send($0.message) { _ in } } }
        var socket = TCPSocket()
        for round in 0..<3 {
            try await socket.connect(to: address)
            try await socket.send("round \(round)")
            #expect(try await read(7, from: socket) == Array("round \(round)".utf8))
            await socket.close()
            socket = TCPSocket()
        }
        await server.close()
    }
}
