internal import Synchronization

/// Several loops, among which sockets are spread in turn. Each starts its thread when it is first used.
package final class EventLoopGroup: Sendable {
    package let loops: [EventLoop]
    private let turn = Atomic<UInt>(0)
    private let observing = Lock<Observer?>(nil)

    /// Makes `count` loops, at least one.
    package init(
        count: Int, makePoller: () -> any Poller = { PollerKind.makeDefaultOrDeferred() }
    ) {
        loops = (0..<max(1, count)).map { EventLoop(number: $0, poller: makePoller()) }
    }

    deinit {
        for loop in loops { loop.stop {} }
    }

    /// Who is told of sockets that are made from now on.
    package var observer: Observer? {
        get { observing.withLock { $0 } }
        set {
            let before = observing.withLock { observer in
                defer { observer = newValue }
                return observer
            }
            // What its closure captures ends outside of the lock.
            withExtendedLifetime(before) {}
        }
    }

    /// What a new socket of this group has, if it is observed.
    func observe() -> Observed? { observer.map(Observed.init) }

    /// The next loop in turn.
    package func next() -> EventLoop {
        guard loops.count > 1 else { return loops[0] }
        return loops[Int(turn.wrappingAdd(1, ordering: .relaxed).oldValue % UInt(loops.count))]
    }
}
