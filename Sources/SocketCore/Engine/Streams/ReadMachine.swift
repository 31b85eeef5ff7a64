/// Decides who reads from a stream socket, and when. One reader at a time: it has the turn.
package struct ReadMachine: Sendable {
    /// The answer to somebody who wants to read.
    package enum Admission: Sendable, Equatable {
        /// Read now, and report with `finish`; the tick goes with it.
        case read(tick: UInt32)
        /// Wait in the queue.
        case wait
        /// There is nothing more to read, ever.
        case ended
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
        case resumeReader
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
    /// Somebody has the turn.
    package private(set) var isReading = false
    /// The peer ended its direction, and all its bytes were read.
    package private(set) var hasEnded = false

    package init() {}

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        guard !events.isDisjoint(with: [.readable, .endOfInput, .hangUp, .error]) else { return }
        readiness.mark()
        if !events.isDisjoint(with: .sticky) {
            isSticky = true
            wantsProbe = true
            if events.contains(.error) { hasSeenError = true }
        }
    }

    /// Somebody wants to read. `isNext`: it has been given the turn by `demand` already. `isEager`: it cannot wait, so
    /// it asks the kernel even when cached readiness says no.
    package mutating func admit(isNext: Bool, isEager: Bool, isQueueEmpty: Bool) -> Admission {
        if isNext {
            isReading = false
        } else if isReading || !isQueueEmpty {
            return .wait
        }
        if hasEnded { return .ended }
        guard readiness.isReady || isEager else { return .wait }
        isReading = true
        return .read(tick: readiness.tick)
    }

    /// The reader with the turn is done. Returns whether readiness was cleared, so that a level-triggered poller must
    /// be asked to report again.
    package mutating func finish(_ outcome: Outcome, tick: UInt32) -> Bool {
        isReading = false
        switch outcome {
        case .bytes(let count, let limit):
            // The end may be all that is left: see, unless somebody reads on.
            if isSticky { wantsProbe = true }
            // A short read of TCP has drained the socket (epoll(7)), unless an end or error stands behind the bytes.
            return count < limit && !isSticky && readiness.clear(since: tick)
        case .wouldBlock:
            return readiness.clear(since: tick)
        case .ended:
            hasEnded = true
            wantsProbe = hasSeenError
            return false
        case .failed:
            return false
        }
    }

    /// The tick of a read that begins now with a turn that `demand` gave.
    package var tick: UInt32 { readiness.tick }

    /// Gives back a turn that was not used.
    package mutating func relinquish() { isReading = false }

    /// Whether `demand` would ask for anything.
    package func hasDemand(_ interest: Interest) -> Bool {
        var copy = self
        return copy.demand(interest) != .nothing
    }

    /// What is to be done now.
    package mutating func demand(_ interest: Interest) -> Demand {
        if isReading { return .nothing }
        if interest.contains(.reader) {
            guard hasEnded || readiness.isReady else { return .nothing }
            isReading = true
            return .resumeReader
        }
        if hasEnded, !wantsProbe { return .nothing }
        if interest.contains(.discard), !hasEnded {
            guard readiness.isReady else { return .nothing }
            isReading = true
            return .discard(tick: readiness.tick)
        }
        if interest.contains(.listeners), !hasEnded {
            guard readiness.isReady else { return .nothing }
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
