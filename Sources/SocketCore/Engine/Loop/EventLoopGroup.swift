internal import Synchronization

/// Several loops, among which sockets are spread in turn. Each starts its thread when it is first used.
package final class EventLoopGroup: Sendable {
    package let loops: [EventLoop]
    private let turn = Atomic<UInt>(0)

    /// Makes `count` loops, at least one.
    package init(
        count: Int, makePoller: () -> any Poller = { PollerKind.makeDefaultOrDeferred() }
    ) {
        loops = (0..<max(1, count)).map { EventLoop(number: $0, poller: makePoller()) }
    }

    deinit {
        for loop in loops { loop.stop {} }
    }

    /// The next loop in turn.
    package func next() -> EventLoop {
        guard loops.count > 1 else { return loops[0] }
        return loops[Int(turn.wrappingAdd(1, ordering: .relaxed).oldValue % UInt(loops.count))]
    }
}
