import HarmonySocket
import Testing

@Suite(.bounded) struct LocalSocketTests {
    // MARK: The three styles

    @Test(arguments: LocalSocketType.available) func echo_asyncStyle(_ type: LocalSocketType) async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer(type: type)
        try await server.listen(directory.address())
        let serving = Task {
            try await server.serve { client in
                for try await message in client.messages { try await client.send(message.message) }
            }
        }
        let client = LocalSocket(type: type)
        try await client.connect(LocalConnectOptions(address: directory.address(), timeout: .seconds(6)))
        for text in ["one", "two", "three"] {
            try await client.send(LocalSendOptions(data: text))
            let message: LocalSocketMessageInfo? = try await client.receive(timeout: .seconds(20))
            #expect(message?.text == text)
            #expect(message?.address == directory.entry("socket") && message?.size == text.utf8.count)
            #expect(message?.remoteInfo.family == .local && message?.remoteInfo.port == 0)
        }
        await client.close()
        await server.close()
        try await within { try await serving.value }
    }

    @Test(arguments: LocalSocketType.available) func echo_completionStyle(_ type: LocalSocketType) async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer(type: type)
        _ = try await answer { server.listen(directory.address(), completion: $0) }.get()
        server.on(.connect) { client in
            client.on(.message) { client.send($0.message) { _ in } }
        }
        let client = LocalSocket(type: type)
        _ = try await answer { client.connect(to: directory.address(), completion: $0) }.get()
        _ = try await answer { client.send("hello", completion: $0) }.get()
        let message = try await answer { client.receive(timeout: .seconds(20), completion: $0) }.get()
        #expect(message?.text == "hello" && message?.address == directory.entry("socket"))
        #expect(try await answer { client.getLocalAddress(completion: $0) }.get() == .unnamed)
        #expect(try await answer { client.getRemoteAddress(completion: $0) }.get() == directory.address())
        #expect(try await answer { server.getLocalAddress(completion: $0) }.get() == directory.address())
        #expect(try await answer { client.getState(completion: $0) }.get().isConnected)
        #expect(try await answer { client.getSocketFd(completion: $0) }.get() >= 0)
        _ = try await answer { client.close(completion: $0) }.get()
        _ = try await answer { server.close(completion: $0) }.get()
    }

    @Test(arguments: LocalSocketType.available) func echo_eventStyle(_ type: LocalSocketType) async throws {
        let log = EventLog()
        let pair = try await LocalPair(type) { connection in
            connection.on(.message) { message in
                log.record("server:\(message.text ?? "-"):\(message.address)")
                connection.send(message.message) { _ in }
            }
            connection.once(.end) { log.record("server:end") }
            connection.on(.close) { log.record("server:close") }
        }
        let listener = pair.client.on(.message) { log.record("client:\($0.text ?? "-")") }
        pair.client.on(.close) { log.record("client:close") }
        pair.client.send("a") { _ in }
        try await log.wait(for: "client:a")
        pair.client.off(listener)
        await pair.client.close()
        try await log.wait(for: "server:close")
        try await log.wait(for: "client:close")
        #expect(log.events.filter { $0.hasPrefix("server") } == ["server:a:", "server:end", "server:close"])
        #expect(log.events.filter { $0.hasPrefix("client") } == ["client:a", "client:close"])
        await pair.close()
    }

    @Test func openHarmonyNames_make() {
        #expect(!constructLocalSocketInstance().state.isBound)
        #expect(!constructLocalSocketServerInstance().state.isBound)
        #expect(LocalSocketType.allCases == [.stream, .seqpacket])
    }

    // MARK: State, addresses, options

    @Test(arguments: LocalSocketType.available) func state_andAddresses_tellTheTruth(
        _ type: LocalSocketType
    ) async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer(type: type)
        let log = EventLog()
        server.on(.listening) { log.record("server listening") }
        try await server.listen(directory.address())
        #expect(await server.getState().isBound)
        let client = LocalSocket(type: type)
        #expect(client.type == type && client.localAddress == nil && client.remoteAddress == nil)
        client.on(.listening) { log.record("client listening") }
        client.on(.connect) { log.record("client connected") }
        try await client.bind(directory.address("client"))
        #expect(directory.look("client")?.hasPrefix("socket") == true)
        #expect(client.state.isBound && !client.state.isConnected)
        try await client.connect(to: directory.address())
        #expect(log.events == ["server listening", "client listening", "client connected"])
        let connection = try await server.accept(timeout: .seconds(20))
        #expect(connection.type == type && connection.clientId > 0)
        #expect(connection.remoteAddress == directory.address("client"))
        #expect(try await connection.getRemoteAddress() == directory.address("client"))
        #expect(try await connection.getLocalAddress() == directory.address())
        #expect(try await client.getLocalAddress().address == directory.entry("client"))
        let info = await client.getInfo()
        #expect(info.socketType == .local && info.connected && info.peerAddress?.family == .local)
        #expect(info.description == "local \(directory.entry("client")) to \(directory.entry("socket"))")
        await client.close()
        try await eventually("its path is removed") { directory.look("client") == nil }
        let error = await failure { () async throws(SocketError) in try await client.getLocalAddress() }
        #expect(error?.kind == .closed && client.state.isClose)
        await connection.close()
        await server.close()
    }

    @Test func options_areSetAndReadBack() async throws {
        let pair = try await LocalPair()
        let wanted = ExtraOptionsBase(receiveBufferSize: 20_000, sendBufferSize: 30_000, socketTimeout: .seconds(60))
        for socket in [pair.client, pair.connection, pair.server] as [any LocalDomainSocket] {
            try await socket.setExtraOptions(wanted)
            let found = try await socket.getExtraOptions()
            #expect(try #require(found.receiveBufferSize) >= 20_000 && (try #require(found.sendBufferSize)) >= 30_000)
            #expect(found.socketTimeout == .seconds(60))
            _ = try await answer { socket.setExtraOptions(ExtraOptionsBase(socketTimeout: .zero), completion: $0) }
                .get()
            #expect(try await answer { socket.getExtraOptions(completion: $0) }.get().socketTimeout == .zero)
            try await socket.setExtraOptions(ExtraOptionsBase(reuseAddress: true))
            #expect(try await socket.getExtraOptions().reuseAddress == true)
            let error = await failure { () async throws(SocketError) in
                try await socket.setExtraOptions(ExtraOptionsBase(sendBufferSize: -1))
            }
            #expect(error?.kind == .invalidArgument && error?.field == "sendBufferSize")
        }
        await pair.close()
        let error = await failure { () async throws(SocketError) in try await pair.client.getExtraOptions() }
        #expect(error?.kind == .closed)
    }

    @Test func socketTimeout_closesAnIdleConnection() async throws {
        let pair = try await LocalPair()
        let log = EventLog()
        record(pair.client, in: log)
        try await pair.client.setExtraOptions(ExtraOptionsBase(socketTimeout: .milliseconds(20)))
        try await log.wait(for: "close:timedOut")
        await pair.close()
    }

    // MARK: Connecting

    @Test func connect_whereNobodyIs_saysWhy() async throws {
        let directory = try TemporaryDirectory()
        try directory.makeStaleSocket("stale")
        try directory.makeFile("file")
        for (name, expected) in [("nothing", "ENOENT"), ("stale", "ECONNREFUSED"), ("file", "ECONNREFUSED")] {
            let client = LocalSocket()
            let error = await failure { () async throws(SocketError) in
                try await client.connect(to: directory.address(name))
            }
            #expect(error?.systemError?.name == expected || name == "file" && !isLinux)
            #expect(error?.address == directory.entry(name) && error?.attempts.count == 1)
            #expect(client.state.isClose)
        }
    }

    @Test(.enabled(if: isLinux)) func connect_toAServerOfAnotherType_isRefused() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer(type: .seqpacket)
        try await server.listen(directory.address())
        let error = await failure { () async throws(SocketError) in
            try await LocalSocket().connect(to: directory.address())
        }
        #expect(error?.systemError?.name == "EPROTOTYPE")
        await server.close()
    }

    @Test(.enabled(if: isLinux)) func connect_toAFullBacklog_waitsForRoom_orForItsTimeOut() async throws {
        let directory = try TemporaryDirectory()
        let server = LocalSocketServer()
        try await server.listen(directory.address(), backlog: 1)
        var clients: [LocalSocket] = []
        // The kernel takes one more than asked for.
        for _ in 0..<2 {
            let client = LocalSocket()
            try await client.connect(to: directory.address())
            clients.append(client)
        }
        let late = LocalSocket()
        let error = await failure { () async throws(SocketError) in
            try await late.connect(to: directory.address(), timeout: .milliseconds(30))
        }
        #expect(error?.kind == .timedOut)
        let patient = LocalSocket()
        let connecting = Task { try await patient.connect(to: directory.address(), timeout: .seconds(20)) }
        let cancelled = LocalSocket()
        let waiting = Task { try await cancelled.connect(to: directory.address(), timeout: nil) }
        try await settle(cancelled.eventLoop)
        waiting.cancel()
        await #expect(throws: SocketError.self) { try await waiting.value }
        #expect(cancelled.state.isClose)
        let connection = try await server.accept(timeout: .seconds(20))
        try await connecting.value
        #expect(patient.state.isConnected)
        for client in clients + [patient] { await client.close() }
        await connection.close()
        await server.close()
    }

    @Test func connect_toItself_isRefused() async throws {
        let directory = try TemporaryDirectory()
        let socket = LocalSocket()
        try await socket.bind(directory.address())
        let error = await failure { () async throws(SocketError) in try await socket.connect(to: directory.address()) }
        #expect(error?.kind == .connectionRefused)
        try await eventually("its path is removed") { directory.look() == nil }
    }

    // MARK: Pairs and credentials

    @Test(arguments: LocalSocketType.available) func pair_isConnected(_ type: LocalSocketType) async throws {
        let (first, second) = try LocalSocket.pair(type: type)
        #expect(first.type == type && first.localAddress == .unnamed && first.remoteAddress == .unnamed)
        #expect(Kernel.isCloseOnExecAndNonblocking(await first.getSocketFd()))
        try await first.send("ping")
        #expect(try await second.receive(timeout: .seconds(20))?.text == "ping")
        let log = EventLog()
        recordMessages(first, in: log)
        try await second.send("pong")
        try await log.wait(for: "message:pong")
        await second.close()
        await first.close()
    }

    @Test func credentials_areOurs() async throws {
        let pair = try await LocalPair()
        let own = RawLocal.identity
        for peer in [
            try await pair.client.getPeerCredentials(), try await pair.connection.getPeerCredentials(),
            try await answer { pair.client.getPeerCredentials(completion: $0) }.get(),
            try await LocalSocket.pair().0.getPeerCredentials(),
        ] {
            #expect(peer.uid == own.user && peer.gid == own.group)
            #expect(peer.pid == own.process || !isLinux)
        }
        await pair.close()
        let closed = await failure { () async throws(SocketError) in try await pair.client.getPeerCredentials() }
        #expect(closed?.kind == .closed)
        let early = await failure { () async throws(SocketError) in try await LocalSocket().getPeerCredentials() }
        #expect(early?.kind == .notConnected)
    }

    // MARK: Adopting

    @Test(arguments: LocalSocketType.available) func adopted_isConnected_andOfItsType(
        _ type: LocalSocketType
    ) async throws {
        let (first, second) = try LocalSocket.pair(type: type)
        // What a descriptor in a message would be: the same socket under another number.
        second.descriptorLimit = 1
        let (third, fourth) = try LocalSocket.pair(type: type)
        try await first.send("take it", descriptors: [await third.getSocketFd()])
        _ = try await second.receive(timeout: .seconds(20))
        let socket = try LocalSocket(adopting: try #require(second.takeDescriptor()))
        #expect(socket.type == type && socket.state.isConnected)
        try await socket.send("through the other")
        #expect(try await fourth.receive(timeout: .seconds(20))?.text == "through the other")
        for socket in [first, second, third, fourth, socket] { await socket.close() }
    }

    @Test func adopting_whatIsNoLocalConnection_isRefused() async throws {
        let tcp = try await makeTCPPair()
        let pair = try await LocalPair()
        let file = try TemporaryFile()
        let number = try file.open()
        defer { TemporaryFile.close(number) }
        for descriptor in [-1, number, await tcp.client.getSocketFd(), await pair.server.getSocketFd()] {
            let error = await failure { () throws(SocketError) in try LocalSocket(adopting: descriptor) }
            #expect(error?.kind == .invalidArgument && error?.field == "descriptor")
        }
        for descriptor in [-1, await pair.client.getSocketFd()] {
            let error = await failure { () throws(SocketError) in try LocalSocketServer(adopting: descriptor) }
            #expect(error?.kind == .invalidArgument && error?.field == "descriptor")
        }
        let local = await pair.client.getSocketFd()
        let error = await failure { () throws(SocketError) in try TCPSocket(adopting: local) }
        #expect(error?.message.contains("neither IPv4 nor IPv6") == true)
        await tcp.close()
        await pair.close()
    }

    // MARK: What all streams can

    @Test func stream_framesPumpsRelaysAndSendsFiles() async throws {
        let bytes = pattern(300_000)
        let file = try TemporaryFile(bytes)
        let (a, b) = try LocalSocket.pair()
        let (c, d) = try LocalSocket.pair()
        let relaying = Task { try await b.relay(with: c) }
        let reading = Task { try await readAll(d) }
        #expect(try await a.sendFile(file.path) == bytes.count)
        try await a.finish()
        #expect(try await within { try await reading.value } == bytes)
        try await d.finish()
        #expect(try await within { try await relaying.value }.forward == bytes.count)
        #expect(a.statistics.bytesSent == bytes.count && d.statistics.bytesReceived == bytes.count)
        let (e, f) = try LocalSocket.pair()
        e.setFraming(try .lengthPrefixed())
        f.setFraming(try .lengthPrefixed())
        for text in ["one", "", "three"] { try await e.send(text) }
        for text in ["one", "", "three"] { #expect(try await f.receive(timeout: .seconds(20))?.text == text) }
        f.setFraming(nil)
        e.setFraming(nil)
        try await e.send("line\nexact")
        #expect(try await f.receive(until: [10], timeout: .seconds(20)) == Array("line\n".utf8))
        #expect(try await f.receive(exactly: 5, timeout: .seconds(20)) == Array("exact".utf8))
        for socket in [a, b, c, d, e, f] { await socket.close() }
    }

    @Test func stream_closedWithUnreadInput_keepsItsReply() async throws {
        let pair = try await LocalPair()
        try await pair.client.send(pattern(100_000))
        try await pair.connection.send("the reply")
        await pair.connection.close()
        #expect(try await readAll(pair.client) == Array("the reply".utf8))
        await pair.close()
    }

    @Test func urgentData_isRefused() async throws {
        let (first, second) = try LocalSocket.pair()
        let error = await failure { () async throws(SocketError) in try await first.sendUrgent(1) }
        #expect(error?.kind == .notSupported)
        try await first.send("still there")
        #expect(try await second.receive(timeout: .seconds(20))?.text == "still there")
        await first.close()
        await second.close()
    }
}
