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

    // MARK: send and receive

    @Test(arguments: Loopback.allCases)
    func everyForm_sendsOneDatagram(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        func next() async throws -> String? { try await second.receive(timeout: .seconds(20)).text }
        try await first.send([0x61], to: secondAddress)
        #expect(try await next() == "a")
        try await first.send("text é", to: secondAddress)
        #expect(try await next() == "text é")
        try await first.send(UDPSendOptions(data: "options", address: secondAddress))
        #expect(try await next() == "options")
        try await first.send(UDPSendOptions(data: [0x62], address: secondAddress), timeout: .seconds(1))
        let message = try await second.receive(timeout: .seconds(20))
        #expect(message.text == "b")
        #expect(message.remoteInfo.netAddress == firstAddress)
        try await second.send([0x63], to: message.remoteInfo)
        #expect(try await first.receive(timeout: .seconds(20)).text == "c")

        let results: [Result<Void, SocketError>] = [
            try await answer { first.send([0x64], to: secondAddress, completion: $0) },
            try await answer { first.send("e", to: secondAddress, completion: $0) },
            try await answer { first.send(UDPSendOptions(data: "f", address: secondAddress), completion: $0) },
        ]
        for result in results { try result.get() }
        for expected in ["d", "e", "f"] { #expect(try await next() == expected) }
        let reply: Result<Void, SocketError> = try await answer {
            second.send([0x67], to: message.remoteInfo, completion: $0)
        }
        try reply.get()
        let received: Result<SocketMessageInfo, SocketError> = try await answer {
            first.receive(timeout: .seconds(20), completion: $0)
        }
        #expect(try received.get().text == "g")
        await first.close()
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func send_beforeBind_bindsAPortOfTheDestinationsFamily_andEmitsListening(_ loopback: Loopback) async throws {
        let peer = try RawSocket.datagram(on: loopback)
        for style in ["async", "handler"] {
            let socket = UDPSocket()
            let log = EventLog()
            record(socket, in: log)
            if style == "async" {
                try await socket.send("x", to: loopback.address(peer.port))
                log.record("sent")
            } else {
                socket.send("x", to: loopback.address(peer.port)) { _ in log.record("sent") }
                try await log.wait(for: "sent")
            }
            #expect(log.events == ["listening", "sent"])
            let address = try await socket.getLocalAddress()
            #expect(address.address == loopback.wildcard)
            #expect(address.family == loopback.family)
            #expect(socket.state.isBound)
            let (bytes, port) = try await blocking { try peer.receiveDatagram() }
            #expect(bytes == [0x78])
            #expect(port == address.port)
            try await blocking { try peer.send([0x79], to: loopback.address(address.port)) }
            try await log.wait(for: "message:y")
            await socket.close()
        }
    }

    @Test(arguments: Loopback.allCases)
    func datagrams_keepTheirBounds_emptyOnesToo(_ loopback: Loopback) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair(loopback)
        let limit = loopback == .ipv4 ? UDPSocket.maximumSizeIPv4 : UDPSocket.maximumSizeIPv6
        #expect(limit == (loopback == .ipv4 ? 65_507 : 65_527))
        for size in [0, 1, 1472, 9000, 0, limit] {
            let bytes = pattern(size)
            try await first.send(bytes, to: secondAddress)
            let message = try await second.receive(timeout: .seconds(20))
            #expect(message.message == bytes)
            #expect(message.remoteInfo.size == size)
            #expect(!message.isTruncated)
        }
        await first.close()
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func send_overTheLimit_isMessageTooLong(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        let limit = loopback == .ipv4 ? UDPSocket.maximumSizeIPv4 : UDPSocket.maximumSizeIPv6
        let tooLong = [UInt8](repeating: 0, count: limit + 1)
        let error = await failure { () async throws(SocketError) in try await first.send(tooLong, to: secondAddress) }
        #expect(error?.kind == .messageTooLong)
        #expect(error?.code == 2_301_090)
        #expect(error?.sent == 0)
        #expect(error?.remaining == limit + 1)
        #expect(error?.systemError?.name == "EMSGSIZE")
        let result: Result<Void, SocketError> = try await answer {
            first.send(tooLong, to: secondAddress, completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
        try await second.send("who", to: firstAddress)
        let info = try await first.receive(timeout: .seconds(20)).remoteInfo
        let reply = await failure { () async throws(SocketError) in try await first.send(tooLong, to: info) }
        #expect(reply?.kind == .messageTooLong)
        // Nothing is lost: the next one goes.
        try await first.send("ok", to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).text == "ok")
        // An unbound socket was not even bound for it.
        let fresh = UDPSocket()
        _ = await failure { () async throws(SocketError) in try await fresh.send(tooLong, to: secondAddress) }
        #expect(await fresh.getSocketFd() == -1)
        for socket in [first, second, fresh] { await socket.close() }
    }

    @Test func send_toABroadcastAddress_needsTheOption() async throws {
        let socket = UDPSocket()
        let error = await failure { () async throws(SocketError) in
            try await socket.send("x", to: NetAddress("255.255.255.255", port: 9))
        }
        #expect(error?.kind == .permissionDenied)
        #expect(error?.code == 2_301_013)
        #expect(socket.state.isBound)
        await socket.close()
    }

    @Test func receive_waiting_timesOut_isCancelled_orIsAborted() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let start = ContinuousClock.now
        let timedOut = await failure { () async throws(SocketError) in
            try await second.receive(timeout: .milliseconds(60))
        }
        #expect(ContinuousClock.now - start >= .milliseconds(60))
        #expect(timedOut?.kind == .timedOut)
        #expect(timedOut?.operation == .receive)
        let zero = await failure { () async throws(SocketError) in try await second.receive(timeout: .zero) }
        #expect(zero?.kind == .timedOut)
        let task = try await startWaiting(on: second.eventLoop) {
            await failure { () async throws(SocketError) in try await second.receive() }
        }
        task.cancel()
        #expect(try await within { try await task.value }?.kind == .cancelled)
        // None of these took anything away.
        try await first.send("kept", to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).text == "kept")
        let result: Result<SocketMessageInfo, SocketError> = try await answer { handler in
            second.receive(completion: handler)
            second.close { _ in }
        }
        guard case .failure(let aborted) = result else { throw WaitTimedOut(what: "an error") }
        #expect(aborted.kind == .aborted)
        await first.close()
    }

    @Test func receive_whereItDoesNotFit_isRefused() async throws {
        let socket = UDPSocket()
        let fresh = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(fresh?.kind == .invalidState)
        try await socket.bind(NetAddress("127.0.0.1"))
        socket.on(.message) {}
        let listened = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(listened?.kind == .invalidState)
        socket.off(.message)
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.receive() }
        #expect(closed?.kind == .closed)
        let sent = await failure { () async throws(SocketError) in
            try await socket.send("x", to: NetAddress("127.0.0.1", port: 9))
        }
        #expect(sent?.kind == .closed)
        #expect(sent?.code == 2_301_009)
        let result: Result<Void, SocketError> = try await answer {
            socket.send("x", to: NetAddress("127.0.0.1", port: 9), completion: $0)
        }
        #expect(throws: SocketError.self) { try result.get() }
    }

    @Test func receive_zeroTimeout_takesWhatIsThere() async throws {
        let peer = try RawSocket.datagram()
        let socket = UDPSocket()
        try await socket.bind(NetAddress("127.0.0.1"))
        let port = try await socket.getLocalAddress().port
        try await blocking { try peer.send([1], to: NetAddress("127.0.0.1", port: port)) }
        #expect(try await socket.receive(timeout: .zero).message == [1])
        await socket.close()
    }

    @Test(arguments: Loopback.allCases)
    func messages_bringEachDatagram_andEndWithClose(_ loopback: Loopback) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair(loopback)
        let log = EventLog()
        let iterating = Task {
            for try await message in second.messages {
                log.record(message.text ?? "-")
                try await second.send(message.message, to: message.remoteInfo)
            }
            log.record("ended")
        }
        for number in 0..<50 {
            try await first.send("\(number)", to: secondAddress)
            #expect(try await first.receive(timeout: .seconds(20)).text == "\(number)")
        }
        await second.close()
        try await within { try await iterating.value }
        #expect(log.events == (0..<50).map { "\($0)" } + ["ended"])
        await first.close()
    }

    // MARK: events

    @Test(arguments: Loopback.allCases)
    func message_event_isEmittedOncePerDatagram(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        let messages = EventRecorder<SocketMessageInfo>()
        second.on(.message) { messages.record($0) }
        let sizes = [0, 5, 0, 0, 1000, 1]
        for size in sizes { try await first.send(pattern(size), to: secondAddress) }
        try await messages.wait(count: sizes.count)
        #expect(messages.events.map(\.message) == sizes.map(pattern))
        #expect(messages.events.allSatisfy { $0.remoteInfo.netAddress == firstAddress })
        await first.close()
        await second.close()
    }

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

    @Test(arguments: Loopback.allCases)
    func error_event_namesTheDestinationThatRefused_andTheSocketGoesOn(_ loopback: Loopback) async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair(loopback)
        let closedPort: NetAddress
        do {
            let gone = try RawSocket.datagram(on: loopback)
            closedPort = loopback.address(gone.port)
        }
        let errors = EventRecorder<SocketError>()
        first.on(.error) { errors.record($0) }
        try await first.send("nobody", to: closedPort)
        let error = try #require(try await errors.wait(count: 1).first)
        #expect(error.kind == .connectionRefused)
        #expect(error.code == 2_301_111)
        #expect(error.address == closedPort.description)
        #expect(first.lastError?.kind == .connectionRefused)
        for number in 0..<20 {
            try await first.send("refused", to: closedPort)
            try await first.send("\(number)", to: secondAddress)
            #expect(try await second.receive(timeout: .seconds(20)).text == "\(number)")
        }
        #expect(errors.events.allSatisfy { $0.address == closedPort.description })
        #expect(first.state.isBound)
        await first.close()
        await second.close()
    }

    @Test func timeout_event_isEmittedAgainAndAgain_andTheSocketStaysOpen() async throws {
        let socket = UDPSocket()
        let log = EventLog()
        try await socket.setExtraOptions(UDPExtraOptions(socketTimeout: .milliseconds(60)))
        record(socket, in: log)
        let start = ContinuousClock.now
        try await socket.bind(NetAddress("127.0.0.1"))
        try await log.wait { $0.filter { $0 == "timeout" }.count >= 3 }
        #expect(ContinuousClock.now - start >= .milliseconds(180))
        #expect(log.events.prefix(4) == ["listening", "timeout", "timeout", "timeout"])
        #expect(socket.state.isBound)
        try await socket.setExtraOptions(UDPExtraOptions(socketTimeout: .zero))
        #expect(try await socket.getExtraOptions().socketTimeout == .zero)
        await socket.close()
    }

    @Test func once_on_off_workOnDatagrams() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        second.once(.message) { log.record("once:\($0.text ?? "")") }
        second.once(.message) { log.record("once") }
        let token = second.on(.message) { log.record("token:\($0.text ?? "")") }
        second.on(.message) { log.record("on") }
        try await first.send("1", to: secondAddress)
        try await log.wait(count: 4)
        second.off(token)
        second.off(first.on(.message) {})
        try await first.send("2", to: secondAddress)
        try await log.wait(count: 5)
        second.off(.message)
        try await first.send("3", to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).text == "3")
        #expect(log.events == ["once:1", "once", "token:1", "on", "on"])
        await first.close()
        await second.close()
    }

    @Test func listenerAddedDuringAPendingReceive_takesEffectBehindIt() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        second.receive { log.record("receive:\((try? $0.get())?.text ?? "-")") }
        second.on(.message) { log.record("message:\($0.text ?? "-")") }
        try await first.send("1", to: secondAddress)
        try await first.send("2", to: secondAddress)
        try await log.wait(count: 2)
        #expect(log.events == ["receive:1", "message:2"])
        await first.close()
        await second.close()
    }

    @Test func listenerAddedLate_getsWhatHadArrived() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        let log = EventLog()
        for number in 0..<3 { try await first.send("\(number)", to: secondAddress) }
        second.on(.message) { log.record($0.text ?? "-") }
        try await log.wait(count: 3)
        #expect(log.events == ["0", "1", "2"])
        await first.close()
        await second.close()
    }
}
