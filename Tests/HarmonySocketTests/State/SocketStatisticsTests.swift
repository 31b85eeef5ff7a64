import HarmonySocket
import Testing

@Suite(.bounded) struct SocketStatisticsTests {
    @Test(arguments: Side.allCases)
    func everythingIsCounted_inBothDirections(_ side: Side) async throws {
        let pair = try await makeTCPPair()
        let socket = pair.tested(side)
        let other = pair.other(side)
        #expect(socket.statistics.bytesSent == 0)
        #expect(try #require(socket.statistics.age) >= .zero)
        for text in ["one", "three", ""] { try await socket.send(text) }
        let taken = try socket.trySend([1, 2])
        #expect(taken == 2)
        #expect(try await read(10, from: other).count == 10)
        try await other.send("answer")
        #expect(try await read(6, from: socket).count == 6)
        try await other.send("pulled")
        #expect(try await socket.receive(exactly: 6, timeout: .seconds(20))?.count == 6)
        await pair.close()
        let statistics = socket.statistics
        #expect(statistics.bytesSent == 10)
        #expect(statistics.messagesSent == 3)
        #expect(statistics.bytesReceived == 12)
        #expect(statistics.messagesReceived == 2)
        #expect(statistics.bytesQueued == 0)
        let age = socket.statistics.age
        #expect(age == socket.statistics.age, "it stands still after close")
        #expect(other.statistics.bytesReceived == 10)
        #expect(
            "\(statistics)".hasPrefix("12 bytes received in 2 messages, 10 sent in 3, 0 queued, "), "\(statistics)")
        #expect("\(statistics)".hasSuffix("s old"))
        #expect("\(TCPSocket().statistics)".hasSuffix(", not connected"))
    }

    @Test func queuedBytes_areCountedAsSentWhenTheyAre() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        #expect(TCPSocket().statistics.age == nil)
        let large = pattern(8 << 20)
        let sent = EventRecorder<Bool>()
        client.send(large) { result in sent.record((try? result.get()) != nil) }
        let before = client.statistics
        #expect(before.bytesQueued > 0)
        #expect(before.bytesSent + before.bytesQueued == large.count)
        _ = try await blocking { try peer.receive(exactly: large.count) }
        // The peer may have the last bytes before the loop has counted them.
        #expect(try await sent.wait(count: 1) == [true])
        #expect(client.statistics.bytesSent == large.count)
        await client.close()
    }

    @Test func stateChanges_tellTheWholeLife() async throws {
        let (server, address) = try await makeServer()
        let tcp = TCPSocket()
        let states = Task {
            var states: [SocketStateBase] = []
            for await state in tcp.stateChanges { states.append(state) }
            return states
        }
        // The first state is there when the iteration is.
        try await tcp.bind(NetAddress("127.0.0.1", port: 0))
        try await tcp.connect(to: address)
        await tcp.close()
        let seen = try await within { await states.value }
        #expect(seen.last?.isClose == true)
        #expect(seen.dropLast().allSatisfy { !$0.isClose })
        var closed: [SocketStateBase] = []
        for await state in tcp.stateChanges { closed.append(state) }
        #expect(closed.map(\.isClose) == [true])
        await server.close()
    }
}
