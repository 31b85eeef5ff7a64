import Foundation
import HarmonySocket
import Testing

@Suite(.bounded) struct TCPExtraOptionsTests {
    /// One option, as it is set and as both the SDK and the kernel show it.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let set: TCPExtraOptions
        let option: Kernel.Option
        let kernel: Int
        let readsBack: @Sendable (TCPExtraOptions) -> Bool

        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(name: "keepAlive on", set: .init(keepAlive: true), option: .keepAlive, kernel: 1) { $0.keepAlive == true },
        Row(name: "keepAlive off", set: .init(keepAlive: false), option: .keepAlive, kernel: 0) {
            $0.keepAlive == false
        },
        Row(name: "oobInline on", set: .init(oobInline: true), option: .oobInline, kernel: 1) { $0.oobInline == true },
        Row(name: "oobInline off", set: .init(oobInline: false), option: .oobInline, kernel: 0) {
            $0.oobInline == false
        },
        Row(name: "tcpNoDelay on", set: .init(tcpNoDelay: true), option: .noDelay, kernel: 1) { $0.tcpNoDelay == true },
        Row(name: "tcpNoDelay off", set: .init(tcpNoDelay: false), option: .noDelay, kernel: 0) {
            $0.tcpNoDelay == false
        },
        Row(name: "reuseAddress on", set: .init(reuseAddress: true), option: .reuseAddress, kernel: 1) {
            $0.reuseAddress == true
        },
        Row(name: "reuseAddress off", set: .init(reuseAddress: false), option: .reuseAddress, kernel: 0) {
            $0.reuseAddress == false
        },
        Row(
            name: "receiveBufferSize", set: .init(receiveBufferSize: 20_000), option: .receiveBuffer,
            kernel: doubled(20_000)
        ) { $0.receiveBufferSize == doubled(20_000) },
        Row(name: "sendBufferSize", set: .init(sendBufferSize: 30_000), option: .sendBuffer, kernel: doubled(30_000)) {
            $0.sendBufferSize == doubled(30_000)
        },
    ]

    /// What the kernel makes of a buffer size: Linux doubles it for its own bookkeeping (socket(7)).
    private static func doubled(_ size: Int) -> Int { isLinux ? 2 * size : size }

    private func check(_ row: Row, _ socket: any StreamSocket, _ moment: String) async throws {
        let options = try await socket.getExtraOptions()
        #expect(row.readsBack(options), "\(moment): \(options)")
        let number = await socket.getSocketFd()
        #expect(Kernel.option(row.option, of: number) == row.kernel, "\(moment), in the kernel")
    }

    @Test(arguments: rows)
    func option_setBeforeConnect_isThereAfterIt(_ row: Row) async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        try await socket.setExtraOptions(row.set)
        // Before there is a descriptor, what was set is all there is.
        #expect(try await socket.getExtraOptions().keepAlive == row.set.keepAlive)
        #expect(try await socket.getExtraOptions().receiveBufferSize == row.set.receiveBufferSize)
        try await socket.connect(to: address)
        try await check(row, socket, "after connect")
        await socket.close()
        await server.close()
    }

    @Test(arguments: rows)
    func option_setBeforeBind_isThereAfterIt_andAfterConnect(_ row: Row) async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        try await socket.setExtraOptions(row.set)
        try await socket.bind(NetAddress("127.0.0.1"))
        try await check(row, socket, "after bind")
        try await socket.connect(to: address)
        try await check(row, socket, "after connect")
        await socket.close()
        await server.close()
    }

    @Test(arguments: rows)
    func option_setAfterBindOrConnect_isApplied_inBothStyles(_ row: Row) async throws {
        let (server, address) = try await makeServer()
        let socket = TCPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        try await socket.setExtraOptions(row.set)
        try await check(row, socket, "set after bind")
        try await socket.connect(to: address)
        try await check(row, socket, "kept by connect")
        let later = TCPSocket()
        try await later.connect(to: address)
        let result: Result<Void, SocketError> = try await answer { later.setExtraOptions(row.set, completion: $0) }
        try result.get()
        try await check(row, later, "set after connect")
        let read: Result<TCPExtraOptions, SocketError> = try await answer { later.getExtraOptions(completion: $0) }
        #expect(row.readsBack(try read.get()))
        await socket.close()
        await later.close()
        await server.close()
    }

    @Test(arguments: rows)
    func option_ofServer_setBeforeListen_isInheritedByConnections(_ row: Row) async throws {
        let pair = try await makeTCPPair(serverOptions: row.set)
        #expect(row.readsBack(try await pair.server.getExtraOptions()))
        #expect(Kernel.option(row.option, of: await pair.server.getSocketFd()) == row.kernel)
        try await check(row, pair.connection, "inherited")
        await pair.close()
    }

    @Test(arguments: rows)
    func option_ofServer_setAfterListen_isInheritedFromThenOn(_ row: Row) async throws {
        let (server, address) = try await makeServer()
        let accepted = EventRecorder<TCPSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        let result: Result<Void, SocketError> = try await answer { server.setExtraOptions(row.set, completion: $0) }
        try result.get()
        let read: Result<TCPExtraOptions, SocketError> = try await answer { server.getExtraOptions(completion: $0) }
        #expect(row.readsBack(try read.get()))
        let client = TCPSocket()
        try await client.connect(to: address)
        let connection = try #require(try await accepted.wait(count: 1).first)
        try await check(row, connection, "inherited")
        await client.close()
        await connection.close()
        await server.close()
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
        let fresh = try await TCPSocket().getExtraOptions()
        #expect(fresh.keepAlive == nil && fresh.receiveBufferSize == nil && fresh.reuseAddress == nil)
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
    func linger_isReadBack_andNeverReachesTheKernel(_ side: Side) async throws {
        for milliseconds in [0, 1, 1500, 65_535] {
            let pair = try await makeTCPPair()
            let socket = pair.tested(side)
            let linger = SocketLinger(on: true, linger: .milliseconds(milliseconds))
            try await socket.setExtraOptions(TCPExtraOptions(socketLinger: linger))
            #expect(try await socket.getExtraOptions().socketLinger == linger)
            #expect(Kernel.linger(of: await socket.getSocketFd()) == nil)
            try await socket.setExtraOptions(TCPExtraOptions(socketLinger: SocketLinger(on: false)))
            #expect(try await socket.getExtraOptions().socketLinger == SocketLinger(on: false))
            await pair.close()
        }
    }

    @Test func linger_zero_makesCloseAReset() async throws {
        let pair = try await makeTCPPair(
            serverOptions: TCPExtraOptions(socketLinger: SocketLinger(on: true, linger: .zero)))
        #expect(try await pair.connection.getExtraOptions().socketLinger == SocketLinger(on: true, linger: .zero))
        await pair.connection.close()
        let client = pair.client
        let error = await failure { () async throws(SocketError) in try await client.receive(timeout: .seconds(20)) }
        #expect(error?.kind == .connectionReset)
        await pair.close()
    }

    @Test func linger_aboveZero_makesCloseWaitForThePeer() async throws {
        // The peer's kernel takes little: most of what is sent stays in ours, which linger waits for.
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(
                socketLinger: SocketLinger(on: true, linger: .seconds(20)), sendBufferSize: 400_000),
            peerReceiveBuffer: 4096)
        let bytes = pattern(300_000)
        try await connection.send(bytes)
        let closed = Outcome<Void>()
        connection.close { closed.set($0.mapError { $0 }) }
        try await settle(connection.eventLoop)
        #expect(closed.count == 0)
        #expect(try await blocking { try peer.receiveAll() } == bytes)
        try await within { try await closed.value }
    }

    @Test func linger_aboveZero_endsWithItsTime() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer(
            serverOptions: TCPExtraOptions(
                socketLinger: SocketLinger(on: true, linger: .milliseconds(150)), sendBufferSize: 400_000),
            peerReceiveBuffer: 4096)
        try await connection.send(pattern(300_000))
        connection.closeTimeout = .seconds(30)
        let start = ContinuousClock.now
        try await within { await connection.close() }
        let took = ContinuousClock.now - start
        #expect(took >= .milliseconds(150))
        #expect(took < .seconds(15))
        peer.close()
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
            reuseAddress: false, socketTimeout: .seconds(3))
        let data = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(TCPExtraOptions.self, from: data) == options)
        #expect(options != TCPExtraOptions())
        #expect(Set([options, options, TCPExtraOptions()]).count == 2)
    }
}
