/// Decides who reads from a stream socket, and when. One reader at a time: it has the turn, and with it what was read ahead.
package struct ReadMachine: Sendable {
    /// The answer to somebody who wants to read.
    package enum Admission: Sendable, Equatable {
        /// Read now, and report with `finish` or `relinquish`.
        case turn(Turn)
        /// Wait in the queue.
        case wait
        /// There is nothing more to read, ever.
        case ended
    }

    /// What whoever has the turn goes by.
    package struct Turn: Sendable, Equatable {
        /// Goes with the report.
        package let tick: UInt32
        /// The kernel is worth asking. If not, what was read ahead is all that there is now.
        package let mayReceive: Bool
        /// What was read ahead is all that there will ever be.
        package let hasEnded: Bool

        package init(tick: UInt32, mayReceive: Bool = true, hasEnded: Bool = false) {
            self.tick = tick
            self.mayReceive = mayReceive
            self.hasEnded = hasEnded
        }
    }

    /// What a read brought.
    package enum Outcome: Sendable, Equatable {
        case bytes(Int, of: Int)
        case wouldBlock
        case ended
        case failed
    }

    /// What is to be done with input.
    package enum Demand: Sendable, Equatable {
        case nothing
        /// Let the first waiting reader read; it has the turn now.
        case serveReader(tick: UInt32)
        /// Read for the message listeners; they have the turn now.
        case readForListeners(tick: UInt32)
        /// Nobody wants input: see, without taking any, whether it has ended. The turn is taken.
        case probe(tick: UInt32)
        /// The socket is closed: throw input away until it ends. The turn is taken.
        case discard(tick: UInt32)
    }

    /// Who wants input.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let reader = Interest(rawValue: 1)
        package static let listeners = Interest(rawValue: 2)
        package static let discard = Interest(rawValue: 4)
    }

    private var readiness = Readiness(isReady: false)
    /// The peer's end, a hang-up or an error was reported. No event will repeat it, so a short read proves nothing.
    private var isSticky = false
    /// The probe that a sticky event asks for has not been made yet.
    private var wantsProbe = false
    /// An error was reported: behind the peer's end too it is looked for, since reading does not bring it there.
    private var hasSeenError = false
    /// Urgent data came: a read ends at its mark, so a short one proves nothing any more.
    private var hasSeenMark = false
    /// Somebody has the turn.
    package private(set) var isReading = false
    /// The peer ended its direction, and the kernel has nothing more.
    package private(set) var hasEnded = false
    /// Bytes were read ahead: the next reader has them first.
    package private(set) var hasBuffered = false
    /// What was read ahead, or who wants it, is not what it was when somebody last looked.
    private var isUntried = false

    package init() {}

    /// Whether the peer ended its direction, and all its bytes have been handed out.
    package var isExhausted: Bool { hasEnded && !hasBuffered }

    /// Whether there is nothing to be done, whoever wants input.
    package var isAtRest: Bool { !readiness.isReady && !isUntried && !hasEnded && !wantsProbe }

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        if events.contains(.urgent) { hasSeenMark = true }
        guard !events.isDisjoint(with: [.readable, .endOfInput, .hangUp, .error]) else { return }
        readiness.mark()
        if !events.isDisjoint(with: .sticky) {
            isSticky = true
            wantsProbe = true
            if events.contains(.error) { hasSeenError = true }
        }
    }

    /// Somebody wants to read. `isNext`: it has been given the turn by `demand` already, and keeps it
    /// when it must wait again. `isEager`: it cannot wait, so
    /// it asks the kernel even when cached readiness says no.
    package mutating func admit(isNext: Bool, isEager: Bool, isQueueEmpty: Bool) -> Admission {
        guard isNext || !isReading && isQueueEmpty else { return .wait }
        if isExhausted {
            isReading = false
            return .ended
        }
        guard readiness.isReady || hasBuffered || isEager else { return .wait }
        isReading = true
        return .turn(turn(isEager: isEager))
    }

    /// What whoever has the turn goes by now.
    package func turn(isEager: Bool = false) -> Turn {
        Turn(tick: readiness.tick, mayReceive: !hasEnded && (readiness.isReady || isEager), hasEnded: hasEnded)
    }

    /// A read is over, and the turn too unless the reader `keeps` it. Returns whether a level-triggered poller must be
    /// asked to report again, because readiness was cleared.
    package mutating func finish(_ outcome: Outcome, tick: UInt32, keepsTurn: Bool = false) -> Bool {
        isReading = keepsTurn
        switch outcome {
        case .bytes(let count, let limit):
            // The end may be all that is left: see, unless somebody reads on.
            if isSticky { wantsProbe = true }
            // The mark may have been passed: a level-triggered poller watches for the next one.
            if hasSeenMark { return true }
            // A short read of TCP has drained the socket (epoll(7)), unless an end or error stands behind the bytes.
            return count < limit && !isSticky && readiness.clear(since: tick)
        case .wouldBlock:
            return readiness.clear(since: tick)
        case .ended:
            hasEnded = true
            wantsProbe = hasSeenError
            isUntried = hasBuffered
            return false
        case .failed:
            return false
        }
    }

    /// Gives the turn back.
    package mutating func relinquish() { isReading = false }

    /// What is left of what was read ahead: nothing, something in which whoever looked found nothing, or something
    /// that nobody has looked at.
    package mutating func keep(_ count: Int, isUntried: Bool) {
        hasBuffered = count > 0
        self.isUntried = hasBuffered && isUntried
    }

    /// Somebody else wants input, or wants something else of it.
    package mutating func retry() { isUntried = hasBuffered }

    /// Whether `demand` would ask for anything.
    package func hasDemand(_ interest: Interest) -> Bool {
        var copy = self
        return copy.demand(interest) != .nothing
    }

    /// What is to be done now.
    package mutating func demand(_ interest: Interest) -> Demand {
        if isReading { return .nothing }
        if interest.contains(.reader) {
            guard readiness.isReady || isUntried || hasEnded else { return .nothing }
            isReading = true
            return .serveReader(tick: readiness.tick)
        }
        if hasEnded, !wantsProbe, !isUntried { return .nothing }
        if interest.contains(.discard), !hasEnded {
            guard readiness.isReady else { return .nothing }
            isReading = true
            return .discard(tick: readiness.tick)
        }
        if interest.contains(.listeners), isUntried || !hasEnded {
            guard readiness.isReady || isUntried else { return .nothing }
            isReading = true
            return .readForListeners(tick: readiness.tick)
        }
        if wantsProbe {
            wantsProbe = false
            isReading = true
            return .probe(tick: readiness.tick)
        }
        return .nothing
    }
}
