import HarmonySocket
import Testing

@Suite(.bounded) struct LocalSocketServerTests {
    // MARK: What is at the path already

    @Test(arguments: ["directory", "file", "socket", "server"], [false, true])
    func path_thatIsTaken_isLeftAlone(_ what: String, _ removesStaleFile: Bool) async throws {
        let directory = try TemporaryDirectory()
        let other = LocalSocketServer()
        switch what {
        case "directory": try directory.makeDirectory("socket")
        case "file": try directory.makeFile("socket")
        case "socket": try directory.makeStaleSocket()
        default: try await other.listen(directory.address())
        }
        let before = directory.look()
        let server = LocalSocketServer()
        if what == "socket", removesStaleFile {
            try await server.listen(directory.address(), removesStaleFile: true)
            let client = LocalSocket()
            try await client.connect(to: directory.address())
            await client.close()
        } else {
            let error = await failure { () async throws(SocketError) in
                try await server.listen(directory.address(), removesStaleFile: removesStaleFile)
            }
            #expect(error?.kind == .addressInUse && error?.operation == .listen)
            #expect(error?.address == directory.entry("socket"))
            #expect(directory.look() == before)
            // Nothing was taken, so it can listen elsewhere.
            try await server.listen(directory.address("elsewhere"))
        }
        await server.close()
        #expect(what == "server" || directory.look("elsewhere") == nil)
        await other.close()
        #expect(
            directory.look()
                == (what == "directory" || what == "file" || !removesStaleFile && what == "socket" ? before : nil))
    }

    /// Looking whether a server is alive does not disturb it.
    @Test(arguments: LocalSocketType.available) func liveServer_hearsNothingOfTheLook(
        _ type: LocalSocketType
    ) async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer(type: type)
        try await server.listen(directory.address())
        for other in LocalSocketType.available {
            let error = await failure { () async throws(SocketError) in
                try await LocalSocketServer(type: other).listen(directory.address(), removesStaleFile: true)
            }
            #expect(error?.kind == .addressInUse)
            let client = LocalSocket(type: other)
            let bind = await failure { () async throws(SocketError) in
                try await client.bind(directory.address(), removesStaleFile: true)
            }
            #expect(bind?.kind == .addressInUse)
        }
        let none = await failure { () async throws(SocketError) in try await server.accept(timeout: .zero) }
        #expect(none?.kind == .timedOut)
        await server.close()
    }

    @Test func directory_thatIsNotThere_isTheSystemsError() async throws {
        let directory = try TemporaryDirectory()
        let error = await failure { () async throws(SocketError) in
            try await LocalSocketServer().listen(LocalAddress(directory.entry("nothing/socket")))
        }
        #expect(error?.systemError?.name == "ENOENT" && error?.systemError?.call == "bind")
        #expect(error?.code == 2_301_002)
    }

    // MARK: What becomes of it

    @Test func path_isRemovedAtClose() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address())
        #expect(directory.look()?.hasPrefix("socket") == true)
        await server.close()
        #expect(directory.look() == nil)
        #expect(server.localAddress == directory.address())
        try await LocalSocketServer().listen(directory.address())
        try await eventually("the path of a dropped server is removed") { directory.look() == nil }
    }

    @Test func path_thatIsSomebodyElsesByNow_isLeft() async throws {
        let directory = try TemporaryDirectory()
        let first = LocalSocketServer()
        try await first.listen(directory.address())
        directory.remove()
        let second = LocalSocketServer()
        try await second.listen(directory.address())
        await first.close()
        #expect(directory.look()?.hasPrefix("socket") == true)
        let client = LocalSocket()
        try await client.connect(to: directory.address())
        await client.close()
        directory.remove()
        try directory.makeFile("socket")
        await second.close()
        #expect(directory.look() == "file 600")
    }

    @Test func detached_keepsItsPath_andIsAdopted() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address())
        let descriptor = try await server.detach()
        #expect(directory.look()?.hasPrefix("socket") == true)
        let heir = try LocalSocketServer(adopting: descriptor)
        #expect(heir.localAddress == directory.address())
        let client = LocalSocket()
        try await client.connect(to: directory.address())
        let connection = try await heir.accept(timeout: .seconds(20))
        try await connection.send("hello")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "hello")
        await client.close()
        await connection.close()
        await heir.close()
        #expect(directory.look()?.hasPrefix("socket") == true)
    }

    @Test(arguments: [0o600, 0o660, 0o666, 0o777, 0o000])
    func permissions_areExactlyThoseAskedFor(_ permissions: Int) async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address(), permissions: permissions)
        #expect(directory.look() == "socket " + String(permissions, radix: 8))
        await server.close()
        let client = LocalSocket()
        try await client.bind(directory.address("client"), permissions: permissions)
        #expect(directory.look("client") == "socket " + String(permissions, radix: 8))
        await client.close()
    }

    @Test(arguments: [-1, 0o1000, 0o100_600]) func permissions_thatCannotBe_areRefused(_ permissions: Int) async throws
    {
        let directory = try TemporaryDirectory()
        let error = await failure { () async throws(SocketError) in
            try await LocalSocketServer().listen(directory.address(), permissions: permissions)
        }
        #expect(error?.kind == .invalidArgument && error?.field == "permissions")
        let backlog = await failure { () async throws(SocketError) in
            try await LocalSocketServer().listen(directory.address(), backlog: 0)
        }
        #expect(backlog?.kind == .invalidArgument && backlog?.field == "backlog")
        #expect(directory.look() == nil)
    }

    @Test func secondListen_leavesNothingBehind() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address())
        let again = await failure { () async throws(SocketError) in try await server.listen(directory.address("second"))
        }
        #expect(again?.kind == .alreadyBound && directory.look("second") == nil)
        await server.close()
        let closed = await failure { () async throws(SocketError) in try await server.listen(directory.address("third"))
        }
        #expect(closed?.kind == .closed && directory.look("third") == nil)
    }

    // MARK: What all servers can

    @Test func server_limitsServesAndShutsDown() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address())
        server.maxConnections = 1
        server.overloadPolicy = .refuse
        let log = EventLog()
        server.on(.overload) { log.record("overload \($0.connectionCount)") }
        server.on(.close) { log.record("close") }
        let serving = Task { try await server.serve { client in _ = try await client.receive() } }
        let first = LocalSocket()
        try await first.connect(to: directory.address())
        try await eventually("it is accepted") { server.connectionCount == 1 }
        let second = LocalSocket()
        try await second.connect(to: directory.address())
        #expect(try await readAll(second).isEmpty)
        try await log.wait(for: "overload 1")
        #expect(try await server.shutdown(timeout: .milliseconds(20)) == 1)
        #expect(directory.look() == nil)
        try await within { try await serving.value }
        try await log.wait(for: "close")
        await first.close()
        await second.close()
    }

    @Test func connections_arePulled() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address())
        let client = LocalSocket()
        try await client.connect(to: directory.address())
        try await client.send("hello")
        for try await connection in server.connections {
            #expect(try await connection.receive(timeout: .seconds(20))?.text == "hello")
            await server.close()
        }
        await client.close()
    }
}
