import HarmonySocket
import Testing

@Suite(.bounded) struct SocketErrorTests {
    @Test func refusedConnect_tellsEverything() async throws {
        let address = NetAddress("127.0.0.1", port: try freePort())
        let error = try #require(
            await failure { () async throws(SocketError) in try await TCPSocket().connect(to: address) })
        #expect(error.kind == .connectionRefused)
        #expect(error.code == 2_301_111)
        #expect(error.operation == .connect)
        #expect(error.address == address.description)
        #expect(error.field == nil)
        #expect(error.sent == 0 && error.remaining == 0)
        #expect(error.message == "connection refused (ECONNREFUSED)")
        #expect(error.description == "connect to \(address): connection refused (ECONNREFUSED)")
        #expect("\(error)" == error.description)
        let system = try #require(error.systemError)
        #expect(system.name == "ECONNREFUSED")
        #expect(system.message == "connection refused")
        #expect(system.call == "connect")
        #expect(!isLinux || system.number == 111)
        #expect(system.description == "connection refused (ECONNREFUSED)")
        let attempt = try #require(error.attempts.first)
        #expect(error.attempts.count == 1)
        #expect(attempt.address.description == address.description)
        #expect(attempt.error.name == "ECONNREFUSED")
        #expect(attempt.duration >= .zero && attempt.duration < .seconds(20))
        #expect(attempt.description.hasPrefix("\(address): connection refused (ECONNREFUSED) after "))
    }

    @Test func connectToAName_listsEveryAttempt() async throws {
        let port = try freePort()
        let error = try #require(
            await failure { () async throws(SocketError) in
                try await TCPSocket().connect(to: NetAddress("localhost", port: port, family: .domain))
            })
        #expect(error.kind == .connectionRefused)
        #expect(error.address == "localhost:\(port)")
        let addresses = Set(error.attempts.map(\.address.address))
        #expect(!addresses.isEmpty && addresses.isSubset(of: ["127.0.0.1", "::1"]))
        #expect(error.attempts.allSatisfy { $0.address.port == port && $0.error.name == "ECONNREFUSED" })
        if error.attempts.count > 1 {
            let hosts = error.attempts.map(\.address.address).joined(separator: ", ")
            #expect(error.message == "2 addresses failed: connection refused (ECONNREFUSED) at \(hosts)")
        }
    }

    /// Errors that need no peer, each with what it must say.
    @Test func errnoOfLinux_isTheCode() async throws {
        let server = TCPSocketServer()
        try await server.listen(NetAddress("127.0.0.1"))
        let used = try await server.getLocalAddress()
        let closed = TCPSocket()
        await closed.close()
        let bound = TCPSocket()
        try await bound.bind(NetAddress("127.0.0.1"))
        let connected = TCPSocket()
        try await connected.connect(to: used)
        let destination = NetAddress("127.0.0.1", port: 9)
        let big = [UInt8](repeating: 0, count: 65_508)

        var table: [(SocketError?, SocketError.Kind, Int)] = []
        func add(
            _ kind: SocketError.Kind, _ code: Int, _ body: () async throws(SocketError) -> Void
        ) async { table.append((await failure(body), kind, code)) }
        await add(.closed, 2_301_009) { () async throws(SocketError) in try await closed.send("x") }
        await add(.notConnected, 2_301_107) { () async throws(SocketError) in try await bound.send("x") }
        await add(.addressInUse, 2_301_098) { () async throws(SocketError) in try await TCPSocket().bind(used) }
        await add(.addressNotAvailable, 2_301_099) { () async throws(SocketError) in
            try await TCPSocket().bind(NetAddress("192.0.2.1"))
        }
        await add(.alreadyBound, 2_301_022) { () async throws(SocketError) in try await bound.bind(.any) }
        await add(.alreadyConnected, 2_301_106) { () async throws(SocketError) in try await connected.connect(to: used)
        }
        await add(.invalidArgument, 401) { () async throws(SocketError) in
            try await TCPSocket().bind(NetAddress("127.0.0.1", port: 70_000))
        }
        await add(.invalidState, 2_301_022) { () async throws(SocketError) in _ = try await UDPSocket().receive() }
        await add(.messageTooLong, 2_301_090) { () async throws(SocketError) in
            try await UDPSocket().send(big, to: destination)
        }
        await add(.permissionDenied, 2_301_013) { () async throws(SocketError) in
            try await UDPSocket().send("x", to: NetAddress("255.255.255.255", port: 9))
        }
        await add(.timedOut, 2_301_110) { () async throws(SocketError) in
            _ = try await connected.receive(timeout: .milliseconds(1))
        }
        for (error, kind, code) in table {
            #expect(error?.kind == kind)
            #expect(error?.code == code, "\(kind)")
            #expect(error?.description.isEmpty == false)
            #expect(error?.message.isEmpty == false)
        }
        for socket in [bound, connected] { await socket.close() }
        await server.close()
    }

    @Test func equality_isOfFailureOperationAndAddress() async throws {
        let socket = TCPSocket()
        let first = await failure { () async throws(SocketError) in try await socket.send("x") }
        let second = await failure { () async throws(SocketError) in try await socket.send("y") }
        let other = await failure { () async throws(SocketError) in _ = try await socket.receive() }
        #expect(first == second)
        #expect(first?.hashValue == second?.hashValue)
        #expect(first != other)
        await socket.close()
    }

    @Test func kindsAndOperations_haveReadableNames() {
        #expect(Set(SocketError.Kind.allCases.map(\.rawValue)).count == SocketError.Kind.allCases.count)
        #expect(SocketError.Kind.connectionRefused.rawValue == "connectionRefused")
        #expect(SocketOperation.setOptions.rawValue == "set options")
        #expect(Set(SocketOperation.allCases.map(\.rawValue)).count == SocketOperation.allCases.count)
    }
}
