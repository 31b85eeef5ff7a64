/// Tells which of many descriptors are ready. Used by one thread, its loop's, but for `wake`.
package protocol Poller: AnyObject, Sendable {
    /// Whether readiness is reported as long as it lasts, so that each direction must be asked for again with `rearm`
    /// after a call that would have blocked.
    var isLevelTriggered: Bool { get }

    /// Watches both directions of `descriptor` until it is removed or closed; its events carry `token`.
    func add(_ descriptor: Int32, token: PollToken) -> SystemResult<Void>

    /// Ends watching, before the descriptor is closed.
    func remove(_ descriptor: Int32, token: PollToken)

    /// Level-triggered pollers: reports `direction` again when it is ready.
    func rearm(_ token: PollToken, _ direction: Direction)

    /// Waits for events until `deadline` (nil: without end) and hands each to `body`.
    /// An interrupted wait returns early, without events.
    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void>

    /// Ends the current or the next `wait`. From any thread.
    func wake()
}

/// The two directions of a socket.
package enum Direction: Sendable, Hashable {
    case read, write
}

/// Names one registration: a slot, and which of the slot's users it is. An event for an earlier user, whose
/// descriptor number may have been given to somebody else since, is thereby told apart and dropped.
package struct PollToken: Hashable, Sendable {
    package let slot: UInt32
    package let generation: UInt32

    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    package init(rawValue: UInt64) {
        slot = UInt32(truncatingIfNeeded: rawValue)
        generation = UInt32(truncatingIfNeeded: rawValue >> 32)
    }

    package var rawValue: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    /// The poller's own wake-up.
    package static let wakeup = PollToken(slot: .max, generation: 0)
}

/// Which poller a loop uses.
package enum PollerKind: String, Sendable, CaseIterable {
    case epoll, kqueue, poll

    /// The best one that this system has. `HARMONY_POLLER=poll` chooses the portable one, for tests.
    package static func makeDefault() -> SystemResult<any Poller> {
        if let name = ProcessCalls.environment("HARMONY_POLLER"), let kind = PollerKind(rawValue: name) {
            return kind.make()
        }
        let first = PollerKind.epoll.make()
        guard case .failure(.notImplemented) = first else { return first }
        let second = PollerKind.kqueue.make()
        guard case .failure(.notImplemented) = second else { return second }
        return PollerKind.poll.make()
    }

    /// The same, or one that becomes it as soon as the process has a descriptor to spare.
    package static func makeDefaultOrDeferred() -> any Poller {
        switch makeDefault() {
        case .success(let poller): poller
        case .failure: DeferredPoller()
        }
    }

    /// A poller of this kind; `.notImplemented` where the system has none.
    package func make() -> SystemResult<any Poller> {
        do {
            switch self {
            case .epoll: return .success(try EpollPoller())
            case .kqueue: return .success(try KqueuePoller())
            case .poll: return .success(try PlainPoller())
            }
        } catch {
            return .failure(error)
        }
    }
}
