import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// permessage-deflate over real connections, with all its parameters.
@Suite(.bounded) struct CompressedConnectionTests {
    static let wishes: [WebSocketCompression] = [
        WebSocketCompression(threshold: 0), WebSocketCompression(serverNoContextTakeover: true, threshold: 0),
        WebSocketCompression(clientNoContextTakeover: true, threshold: 0),
        WebSocketCompression(serverMaxWindowBits: 9, threshold: 0),
        WebSocketCompression(clientMaxWindowBits: 9, threshold: 0),
        WebSocketCompression(
            serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 10,
            clientMaxWindowBits: 12,
            level: 1, memoryLevel: 1, threshold: 100),
    ]

    @Test(arguments: wishes, wishes)
    func echo_withEveryAgreement_isTheSame(
        _ ofClient: WebSocketCompression, _ ofServer: WebSocketCompression
    ) async throws {
        var config = Host.config
        config.compression = ofServer
        let host = try await Host(config) { connection in connection.on(.message) { connection.send($0) { _ in } } }
        let client = try await host.connect(WebSocketOptions(compression: ofClient))
        #expect(client.extensions.hasPrefix("permessage-deflate"))
        var random = SplitMix(11)
        for size in [0, 1, 5, 99, 100, 1000, 20_000, 70_000] {
            for isRandom in [true, false] {
                let bytes = (0..<size).map { index in
                    isRandom ? UInt8(truncatingIfNeeded: random.next()) : UInt8(truncatingIfNeeded: index / 100)
                }
                try await client.send(bytes)
                #expect(try await client.receive(timeout: .seconds(20)) == .binary(bytes))
            }
        }
        await client.close()
        await host.stop()
    }

    @Test func compression_ofOneSideOnly_isNotUsed() async throws {
        let host = try await Host()
        let client = try await host.connect(WebSocketOptions(compression: WebSocketCompression()))
        #expect(client.extensions.isEmpty)
        await client.close()
        await host.stop()
    }

    @Test func control_frames_areNeverCompressed() async throws {
        var config = Host.config
        config.compression = WebSocketCompression(threshold: 0)
        let host = try await Host(config)
        let peer = try await RawPeer.client(of: host, ["Sec-WebSocket-Extensions: permessage-deflate"])
        let connection = try #require(try await host.connections.wait(count: 1).first)
        try await connection.ping(Array("ping".utf8))
        connection.close { _ in }
        let frames = try await blocking { [try peer.readFrame(), try peer.readFrame()] }
        #expect(frames == [RawPeer.Frame(first: 0x89, payload: Array("ping".utf8)), .close(1000)])
        peer.socket.close()
        await host.stop()
    }

    @Test func bomb_isRefusedWith1009() async throws {
        var config = Host.config
        config.compression = WebSocketCompression()
        config.limits.maxMessageSize = 100_000
        let host = try await Host(config) { connection in connection.on(.message) { _ in } }
        let peer = try await RawPeer.client(of: host, ["Sec-WebSocket-Extensions: permessage-deflate"])
        let deflater = Deflater(windowBits: 15, keepsContext: true, level: 9, memoryLevel: 8)
        let zeros = [UInt8](repeating: 0, count: 50_000_000)
        let bomb = try #require(zeros.withUnsafeBytes { deflater.compress($0, isLast: true) })
        let frames = try await blocking {
            try? peer.socket.send(Frames.make(2, bomb, reserved: 4, mask: [0, 0, 0, 0]))
            return try peer.readFrames()
        }
        #expect(frames.map(\.closeCode) == [1009])
        peer.socket.close()
        await host.stop()
    }

    @Test func nonsense_isRefusedWith1007() async throws {
        var config = Host.config
        config.compression = WebSocketCompression()
        let host = try await Host(config) { connection in connection.on(.message) { _ in } }
        let peer = try await RawPeer.client(of: host, ["Sec-WebSocket-Extensions: permessage-deflate"])
        let frames = try await blocking {
            try peer.socket.send(Frames.make(1, [0xFF, 0xFF, 0xFF], reserved: 4))
            return try peer.readFrames()
        }
        #expect(frames.map(\.closeCode) == [1007])
        peer.socket.close()
        await host.stop()
    }
}
