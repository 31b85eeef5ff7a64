import HarmonySocket
import Testing

@Suite(.bounded) struct UDPSocketSendTests {
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
}
