import HarmonySocket
import Testing

@Suite(.bounded) struct UDPSocketTests {
    // MARK: bind

    @Test(arguments: Loopback.allCases)
    func bind_inBothStyles_emitsListeningFirst(_ loopback: Loopback) async throws {
        let first = UDPSocket()
        let log = EventLog()
        first.on(.listening) { [weak first] in log.record("listening \(first?.state.description ?? "")") }
        try await first.bind(loopback.address())
        #expect(log.events == ["listening bound"])
        let address = try await first.getLocalAddress()
        #expect(address.address == loopback.rawValue)
        #expect(address.port == Kernel.port(of: await first.getSocketFd()))
        #expect(first.localAddress == address)
        await first.close()

        let second = UDPSocket()
        let order = EventLog()
        second.on(.listening) { order.record("listening") }
        second.bind(loopback.address()) { order.record("completed \((try? $0.get()) != nil)") }
        try await order.wait(count: 2)
        #expect(order.events == ["listening", "completed true"])
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func bind_toAPortInUse_isAddressInUse(_ loopback: Loopback) async throws {
        let first = UDPSocket()
        try await first.bind(loopback.address())
        let address = try await first.getLocalAddress()
        let second = UDPSocket()
        let error = await failure { () async throws(SocketError) in try await second.bind(address) }
        #expect(error?.kind == .addressInUse)
        #expect(error?.code == 2_301_098)
        #expect(error?.operation == .bind)
        #expect(error?.address == address.description)
        #expect(await second.getSocketFd() == -1)
        try await second.bind(loopback.address())
        await first.close()
        await second.close()
    }

    @Test func bind_thatDoesNotFit_isRefused() async throws {
        let socket = UDPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        let local = socket.localAddress
        let second = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("127.0.0.1")) }
        #expect(second?.kind == .alreadyBound)
        #expect(second?.code == 2_301_022)
        #expect(socket.localAddress == local)
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("127.0.0.1")) }
        #expect(closed?.kind == .closed)
        let result: Result<Void, SocketError> = try await answer { socket.bind(.any, completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
    }

    @Test func bind_toAForeignAddress_isAddressNotAvailable() async throws {
        let socket = UDPSocket()
        let error = await failure { () async throws(SocketError) in try await socket.bind(NetAddress("192.0.2.1")) }
        #expect(error?.kind == .addressNotAvailable)
        await socket.close()
    }

    // MARK: getters

    @Test func getters_inBothStyles_tellTheKernelsValues() async throws {
        let socket = UDPSocket()
        #expect(socket.localAddress == nil)
        #expect(await socket.getSocketFd() == -1)
        let fresh = await failure { () async throws(SocketError) in try await socket.getLocalAddress() }
        #expect(fresh?.kind == .invalidState)
        try await socket.bind(NetAddress("127.0.0.1"))
        let number = await socket.getSocketFd()
        #expect(Kernel.isCloseOnExecAndNonblocking(number))
        let byHandler: Result<Int, SocketError> = try await answer { socket.getSocketFd(completion: $0) }
        #expect(try byHandler.get() == number)
        let address: Result<NetAddress, SocketError> = try await answer { socket.getLocalAddress(completion: $0) }
        #expect(try address.get() == socket.localAddress)
        #expect(socket.bufferedAmount == 0)
        #expect(socket.highWaterMark == 262_144)
        socket.highWaterMark = 1000
        #expect(socket.highWaterMark == 1000)
        socket.closeTimeout = .seconds(1)
        #expect(socket.closeTimeout == .seconds(1))
        #expect(socket.lastError == nil)
        let loop = socket.eventLoop
        #expect(SocketEventLoopGroup.shared.loops.contains { $0 === loop })
        await socket.close()
        #expect(await socket.getSocketFd() == -1)
        let closed = await failure { () async throws(SocketError) in try await socket.getLocalAddress() }
        #expect(closed?.kind == .closed)
        let after: Result<NetAddress, SocketError> = try await answer { socket.getLocalAddress(completion: $0) }
        #expect(throws: SocketError.self) { try after.get() }
    }

    // MARK: close

    @Test func close_inBothStyles_emitsCloseOnceAndLast() async throws {
        for style in ["async", "handler"] {
            let socket = UDPSocket()
            let log = EventLog()
            record(socket, in: log)
            try await socket.bind(NetAddress("127.0.0.1"))
            let identity = try #require(DescriptorCensus.identity(of: await socket.getSocketFd()))
            if style == "async" {
                await socket.close()
                await socket.close()
            } else {
                let result: Result<Void, SocketError> = try await answer { socket.close(completion: $0) }
                try result.get()
            }
            try await log.wait(for: "close")
            try await settle(socket.eventLoop)
            #expect(log.events == ["listening", "close"])
            #expect(!DescriptorCensus.isOpen(identity))
        }
        let fresh = UDPSocket()
        let log = EventLog()
        record(fresh, in: log)
        await fresh.close()
        try await log.wait(for: "close")
        #expect(log.events == ["close"])
    }

    @Test func close_ofDroppedSocket_happensByItself() async throws {
        let identity = try await bindAndDrop()
        try await eventually("the descriptor is given back") { !DescriptorCensus.isOpen(identity) }
    }

    private func bindAndDrop() async throws -> DescriptorCensus.Identity {
        let socket = UDPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        return try #require(DescriptorCensus.identity(of: await socket.getSocketFd()))
    }
}
