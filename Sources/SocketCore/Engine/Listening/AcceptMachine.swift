/// Decides when a listener accepts: only when somebody wants a connection, in bounded bursts, no more connections than
/// the limit allows, and with a pause when the process has run out of descriptors.
package struct AcceptMachine: Sendable {
    /// What becomes of the peers that come while the limit is reached.
    package enum Excess: Sendable, Hashable {
        /// They stay in the kernel's backlog.
        case wait
        /// They are accepted and reset.
        case refuse
    }

    /// A look at the backlog that was allowed; `finish` follows.
    package struct Turn: Sendable, Equatable {
        package enum Purpose: Sendable {
            /// Accept a connection, for somebody who wants it.
            case accept
            /// Accept and reset: there are connections enough.
            case refuse
            /// See whether anybody waits whom there is no room for.
            case look
        }

        package let purpose: Purpose
        package let tick: UInt32

        package init(_ purpose: Purpose, tick: UInt32) {
            self.purpose = purpose
            self.tick = tick
        }
    }

    /// What a turn met.
    package enum Outcome: Sendable, Equatable {
        /// There was a connection.
        case connection
        case wouldBlock
        /// The connection was gone before it was accepted: the next one may be fine (accept(2), "Error handling").
        case lost
        /// No descriptor or no memory: trying at once again would spin.
        case exhausted
    }

    /// What follows from the end of a turn.
    package struct Verdict: Sendable, Equatable {
        /// Readiness was cleared.
        package var didClear = false
        /// How long to accept nothing.
        package var pause: Duration?
        /// The first peer beyond the limit has come.
        package var isOverload = false

        package init(didClear: Bool = false, pause: Duration? = nil, isOverload: Bool = false) {
            self.didClear = didClear
            self.pause = pause
            self.isOverload = isOverload
        }
    }

    /// How many connections may be open; nil is any number.
    package var limit: Int?
    package var excess = Excess.wait
    /// Connections that were accepted and have not ended.
    package private(set) var open = 0
    /// Turns under way, each of which may bring a connection.
    private var accepting = 0
    private var isOverloaded = false
    private var readiness = Readiness(isReady: false)
    private var pause = AcceptMachine.firstPause
    /// Nothing is accepted until the pause is over.
    package private(set) var isPaused = false

    private static let firstPause = Duration.milliseconds(10)
    private static let longestPause = Duration.seconds(1)

    package init() {}

    /// No connection is open, and none is on its way.
    package var isDrained: Bool { open == 0 && accepting == 0 }

    private var hasRoom: Bool { limit.map { open + accepting < $0 } ?? true }

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        if !events.isDisjoint(with: [.readable, .error, .hangUp]) { readiness.mark() }
    }

    /// Whether somebody before whom nobody waits may accept at once. `isEager`: also when the poller has reported nothing,
    /// because there will be no second try.
    package mutating func admit(isEager: Bool) -> Turn? {
        guard readiness.isReady || isEager, !isPaused, hasRoom else { return nil }
        accepting += 1
        return Turn(.accept, tick: readiness.tick)
    }

    /// What the loop may do for whoever is next.
    package mutating func takeTurn() -> Turn? {
        guard readiness.isReady, !isPaused else { return nil }
        if hasRoom { return admit(isEager: false) }
        // Full for certain, and not just until a turn that is under way has ended?
        guard let limit, open >= limit else { return nil }
        if excess == .refuse { return Turn(.refuse, tick: readiness.tick) }
        return isOverloaded ? nil : Turn(.look, tick: readiness.tick)
    }

    /// Gives back a turn that was not used.
    package mutating func relinquish(_ turn: Turn) {
        if turn.purpose == .accept { accepting -= 1 }
    }

    /// A turn is over.
    package mutating func finish(_ turn: Turn, _ outcome: Outcome) -> Verdict {
        relinquish(turn)
        switch outcome {
        case .connection:
            pause = AcceptMachine.firstPause
            if turn.purpose == .accept {
                open += 1
                return Verdict()
            }
            defer { isOverloaded = true }
            return Verdict(isOverload: !isOverloaded)
        case .lost: return Verdict()
        case .wouldBlock:
            // Room, and nobody who wants it: the next crowd is a new one.
            if hasRoom { isOverloaded = false }
            return Verdict(didClear: readiness.clear(since: turn.tick))
        case .exhausted:
            // Of several who found out side by side, the first counts.
            if isPaused { return Verdict() }
            isPaused = true
            defer { pause = min(pause * 2, AcceptMachine.longestPause) }
            return Verdict(pause: pause)
        }
    }

    /// A connection has ended. Returns whether there is room now that there was not.
    package mutating func ended() -> Bool {
        let wasFull = !hasRoom
        open -= 1
        return wasFull && hasRoom
    }

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
