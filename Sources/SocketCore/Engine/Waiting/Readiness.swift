/// What is known of one direction: whether a system call would block.
///
/// Each event moves the tick. A call that met "would block" clears readiness only if the tick is the one that it
/// started with; otherwise an event that came between the call and the clearing would be lost, and the socket hang.
package struct Readiness: Sendable, Hashable {
    /// Counts events.
    package private(set) var tick: UInt32 = 0
    /// Whether a call is worth trying.
    package private(set) var isReady: Bool

    package init(isReady: Bool) { self.isReady = isReady }

    /// The poller reported the direction.
    package mutating func mark() {
        isReady = true
        tick &+= 1
    }

    /// A call that started at `tick` found nothing more. Returns whether readiness was cleared.
    package mutating func clear(since tick: UInt32) -> Bool {
        guard tick == self.tick else { return false }
        isReady = false
        return true
    }
}
