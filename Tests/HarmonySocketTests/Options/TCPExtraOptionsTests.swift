import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct TCPExtraOptionsTests {
    typealias Row = OptionRow<TCPExtraOptions>

    private static func row<Value: Equatable & Sendable>(
        _ path: any WritableKeyPath<TCPExtraOptions, Value?> & Sendable, _ value: Value, _ option: Kernel.Option,
        _ kernel: Int, reads: Value? = nil, _ life: Row.Life = .any, on loopbacks: [Loopback] = Loopback.allCases
    ) -> Row {
        OptionRow(TCPExtraOptions(), path, value, option, kernel, reads: reads, life, on: loopbacks)
    }

    static let rows: [Row] =
        [
            row(\.keepAlive, true, .keepAlive, 1),
            row(\.keepAlive, false, .keepAlive, 0),
            row(\.keepAliveIdle, .seconds(1), .keepAliveIdle, 1),
            row(\.keepAliveIdle, .milliseconds(1001), .keepAliveIdle, 2, reads: .seconds(2)),
            row(\.keepAliveIdle, .seconds(32_767), .keepAliveIdle, 32_767),
            row(\.keepAliveInterval, .seconds(9), .keepAliveInterval, 9),
            row(\.keepAliveInterval, .milliseconds(32_766_001), .keepAliveInterval, 32_767, reads: .seconds(32_767)),
            row(\.keepAliveCount, 1, .keepAliveCount, 1),
            row(\.keepAliveCount, 127, .keepAliveCount, 127),
            row(\.oobInline, true, .oobInline, 1),
            row(\.oobInline, false, .oobInline, 0),
            row(\.tcpNoDelay, true, .noDelay, 1),
            row(\.tcpNoDelay, false, .noDelay, 0),
            row(\.reuseAddress, true, .reuseAddress, 1),
            row(\.reuseAddress, false, .reuseAddress, 0),
            row(\.receiveBufferSize, 20_000, .receiveBuffer, doubled(20_000), reads: doubled(20_000)),
            row(\.sendBufferSize, 30_000, .sendBuffer, doubled(30_000), reads: doubled(30_000)),
            row(\.typeOfService, 0, .typeOfService, 0),
            row(\.typeOfService, 0xb8, .typeOfService, 0xb8),
            row(\.reusePort, true, .reusePort, 1, .first),
            row(\.reusePort, false, .reusePort, 0, .first),
            row(\.ipv6Only, true, .ipv6Only, 1, .first, on: [.ipv6]),
            row(\.interface, Kernel.loopbackInterface, .interface, Kernel.loopbackIndex, .first),
            row(\.interface, "", .interface, 0, .first),
        ] + (isLinux ? ofLinux : [])

    private static let ofLinux: [Row] = [
        row(\.userTimeout, .zero, .userTimeout, 0),
        row(\.userTimeout, .microseconds(2001), .userTimeout, 3, reads: .milliseconds(3)),
        row(\.userTimeout, .milliseconds(2_147_483_647), .userTimeout, 2_147_483_647),
        // The lower two bits are the kernel's.
        row(\.typeOfService, 255, .typeOfService, 252, reads: 252),
        row(\.tcpQuickAck, true, .quickAck, 1, .passing),
        row(\.tcpQuickAck, false, .quickAck, 0, .passing),
    ]

    private func check(_ row: Row, _ socket: any StreamSocket, _ moment: String) async throws {
        row.check(try await socket.getExtraOptions(), of: await socket.getSocketFd(), moment)
    }

    @Test(arguments: rows.filter { $0.life != .passing })
    func option_setBeforeConnect_isThereAfterIt(_ row: Row) async throws {
        for loopback in row.loopbacks {
            let (server, address) = try await makeServer(loopback)
            let socket = TCPSocket()
            try await socket.setExtraOptions(row.set)
            try await socket.connect(to: address)
            try await check(row, socket, "after connect")
            await socket.close()
            await server.close()
        }
    }

    @Test(arguments: rows.filter { $0.life != .passing })
    func option_setBeforeBind_isThereAfterIt_andAfterConnect(_ row: Row) async throws {
        for loopback in row.loopbacks {
            let (server, address) = try await makeServer(loopback)
            let socket = TCPSocket()
            try await socket.setExtraOptions(row.set)
            try await socket.bind(loopback.address())
            try await check(row, socket, "after bind")
            try await socket.connect(to: address)
            try await check(row, socket, "after connect")
            await socket.close()
            await server.close()
        }
    }

    @Test(arguments: rows.filter { $0.life != .first })
    func option_setAfterBindOrConnect_isApplied_inBothStyles(_ row: Row) async throws {
        for loopback in row.loopbacks {
            let (server, address) = try await makeServer(loopback)
            let socket = TCPSocket()
            try await socket.bind(loopback.address())
            try await socket.setExtraOptions(row.set)
            try await check(row, socket, "set after bind")
            try await socket.connect(to: address)
            if row.life == .any { try await check(row, socket, "kept by connect") }
            let later = TCPSocket()
            try await later.connect(to: address)
            let result: Result<Void, SocketError> = try await answer { later.setExtraOptions(row.set, completion: $0) }
            try result.get()
            try await check(row, later, "set after connect")
            let read: Result<TCPExtraOptions, SocketError> = try await answer { later.getExtraOptions(completion: $0) }
            #expect(row.isReadBack(try read.get()))
            await socket.close()
            await later.close()
            await server.close()
        }
    }

    @Test(arguments: rows.filter { $0.life != .passing })
    func option_ofServer_setBeforeListen_isInheritedByConnections(_ row: Row) async throws {
        for loopback in row.loopbacks {
            let pair = try await makeTCPPair(loopback, serverOptions: row.set)
            row.check(try await pair.server.getExtraOptions(), of: await pair.server.getSocketFd(), "of the server")
            try await check(row, pair.connection, "inherited")
            await pair.close()
        }
    }

    @Test(arguments: rows.filter { $0.life == .any })
    func option_ofServer_setAfterListen_isInheritedFromThenOn(_ row: Row) async throws {
        for loopback in row.loopbacks {
            let (server, address) = try await makeServer(loopback)
            let accepted = EventRecorder<TCPSocketConnection>()
            server.on(.connect) { accepted.record($0) }
            let result: Result<Void, SocketError> = try await answer { server.setExtraOptions(row.set, completion: $0) }
            try result.get()
            let read: Result<TCPExtraOptions, SocketError> = try await answer { server.getExtraOptions(completion: $0) }
            #expect(row.isReadBack(try read.get()))
            let client = TCPSocket()
            try await client.connect(to: address)
            let connection = try #require(try await accepted.wait(count: 1).first)
            try await check(row, connection, "inherited")
            await client.close()
            await connection.close()
            await server.close()
        }
    }

    @Test func fresh_showsWhatWasSet_andNothingElse() async throws {
        let options = TCPExtraOptions(
            keepAlive: true, socketLinger: SocketLinger(on: false), receiveBufferSize: 5, socketTimeout: .zero,
            keepAliveIdle: .seconds(3), typeOfService: 8, interface: Kernel.loopbackInterface)
        let socket = TCPSocket()
        try await socket.setExtraOptions(options)
        #expect(try await socket.getExtraOptions() == options)
        let server = TCPSocketServer()
        try await server.setExtraOptions(options)
        #expect(try await server.getExtraOptions() == options)
    }

    /// Options that count only before there is an address, each with its opposite.
    static let firstOnly: [(TCPExtraOptions, TCPExtraOptions, String)] = [
        (.init(ipv6Only: true), .init(ipv6Only: false), "ipv6Only"),
        (.init(reusePort: true), .init(reusePort: false), "reusePort"),
        (.init(interface: ""), .init(interface: Kernel.loopbackInterface), "interface"),
    ]

    @Test(arguments: firstOnly)
    func option_thatMustComeFirst_isRefusedLater_unlessItIsSo(
        _ asItIs: TCPExtraOptions, _ other: TCPExtraOptions, _ field: String
    ) async throws {
        let client = TCPSocket()
        try await client.setExtraOptions(asItIs)
        let pair = try await makeTCPPair(.ipv6, serverOptions: asItIs, client: client)
        let bound = TCPSocket()
        try await bound.setExtraOptions(asItIs)
        try await bound.bind(Loopback.ipv6.address())
        var options = other
        options.keepAlive = true
        for socket in [pair.client, pair.connection, bound] as [any StreamSocket] {
            try await socket.setExtraOptions(asItIs)
            let before = try await socket.getExtraOptions()
            let error = await failure { [options] () async throws(SocketError) in
                try await socket.setExtraOptions(options)
            }
            expectTooLate(error, field)
            #expect(try await socket.getExtraOptions() == before)
        }
        try await pair.server.setExtraOptions(asItIs)
        let error = await failure { [options] () async throws(SocketError) in
            try await pair.server.setExtraOptions(options)
        }
        expectTooLate(error, field)
        #expect(try await pair.server.getExtraOptions().keepAlive == false)
        // What was read can be set again, whole.
        try await pair.server.setExtraOptions(pair.server.getExtraOptions())
        try await bound.setExtraOptions(bound.getExtraOptions())
        await bound.close()
        await pair.close()
    }

    private func expectTooLate(_ error: SocketError?, _ field: String) {
        #expect(error?.kind == .invalidState)
        #expect(error?.field == field)
        #expect(error?.code == 2_301_022)
        #expect(error?.message == "\(field): can only be set before bind, listen and connect")
    }

    @Test func option_thatMustComeFirst_isRefusedWhileConnecting_andLeavesTheConnectAlone() async throws {
        let silent = try SilentListener()
        let socket = TCPSocket()
        try await socket.setExtraOptions(TCPExtraOptions(reusePort: true))
        let connected = Outcome<Void>()
        socket.connect(to: silent.address, timeout: .seconds(20)) { connected.set($0.mapError { $0 }) }
        try await settle(socket.eventLoop)
        let error = await failure { () async throws(SocketError) in
            try await socket.setExtraOptions(TCPExtraOptions(reusePort: false))
        }
        expectTooLate(error, "reusePort")
        // The others, set late, are applied without those that came first.
        let errors = EventRecorder<SocketError>()
        socket.on(.error) { errors.record($0) }
        try await socket.setExtraOptions(TCPExtraOptions(keepAliveCount: 5, reusePort: true))
        let peer = try await blocking { try silent.letIn() }
        try await within { try await connected.value }
        #expect(Kernel.option(.keepAliveCount, of: await socket.descriptor) == 5)
        #expect(errors.events.isEmpty)
        await socket.close()
        peer.close()
    }

    // MARK: Options with a meaning of their own

    @Test func ipv6Only_onAnIPv4Socket_isNotSupported_andTheErrorNamesIt() async throws {
        let (server, address) = try await makeServer()
        let options = TCPExtraOptions(ipv6Only: true)
        let client = TCPSocket()
        try await client.setExtraOptions(options)
        let connect = await failure { () async throws(SocketError) in try await client.connect(to: address) }
        #expect(connect?.operation == .connect)
        #expect(connect?.attempts.first?.error.call == "setsockopt")
        let bound = TCPSocket()
        try await bound.setExtraOptions(options)
        let bind = await failure { () async throws(SocketError) in try await bound.bind(Loopback.ipv4.address()) }
        #expect(bind?.operation == .bind)
        let other = TCPSocketServer()
        try await other.setExtraOptions(options)
        let listen = await failure { () async throws(SocketError) in try await other.listen(Loopback.ipv4.address()) }
        #expect(listen?.operation == .listen)
        for error in [connect, bind, listen] {
            #expect(error?.kind == .notSupported)
            #expect(error?.field == "ipv6Only")
            #expect(error?.systemError?.call == "setsockopt")
            #expect(error?.code == 2_301_092)
            #expect(error?.message == "ipv6Only: option not available for the protocol (ENOPROTOOPT)")
        }
        // A failed bind and listen leave a socket that can be used otherwise.
        try await bound.bind(Loopback.ipv6.address())
        try await other.listen(Loopback.ipv6.address())
        await bound.close()
        await other.close()
        await server.close()
    }

    @Test func ipv6Only_ofAServer_decidesWhetherIPv4PeersComeIn() async throws {
        for isOnly in [true, false] {
            let server = TCPSocketServer()
            try await server.setExtraOptions(TCPExtraOptions(typeOfService: 0x20, ipv6Only: isOnly))
            try await server.listen(NetAddress("::"))
            #expect(try await server.getExtraOptions().ipv6Only == isOnly)
            let accepted = EventRecorder<TCPSocketConnection>()
            server.on(.connect) { accepted.record($0) }
            let address = Loopback.ipv4.address(try await server.getLocalAddress().port)
            let client = TCPSocket()
            if isOnly {
                let error = await failure { () async throws(SocketError) in try await client.connect(to: address) }
                #expect(error?.kind == .connectionRefused)
            } else {
                try await client.connect(to: address)
                let connection = try #require(try await accepted.wait(count: 1).first)
                #expect(try await connection.getExtraOptions().ipv6Only == false)
                // Level 0, option 1 of Linux: IP_TOS. What an IPv4 peer sees of an IPv6 socket.
                if isLinux { #expect(try await connection.getRawOption(level: 0, name: 1, count: 1) == [0x20]) }
                await client.close()
                await connection.close()
            }
            await server.close()
        }
    }

    @Test func reusePort_onBoth_sharesAPort() async throws {
        let servers = [TCPSocketServer(), TCPSocketServer()]
        for server in servers { try await server.setExtraOptions(TCPExtraOptions(reusePort: true)) }
        try await servers[0].listen(NetAddress("127.0.0.1"))
        try await servers[1].listen(servers[0].getLocalAddress())
        #expect(servers[0].localAddress == servers[1].localAddress)
        let third = TCPSocketServer()
        let error = await failure { () async throws(SocketError) in
            try await third.listen(try await servers[0].getLocalAddress())
        }
        #expect(error?.kind == .addressInUse)
        for server in servers { await server.close() }
    }

    @Test(.enabled(if: isLinux, "other systems need not spread connections"))
    func reusePort_onSeveralLoops_spreadsConnections_andLosesNone() async throws {
        let group = SocketEventLoopGroup(count: 3)
        let accepted = EventRecorder<(server: Int, connection: TCPSocketConnection)>()
        var address = Loopback.ipv4.address()
        var servers: [TCPSocketServer] = []
        for number in 0..<3 {
            let server = TCPSocketServer(group: group)
            try await server.setExtraOptions(TCPExtraOptions(reusePort: true))
            try await server.listen(address)
            address = try await server.getLocalAddress()
            server.on(.connect) { accepted.record((number, $0)) }
            servers.append(server)
        }
        #expect(Set(servers.map { ObjectIdentifier($0.eventLoop) }).count == 3, "each accepts on a loop of its own")
        var clients: [TCPSocket] = []
        for _ in 0..<90 {
            let client = TCPSocket()
            try await client.connect(to: address)
            clients.append(client)
        }
        let taken = try await accepted.wait(count: clients.count)
        for number in 0..<3 { #expect(taken.contains { $0.server == number }, "server \(number) has none") }
        let loops = Dictionary(grouping: taken) { ObjectIdentifier($0.connection.eventLoop) }
        #expect(loops.count == 3 && loops.values.allSatisfy { $0.count > 1 })
        #expect(Set(taken.map { $0.connection.remoteAddress }) == Set(clients.map(\.localAddress)), "each once")
        for client in clients { await client.reset() }
        for server in servers { await server.close() }
    }

    @Test(.enabled(if: isLinux)) func tcpFastOpenQueue_isTheServersAlone() async throws {
        let pair = try await makeTCPPair(serverOptions: TCPExtraOptions(tcpFastOpenQueue: 7))
        #expect(try await pair.server.getExtraOptions().tcpFastOpenQueue == 7)
        try await pair.server.setExtraOptions(TCPExtraOptions(tcpFastOpenQueue: 9))
        #expect(try await pair.server.getExtraOptions().tcpFastOpenQueue == 9)
        #expect(Kernel.option(.fastOpenQueue, of: await pair.server.getSocketFd()) == 9)
        #expect(try await pair.connection.getExtraOptions().tcpFastOpenQueue == nil)
        await pair.close()
    }

    @Test func description_namesWhatIsSet() {
        #expect("\(TCPExtraOptions())" == "")
        let options = TCPExtraOptions(
            tcpNoDelay: true, socketLinger: SocketLinger(on: true, linger: .seconds(10)), receiveBufferSize: 8192,
            socketTimeout: .zero, keepAliveInterval: .milliseconds(1500), interface: "")
        #expect(
            "\(options)" == "tcpNoDelay: true, socketLinger: 10.0 s, receiveBufferSize: 8192, socketTimeout: 0 s, "
                + "keepAliveInterval: 1.5 s, interface: \"\"")
        #expect("\(SocketLinger(on: false, linger: .seconds(1)))" == "off")
    }

    @Test func defaults_areAsDocumented() async throws {
        let pair = try await makeTCPPair()
        let client = try await pair.client.getExtraOptions()
        #expect(client.keepAlive == false && client.oobInline == false && client.tcpNoDelay == false)
        #expect(client.reuseAddress == false)
        #expect(client.socketLinger == SocketLinger(on: false))
        #expect(client.socketTimeout == .zero)
        #expect((client.receiveBufferSize ?? 0) > 0 && (client.sendBufferSize ?? 0) > 0)
        #expect(try await pair.server.getExtraOptions().reuseAddress == true)
        #expect(client.reusePort == false && client.interface == "" && client.typeOfService == 0)
        #expect((client.keepAliveIdle ?? .zero) > .zero && (client.keepAliveCount ?? 0) > 0)
        #expect(client.ipv6Only == nil)
        #expect(try await pair.server.getExtraOptions().reusePort == false)
        let fresh = TCPExtraOptions(socketLinger: SocketLinger(on: false), socketTimeout: .zero)
        #expect(try await TCPSocket().getExtraOptions() == fresh)
        #expect(try await TCPSocketServer().getExtraOptions() == fresh)
        await pair.close()
    }

    @Test func nilFields_leaveWhatIs() async throws {
        let pair = try await makeTCPPair()
        try await pair.client.setExtraOptions(
            TCPExtraOptions(
                keepAlive: true, tcpNoDelay: true, socketLinger: SocketLinger(on: true, linger: .seconds(1)),
                socketTimeout: .seconds(100)))
        let before = try await pair.client.getExtraOptions()
        try await pair.client.setExtraOptions(TCPExtraOptions())
        try await pair.client.setExtraOptions(TCPExtraOptions(oobInline: true))
        var expected = before
        expected.oobInline = true
        #expect(try await pair.client.getExtraOptions() == expected)
        await pair.close()
    }

    @Test(arguments: Side.allCases)
    func socketTimeout_countsFromTheLastByte_inEitherDirection(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let log = EventLog()
        record(socket, in: log)
        try await socket.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(400)))
        #expect(try await socket.getExtraOptions().socketTimeout == .milliseconds(400))
        let closed = Outcome<ContinuousClock.Instant>()
        onClose(socket) { closed.set(.success(.now)) }
        // The last activity may have met the end half way, so the one before it counts.
        var activities = [ContinuousClock.now, .now]
        do {
            for round in 0..<6 {
                // A receive that times out is a clock here, not a synchronisation.
                _ = try? await socket.receive(timeout: .milliseconds(100))
                let now = ContinuousClock.now
                if round.isMultiple(of: 2) {
                    try await socket.send("x")
                } else {
                    try await pair.other(side).send("y")
                    _ = try await socket.receive(timeout: .seconds(20))
                }
                activities.append(now)
            }
        } catch {
            // On a machine that stands still for so long, it is over before: then too, after silence only.
        }
        #expect(try await within { try await closed.value } - activities[activities.count - 2] >= .milliseconds(400))
        #expect(log.events == ["timeout", "close:timedOut"])
        await pair.close()
    }

    private func onClose(_ socket: some StreamSocket, _ body: @escaping @Sendable () -> Void) {
        socket.on(.close, body)
    }

    @Test func socketTimeout_failsPendingReceive_withTimedOut() async throws {
        let pair = try await makeTCPPair(serverOptions: TCPExtraOptions(socketTimeout: .milliseconds(100)))
        let connection = pair.connection
        let error = try await within {
            await failure { () async throws(SocketError) in try await connection.receive() }
        }
        #expect(error?.kind == .timedOut)
        #expect(connection.state.isClose)
        let after = await failure { () async throws(SocketError) in try await connection.send("x") }
        #expect(after?.kind == .closed)
        await pair.close()
    }

    @Test func socketTimeout_zero_switchesItOff() async throws {
        let pair = try await makeTCPPair()
        let client = pair.client
        let log = EventLog()
        record(client, in: log)
        try await client.setExtraOptions(TCPExtraOptions(socketTimeout: .milliseconds(100)))
        try await client.setExtraOptions(TCPExtraOptions(socketTimeout: .zero))
        _ = await failure { () async throws(SocketError) in try await client.receive(timeout: .milliseconds(250)) }
        #expect(log.events == [])
        #expect(client.state.isConnected)
        await pair.close()
    }

    // MARK: Refusals

    static let refused: [(TCPExtraOptions, String)] = [
        (.init(receiveBufferSize: -1), "receiveBufferSize"),
        (.init(receiveBufferSize: .min), "receiveBufferSize"),
        (.init(receiveBufferSize: Int(Int32.max) + 1), "receiveBufferSize"),
        (.init(sendBufferSize: -1), "sendBufferSize"),
        (.init(sendBufferSize: .max), "sendBufferSize"),
        (.init(socketLinger: SocketLinger(on: true, linger: .milliseconds(65_536))), "socketLinger"),
        (.init(socketLinger: SocketLinger(on: true, linger: .milliseconds(-1))), "socketLinger"),
        (.init(socketLinger: SocketLinger(on: false, linger: .nanoseconds(-1))), "socketLinger"),
        (.init(socketTimeout: .milliseconds(-1)), "socketTimeout"),
        (.init(keepAliveIdle: .zero), "keepAliveIdle"),
        (.init(keepAliveIdle: .milliseconds(999)), "keepAliveIdle"),
        (.init(keepAliveIdle: .seconds(-1)), "keepAliveIdle"),
        (.init(keepAliveIdle: .seconds(32_767) + .nanoseconds(1)), "keepAliveIdle"),
        (.init(keepAliveIdle: .seconds(Int64.max)), "keepAliveIdle"),
        (.init(keepAliveInterval: .zero), "keepAliveInterval"),
        (.init(keepAliveInterval: .seconds(32_768)), "keepAliveInterval"),
        (.init(keepAliveCount: 0), "keepAliveCount"),
        (.init(keepAliveCount: 128), "keepAliveCount"),
        (.init(keepAliveCount: .min), "keepAliveCount"),
        (.init(userTimeout: .milliseconds(-1)), "userTimeout"),
        (.init(userTimeout: .milliseconds(2_147_483_648)), "userTimeout"),
        (.init(typeOfService: -1), "typeOfService"),
        (.init(typeOfService: 256), "typeOfService"),
        (.init(interface: "no-such-interface"), "interface"),
        (.init(interface: "\(Kernel.loopbackInterface)\0"), "interface"),
    ]

    @Test(arguments: refused)
    func impossibleValue_isRefused_andNothingIsApplied(_ options: TCPExtraOptions, _ field: String) async throws {
        var options = options
        options.keepAlive = true
        let pair = try await makeTCPPair()
        let fresh = TCPSocket()
        for socket in [pair.client, pair.connection, fresh] as [any StreamSocket] {
            let error = await failure { [options] () async throws(SocketError) in
                try await socket.setExtraOptions(options)
            }
            #expect(error?.kind == .invalidArgument)
            #expect(error?.field == field)
            #expect(error?.code == 401)
            #expect(error?.operation == .setOptions)
            let result: Result<Void, SocketError> = try await answer { socket.setExtraOptions(options, completion: $0) }
            #expect(throws: SocketError.self) { try result.get() }
            #expect(try await socket.getExtraOptions().keepAlive != true)
        }
        let ofServer = await failure { [options] () async throws(SocketError) in
            try await pair.server.setExtraOptions(options)
        }
        #expect(ofServer?.field == field)
        #expect(try await pair.server.getExtraOptions().keepAlive == false)
        #expect(Kernel.option(.keepAlive, of: await pair.client.getSocketFd()) == 0)
        await pair.close()
    }

    @Test func tcpFastOpenQueue_thatCannotBe_isRefused() async throws {
        for value in [-1, 65_536] {
            let error = await failure { () async throws(SocketError) in
                try await TCPSocketServer().setExtraOptions(TCPExtraOptions(tcpFastOpenQueue: value))
            }
            #expect(error?.field == "tcpFastOpenQueue")
        }
        let ofClient = await failure { () async throws(SocketError) in
            try await TCPSocket().setExtraOptions(TCPExtraOptions(tcpFastOpenQueue: 1))
        }
        #expect(ofClient?.kind == .invalidArgument)
        #expect(ofClient?.field == "tcpFastOpenQueue")
    }

    @Test func afterClose_isClosed() async throws {
        let pair = try await makeTCPPair()
        await pair.close()
        for socket in [pair.client, pair.connection] as [any StreamSocket] {
            let set = await failure { () async throws(SocketError) in
                try await socket.setExtraOptions(TCPExtraOptions(keepAlive: true))
            }
            #expect(set?.kind == .closed)
            let get = await failure { () async throws(SocketError) in try await socket.getExtraOptions() }
            #expect(get?.kind == .closed)
            #expect(get?.operation == .getOptions)
        }
        let set = await failure { () async throws(SocketError) in
            try await pair.server.setExtraOptions(TCPExtraOptions(keepAlive: true))
        }
        #expect(set?.kind == .closed)
        let get = await failure { () async throws(SocketError) in try await pair.server.getExtraOptions() }
        #expect(get?.kind == .closed)
    }

    @Test func codable_roundTrip_isEqual() throws {
        let options = TCPExtraOptions(
            keepAlive: true, socketLinger: SocketLinger(on: true, linger: .milliseconds(7)), receiveBufferSize: 1,
            reuseAddress: false, socketTimeout: .seconds(3), keepAliveIdle: .seconds(4), typeOfService: 8,
            interface: "a")
        let data = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(TCPExtraOptions.self, from: data) == options)
        #expect(options != TCPExtraOptions())
        #expect(Set([options, options, TCPExtraOptions()]).count == 2)
    }
}
