/// Sends without end from a raw socket, on a thread of its own, until it is stopped or the socket takes no more.
final class Flood: Sendable {
    private let isOver = TestLock(false)

    init(from socket: RawSocket) {
        startThread { [isOver] in
            // Only under the lock: the number may be somebody else's after `stop`.
            while isOver.withLock({ isOver in
                if !isOver { isOver = !ProcessFacts.trickle(socket.number) }
                return !isOver
            }) {
                ProcessFacts.pause(.microseconds(50))
            }
        }
    }

    /// From here on the socket is not touched.
    func stop() { isOver.withLock { $0 = true } }
}
