import HarmonySocket
import Testing

@Suite(.bounded) struct UDPSocketConnectTests {
    @Test(arguments: Loopback.allCases)
    func connect_inBothStyles_emitsItsEventsFirst_andTellsAddresses(_ loopback: Loopback) async throws {
        let peer = try RawSocket.datagram(on: loopback)
        let address = NetAddress(loopback.rawValue, port: peer.port, family: loopback.family)
        for style in ["async", "handler"] {
            let socket = UDPSocket()
            let log = EventLog()
            socket.on(.listening) { log.record("listening") }
            socket.on(.connect) { [weak socket] in log.record("connect \(socket?.state.description ?? "")") }
            #expect(socket.remoteAddress == nil)
            if style == "async" {
                try await socket.connect(to: address)
                log.record("completed")
            } else {
                socket.connect(to: address) { result in log.record((try? result.get()) == nil ? "failed" : "completed")
                }
                try await log.wait(for: "completed")
            }
            #expect(log.events == ["listening", "connect bound, connected", "completed"])
            #expect(socket.remoteAddress == address)
            #expect(try await socket.getRemoteAddress() == address)
            let byHandler: Result<NetAddress, SocketError> = try await answer {
                socket.getRemoteAddress(completion: $0)
            }
            #expect(try byHandler.get() == address)
            #expect(socket.localAddress?.address == loopback.rawValue, "as the peer sees it")
            let info = await socket.getInfo()
            #expect(info.connected && info.peerAddress == address)
            await socket.close()
            #expect(!socket.state.isConnected)
            let closed = await failure { () async throws(SocketError) in try await socket.getRemoteAddress() }
            #expect(closed?.kind == .closed)
        }
    }

    @Test(arguments: Loopback.allCases)
    func plainSend_inEveryForm_goesToThePeer_andOnlyThePeerIsHeard(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        let stranger = try RawSocket.datagram(on: loopback)
        try await first.connect(to: secondAddress)
        try await first.send([0x61])
        try await first.send("b", timeout: .seconds(1))
        let results: [Result<Void, SocketError>] = [
            try await answer { first.send([0x63], completion: $0) },
            try await answer { first.send("d", timeout: .seconds(1), completion: $0) },
        ]
        for result in results { try result.get() }
        // To the same address as ever; and nobody else's.
        try await first.send("e", to: secondAddress)
        for expected in ["a", "b", "c", "d", "e"] {
            #expect(try await second.receive(timeout: .seconds(20)).text == expected)
        }
        let other = await failure { () async throws(SocketError) in
            try await first.send("x", to: loopback.address(stranger.port))
        }
        #expect(other?.kind == .alreadyConnected)
        let otherBatch = await failure { () async throws(SocketError) in
            try await first.send(batch: [[1]], to: loopback.address(stranger.port))
        }
        #expect(otherBatch?.kind == .alreadyConnected)
        try await blocking { try stranger.send([0x78], to: firstAddress) }
        try await second.send("answer", to: firstAddress)
        let message = try await first.receive(timeout: .seconds(20))
        #expect(message.text == "answer")
        try await first.send("reply", to: message.remoteInfo.netAddress)
        try await first.send(message.message, to: message.remoteInfo)
        #expect(try await second.receive(timeout: .seconds(20)).text == "reply")
        #expect(try await second.receive(timeout: .seconds(20)).text == "answer")
        let tooLong = [UInt8](repeating: 0, count: UDPSocket.maximumSizeIPv6 + 1)
        let error = await failure { () async throws(SocketError) in try await first.send(tooLong) }
        #expect(error?.kind == .messageTooLong)
        #expect(error?.address == secondAddress.description)
        await first.close()
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func disconnect_keepsThePort_andHearsEverybodyAgain(_ loopback: Loopback) async throws {
        let (peer, peerAddress, other, otherAddress) = try await makeUDPPair(loopback)
        for isBoundToPort in [false, true] {
            let socket = UDPSocket()
            if isBoundToPort { try await socket.bind(NetAddress(loopback.wildcard, port: try freePort(loopback))) }
            try await socket.disconnect()
            try await socket.connect(to: peerAddress)
            let port = try #require(socket.localAddress?.port)
            if isBoundToPort {
                try await socket.disconnect()
            } else {
                let result: Result<Void, SocketError> = try await answer { socket.disconnect(completion: $0) }
                try result.get()
            }
            try await socket.disconnect()
            #expect(socket.localAddress == NetAddress(loopback.wildcard, port: port, family: loopback.family))
            #expect(socket.remoteAddress == nil && !socket.state.isConnected && socket.state.isBound)
            let unconnected = await failure { () async throws(SocketError) in try await socket.getRemoteAddress() }
            #expect(unconnected?.kind == .notConnected)
            try await other.send("from another", to: loopback.address(port))
            let heard = try await socket.receive(timeout: .seconds(20))
            #expect(heard.text == "from another")
            try await socket.send(Array("to another".utf8), to: heard.remoteInfo)
            #expect(try await other.receive(timeout: .seconds(20)).text == "to another")
            // And to somebody else.
            try await socket.connect(to: otherAddress)
            try await socket.send("again")
            #expect(try await other.receive(timeout: .seconds(20)).remoteInfo.port == port)
            await socket.close()
            let closed = await failure { () async throws(SocketError) in try await socket.disconnect() }
            #expect(closed?.kind == .closed)
        }
        await peer.close()
        await other.close()
    }

    @Test func connect_thatDoesNotFit_changesNothing() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        for address in [NetAddress("example.org", port: 1), NetAddress("127.0.0.1"), NetAddress("", port: 1)] {
            let error = await failure { () async throws(SocketError) in try await first.connect(to: address) }
            #expect(error?.kind == .invalidArgument)
            #expect(error?.operation == .connect)
        }
        let otherFamily = await failure { () async throws(SocketError) in
            try await first.connect(to: NetAddress("::1", port: 9))
        }
        #expect(otherFamily != nil)
        #expect(!first.state.isConnected && first.state.isBound)
        try await first.connect(to: secondAddress)
        let twice = await failure { () async throws(SocketError) in try await first.connect(to: secondAddress) }
        #expect(twice?.kind == .alreadyConnected)
        #expect(first.remoteAddress == secondAddress)
        await first.close()
        let closed: Result<Void, SocketError> = try await answer { first.connect(to: secondAddress, completion: $0) }
        #expect(throws: SocketError.self) { try closed.get() }
        await second.close()
    }

    @Test func plainSend_withoutAPeer_isNotConnected() async throws {
        let socket = UDPSocket()
        for isBound in [false, true] {
            if isBound { try await socket.bind(NetAddress("127.0.0.1")) }
            let one = await failure { () async throws(SocketError) in try await socket.send("x") }
            #expect(one?.kind == .notConnected)
            #expect(one?.code == 2_301_107)
            let batch = await failure { () async throws(SocketError) in try await socket.send(batch: [[1], [2]]) }
            #expect(batch?.kind == .notConnected)
            let result: Result<Void, SocketError> = try await answer { socket.send([1], completion: $0) }
            #expect(throws: SocketError.self) { try result.get() }
            #expect(socket.state.isBound == isBound)
        }
        await socket.close()
        let closed = await failure { () async throws(SocketError) in try await socket.send("x") }
        #expect(closed?.kind == .closed)
    }

    // MARK: Refusals

    private func closedPort(_ loopback: Loopback) throws -> NetAddress {
        let gone = try RawSocket.datagram(on: loopback)
        return loopback.address(gone.port)
    }

    @Test(arguments: Loopback.allCases)
    func refusal_isToldToTheReceiveThatWaits_orTheNext_andTheSocketLives(_ loopback: Loopback) async throws {
        let socket = UDPSocket()
        try await socket.connect(to: try closedPort(loopback))
        for _ in 0..<3 {
            try await socket.send("nobody")
            let next = await failure { () async throws(SocketError) in try await socket.receive(timeout: .seconds(20)) }
            #expect(next?.kind == .connectionRefused)
            #expect(next?.operation == .receive)
        }
        let result: Result<SocketMessageInfo, SocketError> = try await answer { handler in
            socket.receive(timeout: .seconds(20), completion: handler)
            socket.send("nobody") { _ in }
        }
        guard case .failure(let pending) = result else { throw WaitTimedOut(what: "an error") }
        #expect(pending.kind == .connectionRefused)
        #expect(socket.lastError?.kind == .connectionRefused)
        #expect(socket.state.isConnected)
        await socket.close()
    }

    @Test(arguments: Loopback.allCases)
    func refusal_isAnEvent_whereSomebodyListens_andDoesNotEndAnIteration(_ loopback: Loopback) async throws {
        let peer = try RawSocket.datagram(on: loopback)
        let address = loopback.address(peer.port)
        let socket = UDPSocket()
        let log = EventLog()
        let messages = EventLog()
        try await socket.connect(to: address)
        socket.on(.error) { log.record("\($0.kind) \($0.address ?? "")") }
        let iterating = try await startWaiting(on: socket.eventLoop) {
            for try await message in socket.messages { messages.record(message.text ?? "") }
        }
        peer.close()
        try await socket.send("nobody")
        try await log.wait(count: 1)
        if isLinux { #expect(log.events == ["connectionRefused \(address)"]) }
        #expect(messages.events.isEmpty)
        await socket.close()
        try await within { try await iterating.value }
    }
}
