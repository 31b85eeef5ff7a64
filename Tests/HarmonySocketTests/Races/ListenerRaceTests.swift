import HarmonySocket
import Testing

@Suite("Races: listeners and pulls", .timeLimit(.minutes(1)))
struct ListenerRaceTests {
    @Test("2. Listeners that come and go from other threads, and pulls between them, lose no byte")
    func onAndOff_duringDeliveries_loseNothing() async throws {
        let (connection, peer) = try await makeConnectionWithRawPeer()
        connection.allowsHalfOpen = true
        let total = 4_000_000
        let heard = TestLock(0)
        let heardBytes = TestLock([Int](repeating: 0, count: 256))
        let take: @Sendable ([UInt8]) -> Void = { bytes in
            heardBytes.withLock { counts in for byte in bytes { counts[Int(byte)] += 1 } }
            heard.withLock { $0 += bytes.count }
        }
        startThread {
            for start in stride(from: 0, to: total, by: 1000) {
                guard (try? peer.send([UInt8](repeating: UInt8(start / 1000 % 256), count: 1000))) != nil else { return }
            }
        }
        let meddling = Task {
            while !Task.isCancelled, heard.withLock({ $0 }) < total {
                let listener = connection.on(.message) { take($0.message) }
                connection.getState { _ in }
                if Bool.random() { await Task.yield() }
                connection.off(listener)
                if let chunk = try? await connection.receive(timeout: .milliseconds(1)) { take(chunk.message) }
                if Bool.random() { connection.once(.message) { take($0.message) } }
                if Bool.random() { connection.off(.message) }
            }
        }
        try await eventually(.seconds(20), "every byte was heard") { heard.withLock { $0 } >= total }
        meddling.cancel()
        _ = await meddling.result
        #expect(heard.withLock { $0 } == total)
        #expect(heardBytes.withLock { $0 }.allSatisfy { $0 >= total / 256 - 1000 && $0 <= total / 256 + 1000 })
        await connection.close()
        peer.close()
    }
}
