import HarmonySocket
import Testing

@Suite(.bounded) struct SocketEventLoopSleepTests {
    @Test func sleep_lastsAtLeastAsLong() async throws {
        let loop = SocketEventLoopGroup.shared.next()
        for isOnLoop in [true, false] {
            let start = ContinuousClock.now
            if isOnLoop {
                try await withTaskExecutorPreference(loop) { try await loop.sleep(for: .milliseconds(20)) }
            } else {
                try await loop.sleep(for: .milliseconds(20))
            }
            #expect(ContinuousClock.now - start >= .milliseconds(20))
        }
    }

    @Test func cancelledSleep_throws() async throws {
        let loop = SocketEventLoopGroup.shared.next()
        let task = Task { await failure { () async throws(SocketError) in try await loop.sleep(for: .seconds(3600)) } }
        task.cancel()
        let error = try await within { await task.value }
        #expect(error?.kind == .cancelled && error?.operation == .wait)
    }
}
