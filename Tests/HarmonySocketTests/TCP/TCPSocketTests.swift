import HarmonySocket
import Testing

@Suite(.bounded) struct TCPSocketTests {
    // MARK: bind

    @Test(arguments: Loopback.allCases)
    func bind_givesTheAddressAskedFor_inBothStyles(_ loopback: Loopback) async throws {
        let first = TCPSocket()
        try await first.bind(loopback.address())
        let address = try await first.getLocalAddress()
        #expect(address.address == loopback.rawValue)
        #expect(address.port == Kernel.port(of: await first.getSocketFd()))
        await first.close()
        let second = TCPSocket()
        let result: Result<Void, SocketError> = try await answer { second.bind(loopback.address(), completion: $0) }
        try result.get()
        #expect(second.state.isBound)
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func bind_thenConnect_keepsThePort(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let accepted = EventRecorder<NetAddress?>()
        server.on(.connect) { accepted.record($0.remoteAddress) }
        let socket = TCPSocket()
        try await socket.bind(loopback.address())
        let local = try await socket.getLocalAddress()
        try await socket.connect(to: address)
        #expect(try await socket.getLocalAddress() == local)
        #expect(try await accepted.wait(count: 1) == [local])
        await socket.close()
        await server.close()
    }

    @Test(arguments: Loopback.allCases)
    func bind_toAPortInUse_isAddressInUse_andTheSocketCanBindElsewhere(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let socket = TCPSocket()
        let error = await failure { () async throws(SocketError) in try await socket.bind(address) }
        #expect(error?.kind == .addressInUse)
        #expect(error?.code == 2_301_098)
        #expect(error?.address == address.description)
        #expect(error?.systemError?.name == "EADDRINUSE")
        #expect(error?.systemError?.call == "bind")
        #expect(socket.state.description == "fresh")
        #expect(await socket.getSocketFd() == -1)
        let result: Result<Void, SocketError> = try await answer { socket.bind(address, completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        try await socket.bind(loopback.address())
        await socket.close()
        await server.close()
    }

    @Test func bind_toAForeignAddress_isAddressNotAvailable() async throws {
        let socket = TCPSocket()
        // TEST-NET-1 (RFC 5737): nobody's address.
        let error = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("192.0.2.1")) }
        #expect(error?.kind == .addressNotAvailable)
        #expect(error?.code == 2_301_099)
        await socket.close()
    }

    @Test func bind_thatDoesNotFit_isRefused() async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        let local = socket.localAddress
        let second = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("127.0.0.1")) }
        #expect(second?.kind == .alreadyBound)
        #expect(second?.code == 2_301_022)
        #expect(socket.localAddress == local)
        try await socket.connect(to: address)
        let connected = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("127.0.0.1")) }
        #expect(connected?.kind == .alreadyConnected)
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("127.0.0.1")) }
        #expect(closed?.kind == .closed)
        let result: Result<Void, SocketError> = try await answer { socket.bind(address, completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        await server.close()
    }

    // MARK: connect

    @Test(arguments: Loopback.allCases)
    func connect_everyForm_connects(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let accepted = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        let sockets = (0..<4).map { _ in TCPSocket() }
        try await sockets[0].connect(to: address)
        try await sockets[1].connect(TCPConnectOptions(address: address, timeout: nil))
        let third: Result<Void, SocketError> = try await answer { sockets[2].connect(to: address, completion: $0) }
        try third.get()
        let options = TCPConnectOptions(address: address, timeout: .seconds(6))
        let fourth: Result<Void, SocketError> = try await answer { sockets[3].connect(options, completion: $0) }
        try fourth.get()
        for (socket, connection) in zip(sockets, try await accepted.wait(count: 4)) {
            #expect(socket.remoteAddress == address)
            try await connection.send("welcome")
            #expect(try await read(7, from: socket) == Array("welcome".utf8))
            await socket.close()
            await connection.close()
        }
        await server.close()
    }

    @Test func connectOptions_defaultTimeoutIsFiveSeconds() {
        #expect(TCPConnectOptions(address: .any).timeout == .seconds(5))
        #expect(TCPConnectOptions(address: .any) == TCPConnectOptions(address: .any, timeout: .seconds(5)))
    }

    @Test(arguments: ["localhost", "LOCALHOST"])
    func connect_toAName_looksItUp(_ name: String) async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        try await socket.connect(to: NetAddress(name, port: address.port, family: .domain))
        #expect(socket.remoteAddress == address)
        await socket.close()
        await server.close()
    }

    @Test(arguments: Loopback.allCases)
    func connect_refused_saysSo_andCloses(_ loopback: Loopback) async throws {
        let socket = TCPSocket()
        let address = loopback.address(try freePort(loopback))
        let error = await failure { () async throws(SocketError) in try await socket.connect(to: address) }
        #expect(error?.kind == .connectionRefused)
        #expect(error?.code == 2_301_111)
        #expect(error?.operation == .connect)
        #expect(error?.description == "connect to \(address): connection refused (ECONNREFUSED)")
        #expect(error?.attempts.map(\.address.description) == [address.description])
        #expect(socket.state.isClose)
        #expect(socket.lastError?.kind == .connectionRefused)
        #expect(
            await failure { () async throws(SocketError) in try await socket.connect(to: address) }?.kind == .closed)
    }

    @Test func connect_toAnUnreachableNetwork_isUnreachable() async throws {
        // A broadcast address is no peer for TCP: the kernel refuses at once, without a packet.
        let socket = TCPSocket()
        let error = await failure { () async throws(SocketError) in
            try await socket.connect(to: NetAddress("255.255.255.255", port: 9), timeout: .seconds(20))
        }
        #expect(error?.kind == .unreachable || error?.kind == .permissionDenied)
        #expect([2_301_101, 2_301_113, 2_301_013].contains(error?.code ?? 0))
        #expect(socket.state.isClose)
    }

    @Test func connect_whileConnectingOrConnected_isRefusedWithoutSideEffect() async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        let log = EventLog()
        // Both calls are made on the loop, so the first cannot have ended when the second comes.
        socket.eventLoop.execute {
            socket.connect(to: address) { result in log.record("first \((try? result.get()) != nil)") }
            socket.connect(to: address) { result in
                if case .failure(let error) = result { log.record("second \(error.kind) \(error.code)") }
            }
        }
        try await log.wait(count: 2)
        #expect(Set(log.events) == ["first true", "second alreadyConnected 2301106"])
        let error = await failure { () async throws(SocketError) in try await socket.connect(to: address) }
        #expect(error?.kind == .alreadyConnected)
        #expect(socket.state.isConnected)
        await socket.close()
        await server.close()
    }

    @Test func connect_negativeTimeout_isRefused() async throws {
        let socket = TCPSocket()
        let error = await failure { () async throws(SocketError) in
            try await socket.connect(to: NetAddress("127.0.0.1", port: 9), timeout: .milliseconds(-1))
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "timeout")
        #expect(socket.state.description == "fresh")
        await socket.close()
    }

    /// A listener whose backlog is full, so that connects to it stay under way.
    private func makeFullListener() async throws -> (listener: RawSocket, address: NetAddress, fillers: [TCPSocket]) {
        let listener = try RawSocket.listening(backlog: 0)
        let address = NetAddress("127.0.0.1", port: listener.port)
        var fillers: [TCPSocket] = []
        // The kernel takes one or two beyond what was asked for.
        while fillers.count < 10 {
            let socket = TCPSocket()
            do throws(SocketError) {
                try await socket.connect(to: address, timeout: .milliseconds(200))
                fillers.append(socket)
            } catch {
                #expect(error.kind == .timedOut)
                return (listener, address, fillers)
            }
        }
        Issue.record("the backlog is never full")
        return (listener, address, fillers)
    }

    @Test func connect_toAFullListener_timesOut_isCancelled_orIsAborted() async throws {
        let (listener, address, fillers) = try await makeFullListener()
        let slow = TCPSocket()
        let start = ContinuousClock.now
        let timedOut = await failure { () async throws(SocketError) in
            try await slow.connect(to: address, timeout: .milliseconds(120))
        }
        #expect(ContinuousClock.now - start >= .milliseconds(120))
        #expect(timedOut?.kind == .timedOut)
        #expect(timedOut?.code == 2_301_110)
        #expect(timedOut?.attempts.map(\.address.description) == [address.description])
        #expect(slow.state.isClose)

        let cancelled = TCPSocket()
        let task = Task {
            await failure { () async throws(SocketError) in try await cancelled.connect(to: address, timeout: nil) }
        }
        task.cancel()
        let error = try await within { await task.value }
        #expect(error?.kind == .cancelled)
        #expect(error?.code == 2_301_125)
        try await eventually("closed") { cancelled.state.isClose }

        let aborted = TCPSocket()
        let result: Result<Void, SocketError> = try await answer { handler in
            aborted.connect(to: address, timeout: nil, completion: handler)
            aborted.close { _ in }
        }
        guard case .failure(let abort) = result else { throw WaitTimedOut(what: "an error") }
        #expect(abort.kind == .aborted)

        let zero = TCPSocket()
        let atOnce = await failure { () async throws(SocketError) in try await zero.connect(to: address, timeout: .zero)
        }
        #expect(atOnce?.kind == .timedOut)
        for filler in fillers { await filler.reset() }
        listener.close()
    }

    @Test func options_setWhileConnecting_areApplied() async throws {
        let (listener, address, fillers) = try await makeFullListener()
        let socket = TCPSocket()
        let connected = Outcome<Void>()
        socket.connect(to: address, timeout: .seconds(30)) { connected.set($0.mapError { $0 }) }
        // Behind the start of the attempt.
        try await settle(socket.eventLoop)
        #expect(!socket.state.isConnected)
        try await socket.setExtraOptions(TCPExtraOptions(keepAlive: true, tcpNoDelay: true))
        // Making room: the kernel repeats its SYN within a second.
        for _ in fillers { _ = try await blocking { try listener.accept() } }
        try await within { try await connected.value }
        let number = await socket.getSocketFd()
        #expect(Kernel.option(.noDelay, of: number) == 1)
        #expect(Kernel.option(.keepAlive, of: number) == 1)
        #expect(try await socket.getExtraOptions().tcpNoDelay == true)
        await socket.close()
        for filler in fillers { await filler.reset() }
    }

    @Test func connect_toAnUnknownHost_isItsOwnError() async throws {
        let socket = TCPSocket()
        let error = await failure { () async throws(SocketError) in
            try await socket.connect(to: NetAddress("no-such-host.invalid", port: 80), timeout: .seconds(8))
        }
        // Without a name server the look-up fails; with one the name does not exist (RFC 6761).
        switch error?.kind {
        case .unknownHost: #expect(error?.code == 2_301_301)
        case .lookupFailed: #expect(error?.code == 2_301_302)
        case .timedOut: #expect(error?.code == 2_301_110)
        default: Issue.record("unexpected: \(String(describing: error))")
        }
        #expect(error?.description.contains("no-such-host.invalid") == true)
        #expect(socket.state.isClose)
    }
}
