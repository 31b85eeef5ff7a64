import HarmonySocket
import Testing

/// Descriptors that come from outside, and go there.
@Suite(.bounded) struct DescriptorTests {
    // MARK: TCPSocket

    @Test(arguments: Loopback.allCases)
    func socket_adoptingAConnection_isConnected(_ loopback: Loopback) async throws {
        let (server, address) = try await makeServer(loopback)
        let raw = try await blocking { try RawSocket.connected(to: address) }
        let connection = try await server.accept()
        try await connection.send("early")
        let number = raw.release()
        let identity = try #require(DescriptorCensus.identity(of: number))
        let socket = try TCPSocket(adopting: number)
        #expect(socket.state.isConnected && socket.state.isBound)
        #expect(socket.remoteAddress == address)
        #expect(socket.localAddress == connection.remoteAddress)
        #expect(await socket.getSocketFd() == number)
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        #expect(try await read(5, from: socket) == Array("early".utf8))
        let log = EventLog()
        record(socket, in: log)
        recordMessages(socket, in: log)
        try await connection.send("late")
        try await log.wait(for: "message:late")
        try await socket.send("reply")
        #expect(try await read(5, from: connection) == Array("reply".utf8))
        await connection.close()
        try await log.wait(for: "close")
        #expect(log.events == ["message:late", "end", "close"])
        try await eventually("given back") { !DescriptorCensus.isOpen(identity) }
        await server.close()
    }

    @Test func socket_adoptedAndDropped_isClosed() async throws {
        let (server, address) = try await makeServer()
        let raw = try await blocking { try RawSocket.connected(to: address) }
        let connection = try await server.accept()
        _ = try TCPSocket(adopting: raw.release())
        #expect(try await connection.receive(timeout: .seconds(20)) == nil)
        await connection.close()
        await server.close()
    }

    @Test func socket_adopted_doesNotConnectAgain() async throws {
        let (server, address) = try await makeServer()
        let raw = try await blocking { try RawSocket.connected(to: address) }
        let socket = try TCPSocket(adopting: raw.release())
        let error = await failure { () async throws(SocketError) in try await socket.connect(to: address) }
        #expect(error?.kind == .alreadyConnected)
        await socket.close()
        await server.close()
    }

    // MARK: What cannot be adopted

    /// The number is refused by name, stays open and stays as it was.
    private func expectRefusal(
        _ number: Int, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ adopt: (Int) throws(SocketError) -> Void
    ) {
        let before = DescriptorCensus.identity(of: number)
        do throws(SocketError) {
            try adopt(number)
            Issue.record("adopted", sourceLocation: sourceLocation)
        } catch {
            #expect(error.kind == .invalidArgument, sourceLocation: sourceLocation)
            #expect(error.code == 401, sourceLocation: sourceLocation)
            #expect(error.field == "descriptor", sourceLocation: sourceLocation)
            #expect(error.operation == .adopt, sourceLocation: sourceLocation)
            #expect(error.message.hasSuffix(reason), "\(error.message)", sourceLocation: sourceLocation)
        }
        #expect(DescriptorCensus.identity(of: number) == before, sourceLocation: sourceLocation)
        if before != nil { #expect(!Kernel.isCloseOnExecAndNonblocking(number), sourceLocation: sourceLocation) }
    }

    @Test func adopting_whatDoesNotFit_isRefused() async throws {
        let socket: (Int) throws(SocketError) -> Void = { number throws(SocketError) in
            _ = try TCPSocket(adopting: number)
        }
        let server: (Int) throws(SocketError) -> Void = { number throws(SocketError) in
            _ = try TCPSocketServer(adopting: number)
        }
        let file = try #require(ProcessFacts.openNothing())
        let stranger = try #require(ProcessFacts.makeStrangerPair())
        let datagram = try RawSocket.datagram()
        let fresh = try RawSocket.unconnected()
        let listener = try RawSocket.listening()
        let address = Loopback.ipv4.address(listener.port)
        let connected = try await blocking { try RawSocket.connected(to: address) }
        for adopt in [socket, server] {
            for number in [-1, .min, .max, 1_000_000_000] { expectRefusal(number, "is not open", adopt) }
            expectRefusal(Int(file), "is not a socket", adopt)
            expectRefusal(Int(stranger.0), "is a socket of neither IPv4 nor IPv6", adopt)
            expectRefusal(Int(datagram.number), "is not a stream socket", adopt)
        }
        expectRefusal(Int(fresh.number), "is not connected", socket)
        expectRefusal(Int(listener.number), "is not connected", socket)
        expectRefusal(Int(fresh.number), "is not listening", server)
        expectRefusal(Int(connected.number), "is not listening", server)
        for number in [file, stranger.0, stranger.1] { ProcessFacts.closeNothing(number) }
    }

    // MARK: TCPSocketServer

    @Test(arguments: Loopback.allCases)
    func server_adoptingAListeningSocket_servesIt(_ loopback: Loopback) async throws {
        let listener = try RawSocket.listening(on: loopback)
        let address = loopback.address(listener.port)
        // In the backlog before there is a server.
        let early = TCPSocket()
        try await early.connect(to: address)
        let number = listener.release()
        let identity = try #require(DescriptorCensus.identity(of: number))
        let server = try TCPSocketServer(adopting: number)
        #expect(server.state.isBound)
        #expect(server.localAddress?.description == address.description)
        #expect(await server.getSocketFd() == number)
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        let again = await failure { () async throws(SocketError) in try await server.listen(loopback.address()) }
        #expect(again?.kind == .alreadyBound)
        let first = try await server.accept()
        #expect(first.remoteAddress == early.localAddress)
        let late = TCPSocket()
        try await late.connect(to: address)
        #expect(try await server.accept().remoteAddress == late.localAddress)
        for client in [early, late] { await client.close() }
        await server.close()
        #expect(!DescriptorCensus.isOpen(identity))
    }

    @Test(arguments: ["async", "handler"])
    func server_detached_leavesTheListeningSocket(_ style: String) async throws {
        let pair = try await makeTCPPair()
        let server = pair.server
        let address = try await server.getLocalAddress()
        server.off(.connect)
        let log = EventLog()
        server.on(.close) { log.record("close") }
        server.accept { if case .failure(let error) = $0 { log.record("accept \(error.kind)") } }
        let number =
            style == "async" ? try await server.detach() : try await answer { server.detach(completion: $0) }.get()
        try await log.wait(count: 2)
        #expect(Set(log.events) == ["accept aborted", "close"])
        #expect(server.state.isClose)
        #expect(await server.getSocketFd() == -1)
        #expect(Kernel.port(of: number) == address.port)
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        // Connections stay, and new peers wait for whoever comes next.
        try await pair.client.send("x")
        #expect(try await read(1, from: pair.connection) == [0x78])
        let waiting = TCPSocket()
        try await waiting.connect(to: address)
        let next = try TCPSocketServer(adopting: number)
        #expect(try await next.accept().remoteAddress == waiting.localAddress)
        let second = await failure { () async throws(SocketError) in try await server.detach() }
        #expect(second?.kind == .closed)
        #expect(second?.operation == .detach)
        await waiting.close()
        await pair.close()
        await next.close()
    }

    @Test func server_detachWhereItDoesNotFit_isRefused() async throws {
        let server = TCPSocketServer()
        let fresh = await failure { () async throws(SocketError) in try await server.detach() }
        #expect(fresh?.kind == .invalidState)
        await server.close()
        let closed: Result<Int, SocketError> = try await answer { server.detach(completion: $0) }
        guard case .failure(let error) = closed else { throw WaitTimedOut(what: "an error") }
        #expect(error.kind == .closed)
    }

    @Test func server_detachedBesideServe_endsIt() async throws {
        let (server, address) = try await makeServer()
        let begun = EventRecorder<Int>()
        let serving = Task {
            try await server.serve { client in
                begun.record(client.clientId)
                try await client.send("bye")
            }
        }
        let client = TCPSocket()
        try await client.connect(to: address)
        #expect(try await readAll(client) == Array("bye".utf8))
        let number = try await server.detach()
        try await within { try await serving.value }
        await client.close()
        Kernel.close(number)
    }
}
