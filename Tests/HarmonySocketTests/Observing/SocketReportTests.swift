import HarmonySocket
import Testing

@Suite(.bounded) struct SocketReportTests {
    /// What a connection and its failures say of themselves, with the numbers that differ from run to run replaced.
    private func lines(_ body: (SocketEventLoopGroup) async throws -> Void) async throws -> [String] {
        let group = SocketEventLoopGroup(count: 1)
        let reports = EventRecorder<SocketReport>()
        group.observer = SocketObserver { reports.record($0) }
        try await body(group)
        try await settle(group.loops[0])
        return reports.events.map { report in
            report.description
                .replacing(#/(socket|server)=\d+/#) { "\($0.output.1)=N" }
                .replacing(#/:\d+/#) { _ in ":P" }
                .replacing(#/_s=\d+\.\d{6}(?= |$)/#) { _ in "_s=T" }
        }
    }

    @Test func lines_areLogfmt() async throws {
        let lines = try await lines { group in
            let (client, peer) = try await makeClientWithRawPeer(client: TCPSocket(group: group))
            try await client.send("five!")
            peer.close()
            #expect((try? await client.receive(timeout: .seconds(20))) == nil)
            await client.close()
        }
        #expect(
            lines.prefix(2) == [
                "event=connecting socket=N to=127.0.0.1:P",
                "event=opened socket=N origin=connected local=127.0.0.1:P remote=127.0.0.1:P duration_s=T",
            ])
        // The peer closes with input unread, which is a reset; whether its end is read before that is chance.
        let end = try #require(lines.last)
        #expect(end.hasPrefix("event=closed socket=N reason="))
        #expect(
            end.hasSuffix("local=127.0.0.1:P remote=127.0.0.1:P age_s=T received=0 sent=5") || end.contains("error="))
    }

    @Test func values_withSpaces_areQuoted() async throws {
        let port = try freePort()
        let lines = try await lines { group in
            let socket = TCPSocket(group: group)
            _ = await failure { () async throws(SocketError) in
                try await socket.connect(to: Loopback.ipv4.address(port))
            }
        }
        #expect(
            lines == [
                "event=connecting socket=N to=127.0.0.1:P",
                "event=attempt-failed socket=N remote=127.0.0.1:P error=\"connection refused (ECONNREFUSED)\" duration_s=T",
                "event=closed socket=N reason=failed error=\"connect: connection refused (ECONNREFUSED)\"",
            ])
    }

    @Test func quotesAndBreaks_stayInTheirValue() async throws {
        struct Mishap: Error, CustomStringConvertible {
            let description = "a \"bad\"\nthing = \\ \u{1}"
        }
        let lines = try await lines { group in
            let (server, address) = try await makeServer(group: group)
            let failed = EventRecorder<Void>()
            server.on(.error) { _ in failed.record(()) }
            let serving = Task { try await server.serve { _ in throw Mishap() } }
            let peer = try await blocking { try RawSocket.connected(to: address) }
            try await failed.wait(count: 1)
            await server.close()
            try await serving.value
            peer.close()
        }
        let line = try #require(lines.first { $0.hasPrefix("event=failed") })
        #expect(line.hasSuffix(#"the handler threw a \"bad\"\nthing = \\  ""#), "\(line)")
        #expect(!line.contains("\n"))
    }

    @Test func fields_sayTheSameAsTheLine() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let reports = EventRecorder<SocketReport>()
        group.observer = SocketObserver { reports.record($0) }
        let (server, _) = try await makeServer(group: group)
        await server.close()
        let report = try #require(try await reports.wait(count: 1).first)
        #expect(report.fields.map(\.name) == ["event", "socket", "local"])
        #expect(report.fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ") == report.description)
    }
}
