import HarmonySocket
import Testing

@testable import HarmonyWebSocket

@Suite(.bounded) struct WebSocketFragmentsTests {
    @Test(arguments: [nil, WebSocketCompression(), WebSocketCompression(clientNoContextTakeover: true)])
    func sendFragments_isOneMessage(_ compression: WebSocketCompression?) async throws {
        var config = Host.config
        config.compression = compression
        let received = EventRecorder<WebSocketData>()
        let host = try await Host(config) { connection in connection.on(.message) { received.record($0) } }
        let client = try await host.connect(WebSocketOptions(compression: compression))
        for round in 0..<3 {
            try await client.sendFragments(as: .text) { message in
                for number in 0..<100 { try await message.write("\(round):\(number) ") }
                // A character may be split.
                try await message.write([0xC3])
                try await message.write([0xA4])
            }
            let expected = (0..<100).map { "\(round):\($0) " }.joined() + "ä"
            #expect(try await received.wait(count: round + 1).last?.text == expected)
        }
        await client.close()
        await host.stop()
    }

    @Test func sendFragments_keepsOtherMessagesWaiting_butNotPings() async throws {
        let (peer, client) = try await RawPeer.server()
        try await client.sendFragments(as: .binary) { message in
            try await message.write([1])
            client.send("later") { _ in }
            try await client.ping([7])
            try await message.write([2])
        }
        let frames = try await blocking { try (0..<5).map { _ in try peer.readFrame() } }
        #expect(
            frames == [
                .init(first: 0x02, payload: [1]), .init(first: 0x89, payload: [7]), .init(first: 0x00, payload: [2]),
                .init(first: 0x80, payload: []), .text("later"),
            ])
        peer.socket.close()
    }

    @Test func sendFragments_thatBreaksOff_closesWith1011() async throws {
        struct Oops: Error {}
        let (peer, client) = try await RawPeer.server()
        await #expect(throws: Oops.self) {
            try await client.sendFragments(as: .binary) { message in
                try await message.write([1])
                throw Oops()
            }
        }
        let frames = try await blocking { [try peer.readFrame(), try peer.readFrame()] }
        #expect(frames.last??.closeCode == 1011)
        peer.socket.close()
        let (other, second) = try await RawPeer.server()
        await #expect(throws: WebSocketError.self) {
            try await second.sendFragments(as: .text) { message in try await message.write([0xFF]) }
        }
        #expect(try await blocking { try other.readFrame() }?.closeCode == 1011)
        other.socket.close()
    }

    @Test func sendFragments_withHandlers_asksForEach() async throws {
        let received = EventRecorder<WebSocketData>()
        let host = try await Host { connection in connection.on(.message) { received.record($0) } }
        let client = try await host.connect()
        let parts = TestLock((0..<10).map { [UInt8]([$0]) })
        _ = try await answer { completion in
            client.sendFragments(
                as: .binary,
                next: { parts.withLock { $0.isEmpty ? nil : $0.removeFirst() } }, completion: completion)
        }.get()
        #expect(try await received.wait(count: 1) == [.binary(Array(0..<10))])
        await client.close()
        await host.stop()
    }
}
