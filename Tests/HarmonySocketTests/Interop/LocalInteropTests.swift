import HarmonySocket
import Testing

// Skipped, visibly, where Python is not installed.
@Suite(
    "Local sockets and Python", .timeLimit(.minutes(1)),
    .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"))
struct LocalInteropTests {
    /// Connects to the name that it is told, asks, and prints the answer.
    private static let client = """
        import socket, sys
        kind, name = int(sys.argv[1]), sys.argv[2]
        s = socket.socket(socket.AF_UNIX, kind); s.settimeout(15)
        s.connect(chr(0) + name[1:] if name[0] == "@" else name)
        s.send(b"from python")
        print(s.recv(65536).decode(), flush=True)
        s.close()
        """

    /// Listens at the name that it is told, and answers one peer.
    private static let server = """
        import socket, sys
        kind, name = int(sys.argv[1]), sys.argv[2]
        l = socket.socket(socket.AF_UNIX, kind)
        l.bind(chr(0) + name[1:] if name[0] == "@" else name); l.listen(); l.settimeout(15)
        print("ready", flush=True)
        c, _ = l.accept(); c.settimeout(15)
        c.send(b"python got " + c.recv(65536))
        c.recv(1)
        """

    static let cases = LocalSocketType.available.flatMap { type in
        (isLinux ? [false, true] : [false]).map { (type, $0) }
    }

    private static func kind(_ type: LocalSocketType) -> String { type == .stream ? "1" : "5" }

    private static func address(_ directory: TemporaryDirectory, _ isAbstract: Bool) -> LocalAddress {
        isAbstract ? .abstract(String(directory.path.split(separator: "/").last ?? "")) : directory.address()
    }

    @Test(arguments: cases) func pythonClient_isServed(_ type: LocalSocketType, _ isAbstract: Bool) async throws {
        let directory = try TemporaryDirectory()
        let address = LocalInteropTests.address(directory, isAbstract)
        let server = LocalSocketServer(type: type)
        try await server.listen(address)
        let child = try ChildProcess(
            "python3", ["-c", LocalInteropTests.client, LocalInteropTests.kind(type), address.address])
        let connection = try await server.accept(timeout: .seconds(20))
        let question = try await connection.receive(timeout: .seconds(20))
        #expect(question?.text == "from python")
        let own = RawLocal.identity
        let peer = try await connection.getPeerCredentials()
        #expect(peer.uid == own.user && peer.pid != own.process)
        try await connection.send("answer")
        #expect(try await blocking { try child.readLine() } == "answer")
        #expect(try await blocking { try child.waitForEnd() } == 0)
        await connection.close()
        await server.close()
    }

    @Test(arguments: cases) func pythonServer_serves(_ type: LocalSocketType, _ isAbstract: Bool) async throws {
        let directory = try TemporaryDirectory()
        let address = LocalInteropTests.address(directory, isAbstract)
        let child = try ChildProcess(
            "python3", ["-c", LocalInteropTests.server, LocalInteropTests.kind(type), address.address])
        #expect(try await blocking { try child.readLine() } == "ready")
        let client = LocalSocket(type: type)
        try await client.connect(to: address)
        #expect(client.remoteAddress == address)
        try await client.send("a question")
        #expect(try await client.receive(timeout: .seconds(20))?.text == "python got a question")
        await client.close()
        #expect(try await blocking { try child.waitForEnd() } == 0)
    }

    /// Takes a descriptor, writes to it, and hands one of its own back.
    private static let passer = """
        import os, socket, sys
        s = socket.socket(socket.AF_UNIX, int(sys.argv[1])); s.settimeout(15)
        s.connect(sys.argv[2])
        data, fds, flags, _ = socket.recv_fds(s, 100, 4)
        os.write(fds[0], b"python writes after " + data)
        for fd in fds: os.close(fd)
        r, w = os.pipe()
        os.write(w, b"from a pipe of python's"); os.close(w)
        socket.send_fds(s, [b"take"], [r]); os.close(r)
        s.recv(1)
        """

    @Test(arguments: LocalSocketType.available)
    func descriptors_goBothWays(_ type: LocalSocketType) async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer(type: type)
        try await server.listen(directory.address())
        let child = try ChildProcess(
            "python3",
            ["-c", LocalInteropTests.passer, LocalInteropTests.kind(type), directory.entry("socket")])
        let connection = try await server.accept(timeout: .seconds(20))
        connection.descriptorLimit = 1
        let (reader, writer) = try RawLocal.pipe()
        try await connection.send("hello", descriptors: [writer, writer])
        Kernel.close(writer)
        let said = try await blocking { RawLocal.read(100, from: reader) }
        #expect(String(decoding: said, as: UTF8.self) == "python writes after hello")
        #expect(try await connection.receive(timeout: .seconds(20))?.text == "take")
        let received = try #require(connection.takeDescriptor())
        let piped = try await blocking { RawLocal.read(100, from: received) }
        #expect(String(decoding: piped, as: UTF8.self) == "from a pipe of python's")
        Kernel.close(received)
        Kernel.close(reader)
        await connection.close()
        #expect(try await blocking { try child.waitForEnd() } == 0)
        await server.close()
    }
}
