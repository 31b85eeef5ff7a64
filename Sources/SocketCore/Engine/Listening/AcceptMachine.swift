/// Decides when a listener accepts: only when somebody wants a connection, in bounded bursts, and with a pause when the
/// process has run out of descriptors.
package struct AcceptMachine: Sendable {
    /// The answer to somebody who wants a connection.
    package enum Admission: Sendable, Equatable {
        case accept(tick: UInt32)
        case wait
    }

    /// What accept(2) said.
    package enum Outcome: Sendable, Equatable {
        case accepted
        case wouldBlock
        /// The connection was gone before it was accepted: the next one may be fine (accept(2), "Error handling").
        case lost
        /// No descriptor or no memory: trying at once again would spin.
        case exhausted
    }

    private var readiness = Readiness(isReady: false)
    private var pause = AcceptMachine.firstPause
    /// Nothing is accepted until the pause is over.
    package private(set) var isPaused = false
    /// Somebody is accepting.
    package private(set) var isAccepting = false

    private static let firstPause = Duration.milliseconds(10)
    private static let longestPause = Duration.seconds(1)

    package init() {}

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        if !events.isDisjoint(with: [.readable, .error, .hangUp]) { readiness.mark() }
    }

    /// Somebody wants to accept. `isNext`: `takeTurn` gave it the turn already.
    package mutating func admit(isNext: Bool, isQueueEmpty: Bool) -> Admission {
        if isNext {
            isAccepting = false
        } else if isAccepting || !isQueueEmpty {
            return .wait
        }
        guard readiness.isReady, !isPaused else { return .wait }
        isAccepting = true
        return .accept(tick: readiness.tick)
    }

    /// Whether a connection can be accepted now for whoever is next; if so the turn is taken.
    package mutating func takeTurn() -> UInt32? {
        guard readiness.isReady, !isPaused, !isAccepting else { return nil }
        isAccepting = true
        return readiness.tick
    }

    /// An accept is over. Returns whether readiness was cleared, and how long to pause, if at all.
    package mutating func finish(_ outcome: Outcome, tick: UInt32) -> (didClear: Bool, pause: Duration?) {
        isAccepting = false
        switch outcome {
        case .accepted:
            pause = AcceptMachine.firstPause
            return (false, nil)
        case .lost:
            return (false, nil)
        case .wouldBlock:
            return (readiness.clear(since: tick), nil)
        case .exhausted:
            isPaused = true
            defer { pause = min(pause * 2, AcceptMachine.longestPause) }
            return (false, pause)
        }
    }

    /// Gives back a turn that was not used.
    package mutating func relinquish() { isAccepting = false }

    /// The pause is over. The backlog may have filled meanwhile without a further event.
    package mutating func resume() {
        isPaused = false
        readiness.mark()
    }
}

extension AcceptMachine.Outcome {
    /// Reads the error of accept(2).
    package init(_ error: SystemError) {
        switch error {
        case .wouldBlock: self = .wouldBlock
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .outOfMemory: self = .exhausted
        default: self = .lost
        }
    }
}
