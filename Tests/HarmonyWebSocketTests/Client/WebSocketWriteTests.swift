import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// Messages that nobody waits for.
@Suite(.bounded) struct WebSocketWriteTests {
    @Test(arguments: [nil, WebSocketCompression(threshold: 0)] as [WebSocketCompression?])
    func write_fromListenersAndElsewhere_isInOrder(_ compression: WebSocketCompression?) async throws {
        var config = Host.config
        config.compression = compression
        let host = try await Host(config) { connection in connection.on(.message) { connection.write($0) } }
        let client = try await host.connect(WebSocketOptions(compression: compression))
        let sent: [WebSocketData] =
            [0, 1, 125, 126, 1009, 1010, 1011, 4096, 70_000].map { .binary([UInt8](repeating: 7, count: $0)) }
            + [.text("text"), .binary([1, 2, 3])]
        for message in sent { #expect(client.write(message)) }
        client.write("more")
        client.write([9])
        for message in sent + [.text("more"), .binary([9])] {
            #expect(try await client.receive(timeout: .seconds(20)) == message)
        }
        await client.close()
        await host.stop()
    }

    @Test func write_beforeAndBehindTheConnection_isToldByError() async throws {
        let host = try await Host()
        let client = WebSocket()
        let errors = EventRecorder<WebSocketError.Kind>()
        client.on(.error) { errors.record($0.kind) }
        #expect(client.write("early"))
        #expect(try await errors.wait(count: 1) == [.notConnected])
        try await client.connect(host.url)
        client.on(.message) { _ in }
        await client.close()
        #expect(client.write("late"))
        await host.stop()
        #expect(errors.count == 1, "closed, it has no listeners any more")
    }

    @Test func write_toAPeerThatDoesNotRead_saysSo_andDrainTellsWhenItDoes() async throws {
        let host = try await Host()
        let peer = try await RawPeer.client(of: host)
        let connection = try #require(try await host.connections.wait(count: 1).first)
        let drains = EventRecorder<Void>()
        connection.on(.drain) { drains.record(()) }
        let message = [UInt8](repeating: 1, count: 100_000)
        let written = TestLock(0)
        try await eventually("the queue is full") {
            written.withLock { $0 += 1 }
            return !connection.write(message)
        }
        #expect(drains.count == 0)
        let count = written.withLock { $0 }
        let frames = try await blocking { try (0..<count).map { _ in try peer.readFrame()?.payload.count } }
        #expect(frames.allSatisfy { $0 == 100_000 })
        try await drains.wait(count: 1)
        peer.socket.close()
        await host.stop()
    }

    @Test func write_whileAMessageIsSentInFragments_comesBehindIt() async throws {
        let host = try await Host()
        let (client, connection) = try await host.pair()
        try await client.sendFragments(as: .text) { message in
            try await message.write("a")
            #expect(client.write("behind"))
            try await message.write("b")
        }
        #expect(try await connection.receive(timeout: .seconds(20))?.text == "ab")
        #expect(try await connection.receive(timeout: .seconds(20))?.text == "behind")
        await client.close()
        await host.stop()
    }
}
