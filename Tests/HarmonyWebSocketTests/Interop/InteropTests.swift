import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// Other implementations, both ways, with and without compression.
@Suite(.bounded, .enabled(if: !PeerProgram.available.isEmpty, "neither Python's websockets nor node's ws is installed"))
struct InteropTests {
    @Test(arguments: PeerProgram.available, [false, true])
    func client_withTheirServer(_ program: PeerProgram, _ isCompressing: Bool) async throws {
        let (process, port) = try await blocking { try program.startServer(isCompressing: isCompressing) }
        let client = WebSocket()
        let compression = isCompressing ? WebSocketCompression(threshold: 0) : nil
        try await client.connect("ws://127.0.0.1:\(port)/", WebSocketOptions(compression: compression))
        #expect(client.extensions.isEmpty != isCompressing)
        for size in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
            for message in [
                WebSocketData.text(String(repeating: "ä", count: size / 2)),
                .binary([UInt8](repeating: 3, count: size)),
            ] {
                try await client.send(message)
                #expect(try await client.receive(timeout: .seconds(20)) == message)
            }
        }
        try await client.sendFragments(as: .text) { message in
            for part in ["frag", "men", "ts"] { try await message.write(part) }
        }
        #expect(try await client.receive(timeout: .seconds(20))?.text == "fragments")
        try await client.close(code: .init(rawValue: 4001), reason: "done")
        #expect(client.closeWasClean)
        #expect(client.closeCode?.rawValue == 4001)
        _ = process
    }

    @Test(arguments: PeerProgram.available, [false, true])
    func server_withTheirClient(_ program: PeerProgram, _ isCompressing: Bool) async throws {
        var config = Host.config
        if isCompressing { config.compression = WebSocketCompression(threshold: 0) }
        let closed = EventRecorder<WebSocketCloseInfo>()
        let host = try await Host(config) { connection in
            connection.on(.message) { connection.send($0) { _ in } }
            connection.on(.close) { closed.record($0) }
        }
        let url = host.url
        let said = try await blocking {
            let process = try program.startClient(url, isCompressing: isCompressing)
            return (try process.readLine(), try process.waitForEnd())
        }
        #expect(said.0 == "ok")
        #expect(said.1 == 0)
        let info = try #require(try await closed.wait(count: 1).first)
        #expect(info.wasClean && info.code.rawValue == 4001 && info.reason == "done")
        await host.stop()
    }

    /// So that a machine without them says so.
    @Test(.enabled(if: PeerProgram.available.contains(.python), "Python's websockets is not installed"))
    func python_isThere() { #expect(PeerProgram.available.contains(.python)) }

    @Test(.enabled(if: PeerProgram.available.contains(.node), "node's ws is not installed"))
    func node_isThere() { #expect(PeerProgram.available.contains(.node)) }
}
