import HarmonySocket
import HarmonyTLS
import Testing

@Suite("Peers that do not play by the rules", .timeLimit(.minutes(2)))
struct HostilePeerTests {
    /// A server whose errors are recorded.
    private struct Watched {
        let server: TLSSocketServer
        let port: Int
        let errors = EventRecorder<SocketError>()
        let connections = EventRecorder<TLSSocketConnection>()

        init(_ change: (inout TLSConnectOptions) -> Void = { _ in }) async throws {
            (server, port) = try await makeTLSServer(Certificates.shared.serverOptions, change)
            server.on(.error) { [errors] in errors.record($0) }
            server.on(.connect) { [connections] in connections.record($0) }
        }

        /// What the server tells of a peer that says this, and perhaps ends.
        func hear(_ bytes: [UInt8], thenEnds: Bool = false) async throws -> SocketError {
            let peer = try await blocking { [port] in
                try RawSocket.connected(to: NetAddress("127.0.0.1", port: port))
            }
            try await blocking { try peer.send(bytes) }
            if thenEnds { peer.finish() }
            let error = try await errors.wait(count: 1)[0]
            // Whatever it was, it ends, and not by a reset.
            _ = try await blocking { try peer.receiveAll() }
            peer.close()
            return error
        }
    }

    @Test(
        "What is no TLS is called so, and the connection ends",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "http request: the peer speaks HTTP without TLS"),
            ("SSH-2.0-OpenSSH_9.9 hello there\r\n", "wrong version number: what the peer sent is no TLS"),
            ("\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}", "what the peer sent is no TLS"),
        ])
    func garbage_isCalledSo(text: String, problem: String) async throws {
        let watched = try await Watched()
        let error = try await watched.hear(Array(text.utf8))
        #expect(error.kind == .tlsFailed)
        #expect(error.operation == .handshake)
        #expect(error.message.contains(problem), "\(error.message)")
        #expect(watched.connections.count == 0)
        await watched.server.close()
    }

    @Test("A client that talks TLS to a server without it is told so")
    func client_atPlainServer_isTold() async throws {
        let (server, address) = try await makeServer()
        server.on(.connect) { $0.send("220 mail.example.org ESMTP ready\r\n") { _ in } }
        let error = await failure { () throws(SocketError) in
            try await TLSSocket().connect(clientOptions(port: address.port))
        }
        #expect(error?.kind == .tlsFailed)
        #expect(error?.message == "wrong version number: what the peer sent is no TLS")
        await server.close()
    }

    @Test("Random bytes behind the beginning of a record never get through, and never hang", arguments: 0..<20)
    func randomRecords_fail(seed: Int) async throws {
        var random = SplitMix(UInt64(seed) &* 77)
        let watched = try await Watched()
        let count = Int.random(in: 1...600, using: &random)
        let body = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        let record: [UInt8] = [22, 3, 1, UInt8(count >> 8), UInt8(count & 255)] + body
        let error = try await watched.hear(record, thenEnds: true)
        #expect(error.kind == .tlsFailed, "\(error)")
        await watched.server.close()
    }

    @Test("A peer that ends, or breaks off, before the handshake is over is reported as such")
    func earlyEnd_isReported() async throws {
        let watched = try await Watched()
        let error = try await watched.hear([22, 3, 1, 0, 100], thenEnds: true)
        #expect(error.kind == .tlsFailed)
        #expect(error.message == "the peer ended the connection during the handshake")
        let peer = try await blocking {
            try RawSocket.connected(to: NetAddress("127.0.0.1", port: watched.port))
        }
        try await blocking { try peer.send([22, 3]) }
        peer.reset()
        #expect(try await watched.errors.wait(count: 2)[1].kind == .connectionReset)
        await watched.server.close()
    }

    @Test("Peers that stall in the handshake time out, and keep nobody else waiting")
    func stall_timesOut_andHoldsUpNobody() async throws {
        let watched = try await Watched { $0.timeout = .milliseconds(500) }
        let stalled = try await blocking { [port = watched.port] in
            try (0..<20).map { _ in try RawSocket.connected(to: NetAddress("127.0.0.1", port: port)) }
        }
        for peer in stalled { try await blocking { try peer.send([22, 3, 1]) } }
        let client = TLSSocket()
        try await client.connect(clientOptions(port: watched.port))
        _ = try await watched.connections.wait(count: 1)
        let errors = try await watched.errors.wait(count: stalled.count)
        #expect(errors.allSatisfy { $0.kind == .timedOut && $0.message == "timed out during the handshake" })
        #expect(watched.server.connectionCount == 1)
        for peer in stalled {
            // They are cut off and told nothing: by an end or, where what they had sent was not read in time, by a reset.
            let told = try await blocking { Result { try peer.receiveAll() } }
            #expect((try? told.get())?.isEmpty != false)
        }
        await client.close()
        await watched.server.close()
    }

    @Test("A server that stalls lets the client's time run out")
    func stalledServer_timesOut() async throws {
        let listener = try RawSocket.listening(on: .ipv4)
        let client = TLSSocket()
        let error = await failure { () throws(SocketError) in
            try await client.connect(clientOptions(port: listener.port) { $0.timeout = .milliseconds(200) })
        }
        #expect(error?.kind == .timedOut)
        #expect(error?.code == 2_301_110)
        #expect(client.state.isClose)
    }

    @Test("A cancelled connect, and a close, end a handshake that stalls at once")
    func stalledServer_canBeLeft() async throws {
        let listener = try RawSocket.listening(on: .ipv4)
        let options = clientOptions(port: listener.port)
        let client = TLSSocket()
        let task = Task { try await client.connect(options) }
        let peer = try await blocking { try listener.accept() }
        _ = try await blocking { try peer.receive() }
        task.cancel()
        let result = try await within { await task.result }
        #expect(throws: (any Error).self) { try result.get() }
        #expect(client.lastError?.kind == .cancelled)
        let other = TLSSocket()
        let second = Task { try await other.connect(options) }
        let otherPeer = try await blocking { try listener.accept() }
        _ = try await blocking { try otherPeer.receive() }
        await other.close()
        let error = await failure { () throws(SocketError) in
            do { try await second.value } catch let error as SocketError { throw error } catch {}
        }
        #expect(error?.kind == .aborted)
    }

    @Test("No more handshakes than the limit are under way; the others wait, and get their turn")
    func handshakes_areLimited() async throws {
        let watched = try await Watched { $0.timeout = .milliseconds(300) }
        watched.server.maxHandshakes = 2
        let stalled = try await blocking { [port = watched.port] in
            try (0..<4).map { _ in try RawSocket.connected(to: NetAddress("127.0.0.1", port: port)) }
        }
        try await eventually("two are under way") { watched.server.connectionCount == 2 }
        let client = TLSSocket()
        try await client.connect(clientOptions(port: watched.port))
        #expect(watched.errors.count >= 2)
        await client.close()
        for peer in stalled { peer.close() }
        await watched.server.close()
    }

    // MARK: Cuts

    @Test("Records that come byte by byte are read as any others")
    func records_byteByByte_areRead() async throws {
        let pair = try await CutConnection.make(chunk: 1)
        try await pair.client.send(pattern(2_000))
        #expect(try await read(2_000, from: pair.connection) == pattern(2_000))
        try await pair.connection.send("back")
        #expect(try await pair.client.receive()?.text == "back")
        await pair.close()
    }

    @Test("A connection that is cut after any number of bytes fails with a typed error, or had said that it ends")
    func cuts_areNoticed() async throws {
        let whole = try await CutConnection.run(cutAfter: .max)
        #expect(whole.error == nil)
        #expect(whole.text == "The end is near, and here it is.")
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Every byte; of a sanitizer, which makes all of it slow, every seventh.
            let isSlow = ProcessFacts.isThreadSanitized || ProcessFacts.isAddressSanitized
            // The length of a signature differs by some bytes from handshake to handshake, and with it where the end is.
            for limit in stride(from: 0, to: whole.count - 8, by: isSlow ? 7 : 1) {
                group.addTask {
                    let result = try await CutConnection.run(cutAfter: limit)
                    let error = try #require(result.error, "cut after \(limit) of \(whole.count) bytes")
                    #expect([.tlsFailed, .truncated].contains(error.kind), "\(error)")
                    #expect(error.kind == .tlsFailed || error.code == 2_303_506)
                    // What had come whole before was handed out.
                    #expect(whole.text.hasPrefix(result.text))
                }
                if limit % 16 == 0 { try await group.waitForAll() }
            }
        }
    }

    @Test("An end without close_notify is a truncation: for readers, listeners and those who wait")
    func truncation_isTold() async throws {
        let pair = try await CutConnection.make()
        let log = EventLog()
        pair.client.on(.end) { log.record("end") }
        pair.client.on(.error) { log.record("error:\($0.kind)") }
        pair.client.on(.close) { log.record($0.error.map { "close:\($0.kind)" } ?? "close") }
        try await pair.connection.send("whole")
        #expect(try await pair.client.receive()?.text == "whole")
        pair.cut()
        try await log.wait(for: "close:truncated")
        #expect(log.events == ["error:truncated", "close:truncated"])
        let error = await failure { () throws(SocketError) in try await pair.client.receive() }
        #expect(error?.kind == .truncated)
        await pair.close()
    }

    @Test("A record that was tampered with is refused, and what came before it is not lost")
    func tampering_isNoticed() async throws {
        let pair = try await CutConnection.make()
        try await pair.connection.send("first")
        #expect(try await pair.client.receive()?.text == "first")
        pair.tamper()
        try await pair.connection.send("second")
        let error = await failure { () throws(SocketError) in try await pair.client.receive(timeout: .seconds(10)) }
        #expect(error?.kind == .tlsFailed)
        #expect(error?.code == 2_303_502)
        #expect(error?.message.contains("bad record mac") == true, "\(error?.message ?? "")")
        await pair.close()
    }
}
