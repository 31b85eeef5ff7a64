import HarmonySocket
import Testing

// The servers of the examples, each in a process of its own, as they are run. Whatever else the machine does, a process
// that sleeps is not disturbed, so these need not be alone.
@Suite("Promises: an idle server", .bounded) struct IdleServerTests {
    private struct Server {
        let name: String
        let process: ChildProcess
        let port: Int
        let clients: [RawSocket]

        /// Starts a server and gives it clients, each of which gets an answer. Blocks.
        init(_ program: String, _ arguments: [String], makeClients: (_ port: Int) throws -> [RawSocket]) throws {
            name = ([program] + arguments).joined(separator: " ")
            process = try ChildProcess(try #require(ChildProcess.findExample(program)), ["--port", "0"] + arguments)
            port = try #require(try process.readLine().split(separator: ":").last.flatMap { Int($0) })
            clients = try makeClients(port)
        }
    }

    @Test(
        "23. An idle server does nothing: with connections that were used, in each style, no thread of it ever runs",
        .enabled(if: ProcessFacts.hasProc, "asks /proc"),
        .enabled(if: ChildProcess.findExample("chat-server") != nil, "the examples are not built"),
        .disabled(if: ProcessFacts.isThreadSanitized, "the thread sanitizer has a thread of its own"))
    func idleServers_withConnections_neverRun() async throws {
        let servers = try await blocking {
            try ["events", "callback", "async"].flatMap { style in
                [
                    try Server("tcp-echo-server", ["--style", style]) { port in
                        try makeStreams(100, port) { try $0.send("x") }
                    },
                    try Server("udp-echo-server", ["--style", style]) { port in
                        let client = try RawSocket.datagram()
                        try client.send([1], to: Loopback.ipv4.address(port))
                        #expect(try client.receive() == [1])
                        return [client]
                    },
                ]
            } + [
                try Server("chat-server", []) { try makeStreams(20, $0) { try $0.send("hello\n") } },
                try Server("dashboard", ["--page-port", "0"]) { try makeStreams(20, $0) { try $0.send("x") } },
            ]
        }
        #expect(servers.allSatisfy { !$0.process.contextSwitches.isEmpty })
        let names = servers.map(\.name).joined(separator: ", ")
        try await expectRest("each of \(names)", for: .seconds(ProcessFacts.isFullRun ? 10 : 3)) {
            servers.map { $0.process.contextSwitches }
        }
        // They are still there, and end with their input.
        for server in servers {
            server.process.closeInput()
            #expect(try await blocking { try server.process.waitForEnd() } == 0, "\(server.name)")
        }
    }

    /// Connected clients, each of which has had something to read.
    private func makeStreams(
        _ count: Int, _ port: Int, _ begin: (RawSocket) throws -> Void
    ) throws -> [RawSocket] {
        try (0..<count).map { _ in
            let client = try RawSocket.connected(to: Loopback.ipv4.address(port))
            try begin(client)
            #expect(try !client.receive().isEmpty)
            return client
        }
    }
}
