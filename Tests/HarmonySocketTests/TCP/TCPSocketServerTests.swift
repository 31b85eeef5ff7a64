import HarmonySocket
import Testing

@Suite(.bounded) struct TCPSocketServerTests {
    // MARK: listen

    @Test(arguments: Loopback.allCases)
    func listen_inBothStyles_emitsListeningFirst(_ loopback: Loopback) async throws {
        let first = TCPSocketServer()
        let log = EventLog()
        first.on(.listening) { [weak first] in log.record("listening \(first?.state.description ?? "")") }
        try await first.listen(loopback.address())
        #expect(log.events == ["listening bound"])
        let address = try await first.getLocalAddress()
        #expect(address.address == loopback.rawValue)
        #expect(address.port == Kernel.port(of: await first.getSocketFd()))
        #expect(first.localAddress == address)
        let byHandler: Result<NetAddress, SocketError> = try await answer { first.getLocalAddress(completion: $0) }
        #expect(try byHandler.get() == address)
        await first.close()

        let second = TCPSocketServer()
        let order = EventLog()
        second.on(.listening) { order.record("listening") }
        second.listen(loopback.address()) { order.record("completed \((try? $0.get()) != nil)") }
        try await order.wait(count: 2)
        #expect(order.events == ["listening", "completed true"])
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func listen_onThePortOfAPastConnection_takesItOver(_ loopback: Loopback) async throws {
        // Another test may be given the port before we ask for it again, but not each time.
        for attempt in 1...3 {
            do {
                return try await takeOverAPort(loopback)
            } catch let error as SocketError {
                guard error.kind == .addressInUse, attempt < 3 else { throw error }
            }
        }
    }

    private func takeOverAPort(_ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        let address = try await pair.server.getLocalAddress()
        // The side that ends first keeps the port in TIME_WAIT: ours.
        await pair.connection.close()
        #expect(try await pair.client.receive(timeout: .seconds(20)) == nil)
        await pair.client.close()
        await pair.server.close()
        let next = TCPSocketServer()
        try await next.listen(address)
        #expect(try await next.getLocalAddress() == address)
        await next.close()
        let strict = TCPSocketServer()
        try await strict.setExtraOptions(TCPExtraOptions(reuseAddress: false))
        let error = await failure { () async throws(SocketError) in try await strict.listen(address) }
        #expect(error?.kind == .addressInUse)
        await strict.close()
    }

    @Test func listen_onAPortInUse_isAddressInUse() async throws {
        let (server, address) = try await makeServer()
        let second = TCPSocketServer()
        let error = await failure { () async throws(SocketError) in try await second.listen(address) }
        #expect(error?.kind == .addressInUse)
        #expect(error?.code == 2_301_098)
        #expect(error?.operation == .listen)
        #expect(error?.address == address.description)
        #expect(await second.getSocketFd() == -1)
        // Nothing is lost: it can listen elsewhere.
        try await second.listen(NetAddress("127.0.0.1"))
        await second.close()
        await server.close()
    }

    @Test func listen_thatDoesNotFit_isRefused() async throws {
        let (server, address) = try await makeServer()
        let second = await failure { () async throws(SocketError) in try await server.listen(NetAddress("127.0.0.1")) }
        #expect(second?.kind == .alreadyBound)
        #expect(server.localAddress == address)
        await server.close()
        let closed = await failure { () async throws(SocketError) in try await server.listen(NetAddress("127.0.0.1")) }
        #expect(closed?.kind == .closed)
        let result: Result<Void, SocketError> = try await answer { server.listen(address, completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
    }

    @Test(arguments: [0, -1, .min])
    func listen_withoutBacklog_isRefused(_ backlog: Int) async throws {
        let server = TCPSocketServer()
        let error = await failure { () async throws(SocketError) in
            try await server.listen(NetAddress("127.0.0.1"), backlog: backlog)
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "backlog")
        #expect(server.state.description == "fresh")
        await server.close()
    }

    @Test func listen_withAHugeBacklog_isCappedByTheKernel() async throws {
        let server = TCPSocketServer()
        try await server.listen(NetAddress("127.0.0.1"), backlog: .max)
        let client = TCPSocket()
        try await client.connect(to: server.getLocalAddress())
        await client.close()
        await server.close()
    }

    @Test func listen_onTheIPv6Wildcard_servesIPv4Too() async throws {
        let server = TCPSocketServer()
        try await server.listen(NetAddress("::"))
        let port = try await server.getLocalAddress().port
        let accepted = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        for address in ["127.0.0.1", "::1"] {
            let client = TCPSocket()
            try await client.connect(to: NetAddress(address, port: port))
            await client.close()
        }
        let remotes = try await accepted.wait(count: 2).map { $0.remoteAddress?.address }
        #expect(remotes == ["::ffff:127.0.0.1", "::1"])
        await server.close()
    }

    // MARK: events

    @Test func connect_event_bringsEachConnectionOnce() async throws {
        let (server, address) = try await makeServer()
        let accepted = EventRecorder<TCPSocketConnection>()
        let alsoAccepted = EventRecorder<Int>()
        server.on(.connect) { accepted.record($0) }
        server.on(.connect) { alsoAccepted.record($0.clientId) }
        let clients = (0..<50).map { _ in TCPSocket() }
        try await withThrowingTaskGroup { tasks in
            for client in clients { tasks.addTask { try await client.connect(to: address) } }
            try await tasks.waitForAll()
        }
        let connections = try await accepted.wait(count: 50)
        try await alsoAccepted.wait(count: 50)
        try await settle(server.eventLoop)
        #expect(Set(connections.map(\.clientId)).count == 50)
        #expect(alsoAccepted.events == connections.map(\.clientId))
        #expect(Set(connections.map { $0.remoteAddress?.port }) == Set(clients.map { $0.localAddress?.port }))
        for connection in connections { await connection.reset() }
        for client in clients { await client.close() }
        await server.close()
    }

    @Test func connect_once_takesOneConnection_andTheRestWaits() async throws {
        let (server, address) = try await makeServer()
        let accepted = EventRecorder<TCPSocketConnection>()
        server.once(.connect) { accepted.record($0) }
        let clients = [TCPSocket(), TCPSocket()]
        for client in clients { try await client.connect(to: address) }
        try await accepted.wait(count: 1)
        try await settle(server.eventLoop)
        #expect(accepted.count == 1)
        let listener = server.on(.connect) { accepted.record($0) }
        try await accepted.wait(count: 2)
        server.off(listener)
        server.off(.connect)
        for client in clients { await client.close() }
        await server.close()
    }

    @Test func connect_connectionsThatNobodyKeeps_areClosed() async throws {
        let (server, address) = try await makeServer()
        server.on(.connect) {}
        let client = TCPSocket()
        try await client.connect(to: address)
        #expect(try await client.receive(timeout: .seconds(20)) == nil)
        await client.close()
        await server.close()
    }

    @Test func close_inBothStyles_emitsCloseOnceAndFreesThePort() async throws {
        for style in ["async", "handler"] {
            let (server, address) = try await makeServer()
            let log = EventLog()
            server.on(.close) { log.record("close") }
            let identity = try #require(DescriptorCensus.identity(of: await server.getSocketFd()))
            if style == "async" {
                await server.close()
                await server.close()
            } else {
                let result: Result<Void, SocketError> = try await answer { server.close(completion: $0) }
                try result.get()
            }
            try await log.wait(for: "close")
            try await settle(server.eventLoop)
            #expect(log.events == ["close"])
            #expect(!DescriptorCensus.isOpen(identity))
            #expect(await server.getSocketFd() == -1)
            let client = TCPSocket()
            let error = await failure { () async throws(SocketError) in try await client.connect(to: address) }
            #expect(error?.kind == .connectionRefused)
        }
    }

    @Test func close_leavesConnectionsAlone() async throws {
        let pair = try await makeTCPPair()
        await pair.server.close()
        try await pair.client.send("still here")
        #expect(try await read(10, from: pair.connection) == Array("still here".utf8))
        await pair.close()
    }

    @Test func close_ofAFreshServer_emitsClose() async throws {
        let server = TCPSocketServer()
        let log = EventLog()
        server.on(.close) { log.record("close") }
        await server.close()
        try await log.wait(for: "close")
    }

    @Test func dropped_withoutListener_freesThePort() async throws {
        let address = try await listenAndDrop()
        try await eventually("the port is free") {
            (try? RawSocket.connected(to: address)) == nil
        }
    }

    private func listenAndDrop() async throws -> NetAddress { try await makeServer().address }

    // MARK: getters

    @Test func getters_beforeListenAndAfterClose_areRefused() async throws {
        let server = TCPSocketServer()
        #expect(server.localAddress == nil)
        let fresh = await failure { () async throws(SocketError) in try await server.getLocalAddress() }
        #expect(fresh?.kind == .invalidState)
        #expect(await server.getSocketFd() == -1)
        await server.close()
        let closed = await failure { () async throws(SocketError) in try await server.getLocalAddress() }
        #expect(closed?.kind == .closed)
        let byHandler: Result<NetAddress, SocketError> = try await answer { server.getLocalAddress(completion: $0) }
        #expect(throws: SocketError.self) { try byHandler.get() }
        let number: Result<Int, SocketError> = try await answer { server.getSocketFd(completion: $0) }
        #expect(try number.get() == -1)
    }

    @Test func getSocketFd_isTheListeningSocket() async throws {
        let (server, _) = try await makeServer()
        let number = await server.getSocketFd()
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        let result: Result<Int, SocketError> = try await answer { server.getSocketFd(completion: $0) }
        #expect(try result.get() == number)
        #expect(server.lastError == nil)
        await server.close()
    }
}
