import HarmonySocket
import Testing

// Each test is skipped, visibly, where its program is not installed.
@Suite("Interoperation with other programs", .timeLimit(.minutes(1)))
struct InteropTests {
    private static let size = 20_000_000

    /// Serves half-closing clients: reads everything, then answers with how much it was and the same bytes again.
    private static func makeReplyingServer(
        on host: String
    ) async throws -> (TCPSocketServer, Int, Task<Void, any Error>) {
        let server = TCPSocketServer()
        try await server.listen(NetAddress(host))
        let serving = Task {
            try await server.serve { client in
                var bytes: [UInt8] = []
                for try await chunk in client.messages { bytes += chunk.message }
                try await client.send(bytes)
            }
        }
        return (server, try await server.getLocalAddress().port, serving)
    }

    private static let pythonClient = """
        import socket, sys, hashlib, threading
        s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 15)
        data = bytes(i * 7 % 251 for i in range(251)) * (int(sys.argv[3]) // 251)
        s.sendall(data); s.shutdown(socket.SHUT_WR)
        h = hashlib.sha256(); n = 0
        while True:
            b = s.recv(1 << 20)
            if not b: break
            h.update(b); n += len(b)
        print("ok" if n == len(data) and h.digest() == hashlib.sha256(data).digest() else "bad %d" % n)
        """

    @Test(
        "A Python client that half-closes gets 20 MB back whole: IPv4, IPv6, and IPv4 on a dual-stack listener",
        .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"),
        arguments: [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")])
    func pythonClient_halfCloses_getsItsWholeReply(listen: String, connect: String) async throws {
        let (server, port, serving) = try await InteropTests.makeReplyingServer(on: listen)
        let child = try ChildProcess(
            "python3", ["-c", InteropTests.pythonClient, connect, "\(port)", "\(InteropTests.size)"])
        #expect(try await blocking(.seconds(40)) { try child.readLine() } == "ok")
        #expect(try await blocking(.seconds(40)) { try child.waitForEnd() } == 0)
        await server.close()
        try await within { try await serving.value }
    }

    private static let pythonServer = """
        import socket, sys
        l = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
        l.bind((sys.argv[1], 0)); l.listen(); l.settimeout(15)
        print(l.getsockname()[1], flush=True)
        c, _ = l.accept(); data = b""
        while True:
            b = c.recv(1 << 20)
            if not b: break
            data += b
        c.sendall(data); c.close()
        """

    @Test(
        "A Python server answers our half-closed request whole",
        .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"),
        arguments: Loopback.allCases)
    func pythonServer_weHalfClose_replyIsWhole(loopback: Loopback) async throws {
        let child = try ChildProcess("python3", ["-c", InteropTests.pythonServer, loopback.rawValue])
        let port = try #require(Int(try await blocking { try child.readLine() }))
        let client = TCPSocket()
        try await client.connect(to: loopback.address(port))
        try await InteropTests.expectEcho(from: client)
        #expect(try await blocking { try child.waitForEnd() } == 0)
    }

    /// Sends 20 MB, ends our direction, and expects the same back, checked byte by byte.
    private static func expectEcho(from client: TCPSocket) async throws {
        let pattern = Pattern()
        async let sent: Void = {
            try await client.send(pattern.bytes(size))
            try await client.finish()
        }()
        var offset = 0
        for try await chunk in client.messages {
            #expect(pattern.matches(chunk.message, at: offset))
            offset += chunk.message.count
        }
        try await sent
        #expect(offset == size)
        await client.close()
    }

    @Test(
        "socat echoes 20 MB to us", .enabled(if: ChildProcess.find("socat") != nil, "socat is not installed"),
        arguments: Loopback.allCases)
    func socatServer_echoes_whole(loopback: Loopback) async throws {
        let listen = loopback == .ipv4 ? "TCP4-LISTEN:0,bind=127.0.0.1" : "TCP6-LISTEN:0,bind=[::1]"
        let child = try ChildProcess("socat", ["-d", "-d", "-t", "15", listen, "EXEC:cat"])
        let line = try await blocking { try child.readLine(ofErrors: true) }
        let port = try #require(line.split(separator: ":").last.flatMap { Int($0) }, "no port in \(line)")
        let client = TCPSocket()
        try await client.connect(to: loopback.address(port))
        try await InteropTests.expectEcho(from: client)
        #expect(try await blocking { try child.waitForEnd() } == 0)
    }

    @Test(
        "socat and nc, as clients that end their input, get their whole reply",
        .enabled(
            if: ChildProcess.find("socat") != nil && ChildProcess.find("nc") != nil, "socat or nc is not installed"),
        arguments: ["socat", "nc"], Loopback.allCases)
    func commandLineClient_endsItsInput_getsTheReply(program: String, loopback: Loopback) async throws {
        let (server, port, serving) = try await InteropTests.makeReplyingServer(on: loopback.rawValue)
        let host = loopback == .ipv4 ? "127.0.0.1" : "[::1]"
        let arguments =
            program == "nc" ? ["-N", loopback.rawValue, "\(port)"] : ["-t", "15", "-", "TCP:\(host):\(port)"]
        let child = try ChildProcess(program, arguments)
        let pattern = Pattern()
        let size = 2_000_000
        try await blocking {
            try child.write(pattern.bytes(size))
            child.closeInput()
        }
        let reply = try await blocking { try child.readAll() }
        #expect(reply.count == size)
        #expect(pattern.matches(reply))
        #expect(try await blocking { try child.waitForEnd() } == 0)
        await server.close()
        try await within { try await serving.value }
    }

    @Test("nc listens and hears us", .enabled(if: ChildProcess.find("nc") != nil, "nc is not installed"))
    func ncServer_hearsUs_andWeHearIt() async throws {
        let child = try ChildProcess("nc", ["-v", "-N", "-l", "127.0.0.1", "0"])
        let line = try await blocking { try child.readLine(ofErrors: true) }
        let port = try #require(line.split(separator: " ").compactMap { Int($0) }.last, "no port in \(line)")
        let client = TCPSocket()
        try await client.connect(to: Loopback.ipv4.address(port))
        try await client.send("to nc\n")
        #expect(try await blocking { try child.readLine() } == "to nc")
        try await blocking {
            try child.write(Array("from nc".utf8))
            child.closeInput()
        }
        var heard: [UInt8] = []
        for try await chunk in client.messages { heard += chunk.message }
        #expect(heard == Array("from nc".utf8))
        await client.close()
        #expect(try await blocking { try child.waitForEnd() } == 0)
    }

    @Test(
        "Datagrams to and from Python", .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"),
        arguments: Loopback.allCases)
    func pythonDatagrams_echoed_arrive(loopback: Loopback) async throws {
        let script = """
            import socket, sys
            s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((sys.argv[1], 0)); s.settimeout(15); print(s.getsockname()[1], flush=True)
            for _ in range(5):
                d, a = s.recvfrom(65536); s.sendto(d, a)
            """
        let child = try ChildProcess("python3", ["-c", script, loopback.rawValue])
        let port = try #require(Int(try await blocking { try child.readLine() }))
        let udp = UDPSocket()
        for size in [0, 1, 1000, 40_000, 65_507] {
            try await udp.send([UInt8](repeating: UInt8(size % 256), count: size), to: loopback.address(port))
            let echo = try await udp.receive(timeout: .seconds(10))
            #expect(echo.message == [UInt8](repeating: UInt8(size % 256), count: size))
            #expect(echo.remoteInfo.port == port)
            #expect(echo.remoteInfo.address == loopback.rawValue)
        }
        await udp.close()
        #expect(try await blocking { try child.waitForEnd() } == 0)
    }

    private static let pythonEcho = """
        import socket, sys
        s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((sys.argv[1], 0)); s.settimeout(15)
        print(s.getsockname()[1], flush=True)
        while True:
            b, peer = s.recvfrom(65536)
            if b == b'end': break
            s.sendto(b, peer)
        """

    @Test(
        "A Python program answers each datagram of a batch",
        .enabled(if: ChildProcess.find("python3") != nil, "python3 is not installed"), arguments: Loopback.allCases)
    func pythonEcho_answersEachDatagramOfABatch(_ loopback: Loopback) async throws {
        let child = try ChildProcess("python3", ["-c", InteropTests.pythonEcho, loopback.rawValue])
        let port = try #require(Int(try await blocking(.seconds(20)) { try child.readLine() }))
        let udp = UDPSocket()
        try await udp.connect(to: loopback.address(port))
        for sizes in [Array(repeating: 1200, count: 20) + [7], [0, 1, 2, 0, 60_000], Array(repeating: 64, count: 64)] {
            try await udp.send(batch: sizes.map(pattern))
            for size in sizes { #expect(try await udp.receive(timeout: .seconds(20)).message == pattern(size)) }
        }
        try await udp.send("end")
        #expect(try await blocking(.seconds(40)) { try child.waitForEnd() } == 0)
        await udp.close()
    }
}
