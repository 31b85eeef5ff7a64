import HarmonySocket
import Testing

@Suite(.bounded) struct RawOptionsTests {
    /// SO_PRIORITY of Linux, and SO_RCVLOWAT of Apple systems: numbers that nothing else of the library uses.
    private static let (level, name): (Int32, Int32) = isLinux ? (1, 12) : (0xffff, 0x1004)

    @Test func number_isSetAndReadBack_onEveryKindOfSocket_inBothStyles() async throws {
        let pair = try await makeTCPPair()
        let udp = UDPSocket()
        try await udp.bind(Loopback.ipv6.address())
        for socket in [pair.client, pair.connection, pair.server, udp] as [any KernelSocket] {
            try await socket.setRawOption(level: Self.level, name: Self.name, value: 5)
            #expect(try await socket.getRawOption(level: Self.level, name: Self.name, count: 4) == bytes(of: 5))
            let set: Result<Void, SocketError> = try await answer {
                socket.setRawOption(level: Self.level, name: Self.name, value: 3, completion: $0)
            }
            try set.get()
            let read: Result<[UInt8], SocketError> = try await answer {
                socket.getRawOption(level: Self.level, name: Self.name, count: 400, completion: $0)
            }
            #expect(try read.get() == bytes(of: 3))
        }
        await udp.close()
        await pair.close()
    }

    private func bytes(of number: Int32) -> [UInt8] { withUnsafeBytes(of: number) { [UInt8]($0) } }

    @Test(.enabled(if: isLinux)) func bytes_areSetAndReadBack() async throws {
        let pair = try await makeTCPPair()
        // TCP_CONGESTION of Linux.
        try await pair.client.setRawOption(level: 6, name: 13, value: Array("reno".utf8))
        let name = try await pair.client.getRawOption(level: 6, name: 13, count: 16)
        #expect(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) == "reno")
        #expect(try await pair.client.getRawOption(level: 6, name: 13, count: 2) == Array("re".utf8))
        let set: Result<Void, SocketError> = try await answer {
            pair.client.setRawOption(level: 6, name: 13, value: Array("no-such-control".utf8), completion: $0)
        }
        let error = set.failure
        #expect(error?.systemError?.name == "ENOENT")
        #expect(error?.operation == .setOptions)
        #expect(error?.systemError?.call == "setsockopt")
        await pair.close()
    }

    @Test func unknownOption_isNotSupported() async throws {
        let pair = try await makeTCPPair()
        for socket in [pair.client, pair.server] as [any KernelSocket] {
            let set = await failure { () async throws(SocketError) in
                try await socket.setRawOption(level: 6, name: 30_000, value: 1)
            }
            #expect(set?.kind == .notSupported)
            #expect(set?.operation == .setOptions)
            let get = await failure { () async throws(SocketError) in
                try await socket.getRawOption(level: 6, name: 30_000, count: 4)
            }
            #expect(get?.kind == .notSupported)
            #expect(get?.operation == .getOptions)
            #expect(get?.systemError?.call == "getsockopt")
        }
        await pair.close()
    }

    @Test(arguments: [0, -1, 65_537, Int.max, .min])
    func impossibleCount_isRefused(_ count: Int) async throws {
        let pair = try await makeTCPPair()
        let error = await failure { () async throws(SocketError) in
            try await pair.client.getRawOption(level: Self.level, name: Self.name, count: count)
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "count")
        await pair.close()
    }

    @Test func withoutDescriptor_isInvalidState_andAfterCloseClosed() async throws {
        for socket in [TCPSocket(), TCPSocketServer(), UDPSocket()] as [any KernelSocket] {
            let fresh = await failure { () async throws(SocketError) in
                try await socket.setRawOption(level: Self.level, name: Self.name, value: 1)
            }
            #expect(fresh?.kind == .invalidState)
        }
        let pair = try await makeTCPPair()
        let udp = UDPSocket()
        try await udp.bind(Loopback.ipv4.address())
        await udp.close()
        await pair.close()
        for socket in [pair.client, pair.connection, pair.server, udp] as [any KernelSocket] {
            let set = await failure { () async throws(SocketError) in
                try await socket.setRawOption(level: Self.level, name: Self.name, value: 1)
            }
            #expect(set?.kind == .closed)
            let get = await failure { () async throws(SocketError) in
                try await socket.getRawOption(level: Self.level, name: Self.name, count: 4)
            }
            #expect(get?.kind == .closed)
        }
    }

    /// Whatever the moment: no answer of a descriptor that is none, or is another.
    @Test func duringClose_eitherWorksOrIsClosed() async throws {
        for round in 0..<40 {
            let pair = try await makeTCPPair()
            let udp = UDPSocket()
            try await udp.bind(Loopback.ipv4.address())
            let sockets: [any KernelSocket] = [pair.client, pair.connection, pair.server, udp]
            await withTaskGroup(of: SocketError.Kind?.self) { group in
                for socket in sockets {
                    for _ in 0..<4 {
                        group.addTask {
                            for _ in 0..<50 {
                                do throws(SocketError) {
                                    try await socket.setRawOption(level: Self.level, name: Self.name, value: 1)
                                } catch {
                                    return error.kind
                                }
                            }
                            return nil
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<round { await Task.yield() }
                    await udp.close()
                    await pair.close()
                    return nil
                }
                for await kind in group { #expect(kind == nil || kind == .closed) }
            }
        }
    }
}
