import HarmonySocket
import Testing

@Suite(.bounded) struct SocketObserverTests {
    /// A group, and what its sockets have reported.
    private struct Observatory: Sendable {
        let group = SocketEventLoopGroup(count: 2)
        let reports = EventRecorder<SocketReport>()

        init() { group.observer = SocketObserver { [reports] in reports.record($0) } }

        /// What happened to one socket, by name, once its last report has come.
        func story(of socket: Int?, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [SocketReport] {
            let number = try #require(socket, sourceLocation: sourceLocation)
            return try await reports.wait(sourceLocation: sourceLocation) { reports in
                reports.contains { $0.socket == number && $0.event.name == "closed" }
            }.filter { $0.socket == number }
        }
    }

    private func closing(_ report: SocketReport?) throws -> SocketReport.Closing {
        guard case .closed(let closing)? = report?.event else { throw WaitTimedOut(what: "the end") }
        return closing
    }

    @Test func connection_tellsItsStory_atBothEnds() async throws {
        let observatory = Observatory()
        let pair = try await makeTCPPair(group: observatory.group)
        let address = try await pair.server.getLocalAddress()
        let own = try await pair.client.getLocalAddress()
        try await pair.client.send("hello")
        #expect(try await read(5, from: pair.connection) == Array("hello".utf8))
        try await pair.connection.send("hi")
        #expect(try await read(2, from: pair.client) == Array("hi".utf8))
        await pair.client.close()
        #expect(try await pair.connection.receive(timeout: .seconds(20)) == nil)
        await pair.connection.close()
        await pair.server.close()

        let client = try await observatory.story(of: pair.client.reportedAs)
        #expect(client.map(\.event.name) == ["connecting", "opened", "closed"])
        #expect(client[0].event == .connecting(to: address))
        #expect(client[0].localAddress == nil && client[0].remoteAddress == nil)
        guard case .opened(.connected(let duration)) = client[1].event else { throw WaitTimedOut(what: "connected") }
        #expect(duration > .zero && duration < .seconds(20))
        for report in client[1...] { #expect(report.localAddress == own && report.remoteAddress == address) }
        let end = try closing(client[2])
        #expect(end.reason == .local && end.error == nil)
        #expect(end.statistics?.bytesSent == 5 && end.statistics?.bytesReceived == 2)
        #expect(end.statistics == pair.client.statistics, "nothing is counted behind it")

        let server = try await observatory.story(of: pair.server.reportedAs)
        #expect(server.map(\.event.name) == ["listening", "closed"])
        for report in server { #expect(report.localAddress == address && report.remoteAddress == nil) }
        #expect(try closing(server[1]).reason == .local)
        #expect(try closing(server[1]).statistics == nil)

        let connection = try await observatory.story(of: pair.connection.reportedAs)
        #expect(connection.map(\.event.name) == ["opened", "closed"])
        #expect(connection[0].event == .opened(.accepted(by: pair.server.reportedAs ?? 0)))
        for report in connection { #expect(report.localAddress == address && report.remoteAddress == own) }
        #expect(try closing(connection[1]).reason == .peer)
        #expect(try closing(connection[1]).statistics?.age ?? .zero > .zero)
    }

    enum End: CaseIterable, Sendable { case reset, resetByPeer, idle, linger }

    @Test(arguments: End.allCases)
    func end_hasItsReason(_ end: End) async throws {
        let observatory = Observatory()
        let (connection, peer) = try await makeConnectionWithRawPeer(group: observatory.group)
        let number = connection.reportedAs
        var reason = SocketReport.Reason.failed
        var kind: SocketError.Kind?
        switch end {
        case .reset:
            await connection.reset()
            reason = .reset
        case .resetByPeer:
            peer.reset()
            kind = .connectionReset
        case .idle:
            try await connection.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(20)))
            kind = .timedOut
        case .linger:
            try await connection.setExtraOptions(
                TCPExtraOptions(socketLinger: SocketLinger(on: true, linger: .zero)))
            await connection.close()
            reason = .reset
        }
        let closing = try closing(try await observatory.story(of: number).last)
        #expect(closing.reason == reason)
        #expect(closing.error?.kind == kind)
        #expect(closing.statistics != nil)
        if end == .resetByPeer { await connection.close() } else { peer.close() }
    }

    @Test func socket_thatIsLetGoOf_isClosedByUs() async throws {
        let observatory = Observatory()
        let listener = try RawSocket.listening()
        func connectAndForget() async throws -> Int? {
            let socket = TCPSocket(group: observatory.group)
            try await socket.connect(to: Loopback.ipv4.address(listener.port))
            return socket.reportedAs
        }
        let peer = Task { try await blocking { try listener.accept() } }
        let number = try await connectAndForget()
        try await peer.value.finish()
        #expect(try closing(try await observatory.story(of: number).last).reason == .local)
    }

    @Test func connect_thatFails_tellsOfEachAddress() async throws {
        let observatory = Observatory()
        let port = try freePort()
        let resolver = ScriptedResolver(["127.0.0.1", "::1"])
        let socket = TCPSocket(group: observatory.group, resolver: resolver)
        let name = NetAddress("host.example", port: port)
        let error = await failure { () async throws(SocketError) in try await socket.connect(to: name) }
        let story = try await observatory.story(of: socket.reportedAs)
        #expect(story.first?.event == .connecting(to: name))
        let attempts = story.compactMap { report -> ConnectAttemptInfo? in
            guard case .attemptFailed(let attempt) = report.event else { return nil }
            #expect(report.remoteAddress == attempt.address)
            return attempt
        }
        #expect(attempts == error?.attempts && attempts.count == 2)
        let closing = try closing(story.last)
        #expect(closing.reason == .failed)
        #expect(closing.error?.kind == .connectionRefused)
        #expect(closing.statistics == nil, "there was no connection")
        #expect(story.count == 4)
    }

    @Test func connect_thatTimesOut_tellsOfWhatWasRunning() async throws {
        let observatory = Observatory()
        let silent = try SilentListener()
        let socket = TCPSocket(group: observatory.group)
        let error = await failure { () async throws(SocketError) in
            try await socket.connect(to: silent.address, timeout: .milliseconds(30))
        }
        let story = try await observatory.story(of: socket.reportedAs)
        #expect(story.map(\.event.name) == ["connecting", "attempt-failed", "closed"])
        #expect(try closing(story.last).error?.kind == error?.kind)
    }

    @Test(arguments: [SocketOverloadPolicy.wait, .refuse])
    func overload_isTold(_ policy: SocketOverloadPolicy) async throws {
        let observatory = Observatory()
        let (server, address) = try await makeServer(group: observatory.group)
        server.maxConnections = 1
        server.overloadPolicy = policy
        let kept = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { kept.record($0) }
        let peers = try await blocking { try (0..<3).map { _ in try RawSocket.connected(to: address) } }
        let wanted = policy == .refuse ? ["listening", "overload", "refused", "refused"] : ["listening", "overload"]
        let reports = try await observatory.reports.wait { reports in
            reports.count { $0.socket == server.reportedAs } >= wanted.count
        }.filter { $0.socket == server.reportedAs }
        #expect(reports.map(\.event.name).sorted() == wanted)
        let infos = reports.compactMap { report in
            if case .overload(let info) = report.event { info } else { nil as SocketOverloadInfo? }
        }
        #expect(infos.map(\.connectionCount) == [1] && infos.map(\.maxConnections) == [1])
        #expect(infos.map(\.isRefused) == [policy == .refuse])
        let refused = reports.compactMap { report in
            if case .refused(let peer) = report.event { peer.port } else { nil as Int? }
        }
        #expect(Set(refused).isSubset(of: peers.map { Kernel.port(of: Int($0.number)) ?? 0 }))
        await server.close()
        for connection in kept.events { await connection.reset() }
        for peer in peers { peer.close() }
    }

    @Test func error_ofAHandler_isTold() async throws {
        struct Mishap: Error {}
        let observatory = Observatory()
        let (server, address) = try await makeServer(group: observatory.group)
        let serving = Task { try await server.serve { _ in throw Mishap() } }
        let peer = try await blocking { try RawSocket.connected(to: address) }
        let reports = try await observatory.reports.wait { reports in reports.contains { $0.event.name == "failed" } }
        guard case .failed(let error)? = reports.first(where: { $0.event.name == "failed" })?.event else { return }
        #expect(error.kind == .handlerFailed)
        await server.close()
        try await serving.value
        peer.close()
    }

    @Test func descriptor_adoptedAndDetached_isTold() async throws {
        let observatory = Observatory()
        let (connection, peer) = try await makeConnectionWithRawPeer()
        #expect(connection.reportedAs == nil, "the shared group is not observed")
        let adopted = try TCPSocket(
            adopting: try await connection.detach().descriptor, group: observatory.group)
        let number = adopted.reportedAs
        Kernel.close(try await adopted.detach().descriptor)
        let story = try await observatory.story(of: number)
        #expect(story.first?.event == .opened(.adopted))
        #expect(try closing(story.last).reason == .detached)
        #expect(story.count == 2)

        let server = TCPSocketServer(group: observatory.group)
        try await server.listen(Loopback.ipv4.address())
        Kernel.close(try await server.detach())
        #expect(try closing(try await observatory.story(of: server.reportedAs).last).reason == .detached)
        peer.close()
    }

    @Test func socket_thatNeverBegan_isNotToldOf() async throws {
        let observatory = Observatory()
        let socket = TCPSocket(group: observatory.group)
        try await socket.bind(Loopback.ipv4.address())
        await socket.close()
        let server = TCPSocketServer(group: observatory.group)
        await server.close()
        // Behind them.
        let pair = try await makeTCPPair(group: observatory.group)
        await pair.close()
        for loop in observatory.group.loops { try await settle(loop) }
        let silent = [socket.reportedAs, server.reportedAs]
        #expect(!silent.contains(nil))
        #expect(observatory.reports.events.allSatisfy { !silent.contains($0.socket) })
    }

    @Test func observer_canCallSockets_andComeAndGo() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let seen = EventRecorder<SocketStateBase>()
        let socket = TCPSocket(group: group)
        #expect(socket.reportedAs == nil && group.observer == nil)
        let observed = TestLock<TCPSocket?>(nil)
        group.observer = SocketObserver { _ in
            // No lock is held: a call of the very socket that reports does not wait for itself.
            guard let socket = observed.withLock({ $0 }) else { return }
            socket.off(.message)
            seen.record(socket.state)
        }
        #expect(socket.reportedAs == nil, "it is older")
        let listener = try RawSocket.listening()
        let second = TCPSocket(group: group)
        observed.withLock { $0 = second }
        try await second.connect(to: Loopback.ipv4.address(listener.port))
        #expect(seen.events.map(\.isConnected) == [false, true])
        group.observer = nil
        #expect(TCPSocket(group: group).reportedAs == nil)
        await second.reset()
        #expect(try await seen.wait(count: 3)[2].isClose, "also by one that is closed by now")
        observed.withLock { $0 = nil }
        await socket.close()
    }

    @Test func taskLocalValues_areThereWhenAConnectBegins() async throws {
        let group = SocketEventLoopGroup(count: 1)
        let seen = EventRecorder<String>()
        group.observer = SocketObserver { report in
            if case .connecting = report.event { seen.record(Span.name) }
        }
        let listener = try RawSocket.listening()
        let socket = TCPSocket(group: group)
        try await Span.$name.withValue("request 7") {
            try await socket.connect(to: Loopback.ipv4.address(listener.port))
        }
        #expect(seen.events == ["request 7"])
        await socket.close()
    }

    enum Span {
        @TaskLocal static var name = "none"
    }
}
