import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// Messages of all sizes under every set of permessage-deflate's parameters, as the Autobahn suite sends them: text and
/// binary, whole and in fragments, there and back, so that client and server compress and decompress each.
@Suite(.bounded) struct CompressionSweepTests {
    static let sizes = [0, 16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]

    static let parameters: [WebSocketCompression] = [nil, 9, 12, 15].flatMap { bits in
        [(false, false), (true, false), (false, true), (true, true)].map { server, client in
            WebSocketCompression(
                serverNoContextTakeover: server, clientNoContextTakeover: client, serverMaxWindowBits: bits,
                clientMaxWindowBits: bits, level: 1, threshold: 0)
        }
    }

    /// Words that repeat themselves now and then, further apart than a small window is long.
    private static let text: [UInt8] = {
        let words = ["the ", "quick ", "brown ", "fox ", "jumps ", "over ", "ein ", "müder ", "Hund ", "日本語 ", "🦊 "]
        var random = SplitMix(5)
        var text: [UInt8] = []
        while text.count < 131_072 + 8 { text += words[Int(random.next() % UInt64(words.count))].utf8 }
        return text
    }()

    private static let noise: [UInt8] = {
        var random = SplitMix(6)
        return (0..<131_072).map { UInt8(truncatingIfNeeded: $0 / 3000 % 2 == 0 ? random.next() : 65) }
    }()

    private func message(_ kind: WebSocketData.Kind, _ size: Int) -> WebSocketData {
        guard kind == .text else { return .binary(Array(Self.noise.prefix(size))) }
        // Not within a character.
        var end = size
        while Self.text[end] & 0xC0 == 0x80 { end += 1 }
        return .text(String(decoding: Self.text[..<end], as: UTF8.self))
    }

    @Test(arguments: parameters, WebSocketData.Kind.allCases)
    func messages_ofEverySize_comeBack(_ parameters: WebSocketCompression, _ kind: WebSocketData.Kind) async throws {
        var config = Host.config
        config.compression = parameters
        let host = try await Host(config) { connection in connection.on(.message) { connection.write($0) } }
        let client = try await host.connect(WebSocketOptions(compression: parameters))
        #expect(client.extensions.hasPrefix("permessage-deflate"))
        for size in Self.sizes {
            let message = message(kind, size)
            try await client.send(message)
            #expect(try await client.receive(timeout: .seconds(20)) == message, "\(size) bytes")
            try await client.sendFragments(as: kind) { writer in
                for start in stride(from: 0, to: message.bytes.count, by: 5000) {
                    try await writer.write(Array(message.bytes[start...].prefix(5000)))
                }
            }
            #expect(try await client.receive(timeout: .seconds(20)) == message, "\(size) bytes in fragments")
        }
        await client.close()
        #expect(client.closeWasClean)
        await host.stop()
    }
}
