import HarmonySocket
import Testing

/// Waits until the kernel takes no more of what is queued, because the peer does not read: then the amount stands still.
func waitUntilStuck<Socket: StreamSocket>(
    _ socket: Socket, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let seen = TestLock((amount: -1, times: 0))
    try await eventually("the kernel is full", sourceLocation: sourceLocation) {
        let amount = socket.bufferedAmount
        return seen.withLock { seen in
            seen = amount == seen.amount && amount > 0 ? (amount, seen.times + 1) : (amount, 0)
            return seen.times >= 10
        }
    }
}
