import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// Client and server hold to RFC 6455, case by case; each case by whole frames, and small ones byte by byte.
@Suite(.bounded) struct ConformanceTests {
    enum Role: String, CaseIterable, Sendable { case client, server }

    /// Sends the bytes of a case to an endpoint that echoes, and returns what comes back until the end.
    private func run(_ tested: ConformanceCase, _ role: Role, inChunksOf size: Int) async throws -> [RawPeer.Frame] {
        let (peer, end) = try await makeEcho(role)
        let bytes = tested.frames.flatMap { $0.bytes(isMasked: role == .server) }
        let frames = try await blocking {
            for start in stride(from: 0, to: bytes.count, by: size) {
                // It may have closed already.
                do { try peer.socket.send(Array(bytes[start..<min(start + size, bytes.count)])) } catch { break }
            }
            var frames: [RawPeer.Frame] = []
            if !tested.isClosing, tested.closeCode == nil {
                for _ in tested.answers { if let frame = try peer.readFrame() { frames.append(frame) } }
                let close = ConformanceCase.Frame.close(1000)
                try peer.socket.send(close.bytes(isMasked: role == .server))
            }
            while let frame = try peer.readFrame() {
                frames.append(frame)
                // The server ends the connection, so a client waits for us to do it.
                if frame.first == 0x88, role == .client { peer.socket.finish() }
            }
            return frames
        }
        peer.socket.close()
        try await end()
        return frames
    }

    private func makeEcho(_ role: Role) async throws -> (RawPeer, @Sendable () async throws -> Void) {
        switch role {
        case .server:
            let host = try await Host { connection in connection.on(.message) { connection.send($0) { _ in } } }
            return (try await RawPeer.client(of: host), { await host.stop() })
        case .client:
            let client = WebSocket()
            let isClosed = Outcome<Void>()
            client.on(.message) { client.send($0) { _ in } }
            client.on(.close) { isClosed.set(.success(())) }
            let (peer, _) = try await RawPeer.server(client: client)
            return (peer, { try await within { try await isClosed.value } })
        }
    }

    private func check(_ tested: ConformanceCase, _ role: Role) async throws {
        let size = tested.frames.reduce(0) { $0 + $1.payload.count + 14 }
        for chunk in [Int.max, 1] where chunk > 1 || size < 200 {
            let frames = try await run(tested, role, inChunksOf: min(chunk, max(size, 1)))
            let code = tested.closeCode ?? (tested.isClosing ? nil : 1000)
            #expect(frames.dropLast() == tested.answers[...], "in chunks of \(chunk)")
            let close = try #require(frames.last)
            #expect(close.first == 0x88)
            #expect(close.closeCode == code)
            #expect(!tested.isClosing || close.payload.count <= 2)
        }
    }

    @Test(arguments: ConformanceCase.framing, Role.allCases)
    func framing(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    @Test(arguments: ConformanceCase.pings, Role.allCases)
    func pings(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    @Test(arguments: ConformanceCase.reservedBits, Role.allCases)
    func reservedBits(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    @Test(arguments: ConformanceCase.opcodes, Role.allCases)
    func opcodes(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    @Test(arguments: ConformanceCase.fragmentation, Role.allCases)
    func fragmentation(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    @Test(arguments: ConformanceCase.text, Role.allCases)
    func text(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    @Test(arguments: ConformanceCase.closing, Role.allCases)
    func closing(_ tested: ConformanceCase, _ role: Role) async throws { try await check(tested, role) }

    // MARK: Limits

    @Test(arguments: [1 << 16, 1 << 18, 1 << 20, 1 << 22], [1 << 10, 1 << 16, 1 << 24])
    func largeMessages_inFragmentsOfAnySize_areEchoed(_ size: Int, _ fragment: Int) async throws {
        let host = try await Host { connection in connection.on(.message) { connection.send($0) { _ in } } }
        let peer = try await RawPeer.client(of: host)
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        let echo = try await blocking {
            for start in stride(from: 0, to: size, by: fragment) {
                let end = min(start + fragment, size)
                try peer.socket.send(
                    Frames.make(
                        start == 0 ? 2 : 0, Array(payload[start..<end]), isFinal: end == size,
                        mask: [0, 0, 0, 0]))
            }
            return try peer.readFrame()
        }
        #expect(echo == .binary(payload))
        peer.socket.close()
        await host.stop()
    }

    @Test(arguments: Role.allCases) func messages_beyondTheLimit_areRefusedWith1009(_ role: Role) async throws {
        let limits = WebSocketLimits(maxFrameSize: 4096, maxMessageSize: 6000)
        let cases: [[ConformanceCase.Frame]] = [
            [.binary([UInt8](repeating: 1, count: 4097))],
            [.begin([UInt8](repeating: 0x61, count: 4000)), .end([UInt8](repeating: 0x61, count: 2001))],
        ]
        for frames in cases {
            var config = Host.config
            config.limits = limits
            let host = try await Host(config) { connection in connection.on(.message) { connection.send($0) { _ in } } }
            let client = WebSocket()
            client.on(.message) { _ in }
            let peer =
                role == .server
                ? try await RawPeer.client(of: host)
                : try await RawPeer.server(WebSocketOptions(limits: limits), client: client).peer
            let bytes = frames.flatMap { $0.bytes(isMasked: role == .server) }
            let answers = try await blocking {
                try? peer.socket.send(bytes)
                return try peer.readFrames()
            }
            #expect(answers.map(\.closeCode) == [1009])
            peer.socket.close()
            await host.stop()
        }
    }

    @Test func messages_ofTooManyFragments_areRefusedWith1008() async throws {
        var config = Host.config
        config.limits.maxFragments = 10
        let host = try await Host(config) { connection in connection.on(.message) { _ in } }
        let peer = try await RawPeer.client(of: host)
        let answers = try await blocking {
            try peer.socket.send(Frames.make(2, [1], isFinal: false))
            for _ in 0..<10 { try? peer.socket.send(Frames.make(0, [1], isFinal: false)) }
            return try peer.readFrames()
        }
        #expect(answers.map(\.closeCode) == [1008])
        await host.stop()
    }

    /// Not a byte of what is announced is there, and nothing is kept for it.
    @Test func messages_announcedBeyondTheLimit_areRefusedAtTheHeader() async throws {
        let host = try await Host { connection in connection.on(.message) { _ in } }
        let peer = try await RawPeer.client(of: host)
        let answers = try await blocking {
            try peer.socket.send([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
            return try peer.readFrames()
        }
        #expect(answers.map(\.closeCode) == [1009])
        await host.stop()
    }
}
