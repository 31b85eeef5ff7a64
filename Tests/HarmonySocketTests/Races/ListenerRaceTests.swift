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
        let heardOf = TestLock([UInt8: Int]())
        let take: @Sendable ([UInt8]) -> Void = { bytes in
            heardOf.withLock { counts in for byte in bytes { counts[byte, default: 0] += 1 } }
            heard.withLock { $0 += bytes.count }
        }
        startThread {
            for start in stride(from: 0, to: total, by: 1000) {
                guard (try? peer.send([UInt8](repeating: UInt8(start / 1000 % 256), count: 1000))) != nil else {
                    return
                }
            }
        }
        let meddling = Task {
            while !Task.isCancelled, heard.withLock({ $0 }) < total {
                let listener = connection.on(.message) { take($0.message) }
                connection.getState { _ in }
                if Bool.random() { await Task.yield() }
                connection.off(listener)
                if let chunk = try? await connection.receive(timeout: .milliseconds(1)) { take(chunk.message) }
                connection.once(.message) { take($0.message) }
                if Bool.random() { await Task.yield() }
                connection.off(.message)
            }
        }
        try await eventually("every byte was heard") { heard.withLock { $0 } >= total }
        meddling.cancel()
        _ = await meddling.result
        #expect(heard.withLock { $0 } == total)
        // As many of each as were sent: nothing lost that something doubled would make up for.
        let sent = (0..<total / 1000).reduce(into: [UInt8: Int]()) { $0[UInt8($1 % 256), default: 0] += 1000 }
        #expect(heardOf.withLock { $0 } == sent)
        await connection.close()
        peer.close()
    }
}
