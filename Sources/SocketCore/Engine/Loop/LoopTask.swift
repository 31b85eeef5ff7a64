/// What a loop can be asked to do.
package enum LoopTask: Sendable {
    /// A piece of an async function whose task prefers this loop.
    case job(UnownedJob)
    /// A piece of an async function of an actor whose executor is this loop.
    case actorJob(UnownedJob)
    /// A turn of a driver.
    case turn(any LoopClient)
    /// Anything else. Allocates, so nothing on a hot path uses it.
    case call(@Sendable () -> Void)
}

/// What a loop works for: something with a descriptor, a deadline, or a turn to take.
package protocol LoopClient: AnyObject, Sendable {
    /// Whether the loop owes it a turn, asked for with `EventLoop.yieldTurn`. The loop's own note, on the loop only: one
    /// that yields again, in a turn for some other reason, is not owed a second one.
    var isLeftOver: Bool { get set }

    /// The descriptor's readiness changed. On the loop.
    func ready(_ events: PollEvents)

    /// A turn that was asked for with `EventLoop.schedule`. On the loop.
    func turn()

    /// The timer set with `EventLoop.setTimer` has run out. On the loop.
    func deadlineReached(now: Instant)
}

extension LoopClient {
    /// For clients that never yield.
    package var isLeftOver: Bool {
        get { false }
        set {}
    }

    package func ready(_ events: PollEvents) {}
    package func turn() {}
    package func deadlineReached(now: Instant) {}
}
