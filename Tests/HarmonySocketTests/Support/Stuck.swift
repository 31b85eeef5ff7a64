import HarmonySocket
import Testing

/// Waits until the kernel takes no more of what is queued, because the peer does not read: then the amount stands still.
func waitUntilStuck<Socket: StreamSocket>(
    _ socket: Socket, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    try await untilItStandsStill("the kernel is full", sourceLocation: sourceLocation) { socket.bufferedAmount }
}

/// Sends from a raw socket until nothing more is taken, because nobody reads; returns how much was. A flood that is
/// taken without end fails.
func fillUntilStuck(_ socket: RawSocket, sourceLocation: SourceLocation = #_sourceLocation) async throws -> Int {
    let taken = TestLock(0)
    try await untilItStandsStill("no more is taken", sourceLocation: sourceLocation) {
        let count = ProcessFacts.fill(socket.number)
        return taken.withLock { taken in
            taken += count
            return taken
        }
    }
    return taken.withLock { $0 }
}

/// Waits until an amount above zero is the same at ten looks in a row.
private func untilItStandsStill(
    _ what: String, sourceLocation: SourceLocation, _ amount: @Sendable () -> Int
) async throws {
    let seen = TestLock((amount: -1, times: 0))
    try await eventually(what, sourceLocation: sourceLocation) {
        let amount = amount()
        return seen.withLock { seen in
            seen = amount == seen.amount && amount > 0 ? (amount, seen.times + 1) : (amount, 0)
            return seen.times >= 10
        }
    }
}
