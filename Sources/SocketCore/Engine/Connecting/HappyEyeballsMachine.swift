/// The two address families that a connect by name looks up.
package enum HappyEyeballsFamily: Sendable, Hashable, CaseIterable {
    /// IPv6, found in AAAA records; looked up first (RFC 8305 section 3).
    case ipv6
    /// IPv4, found in A records.
    case ipv4
}

/// The two delays of RFC 8305; at most one timer of each kind runs at a time.
package enum HappyEyeballsTimer: Sendable, Hashable, CaseIterable {
    /// How long an A answer waits for the AAAA answer before the first attempt (RFC 8305 section 3).
    case resolutionDelay
    /// How long an attempt runs alone before the next one joins it (RFC 8305 section 5).
    case attemptDelay
}

/// Decides which address is tried when, and which attempt wins: Happy Eyeballs version 2 (RFC 8305).
///
/// A pure value: each event is a `mutating func` that returns what is to be done now, in order. Attempts run beside
/// each other until one succeeds; none is given up before. Events that come late or twice are harmless.
package struct HappyEyeballsMachine<Address: Sendable & Equatable>: Sendable {
    /// What the driver does next.
    package enum Action: Sendable, Equatable {
        /// Look the name up for this family, and report `resolved` or `resolutionFailed`.
        case lookUp(HappyEyeballsFamily)
        /// Begin to connect, and report `attemptSucceeded` or `attemptFailed` with this number (0, 1, 2 ...).
        case startAttempt(id: Int, address: Address)
        /// Report `timerFired` after this time; replaces a running timer of the same kind.
        case setTimer(HappyEyeballsTimer, after: Duration)
        /// The timer is no longer needed.
        case cancelTimer(HappyEyeballsTimer)
        /// Close the sockets of these attempts; one that is closed already is left alone.
        case closeAttempts([Int])
        /// The connect has succeeded with the socket of this attempt. Comes once and last.
        case succeed(id: Int)
        /// Every address has failed, or there was none. Comes once and last.
        case fail
    }

    private enum Phase { case idle, connecting, ended }

    /// One value for each family.
    private struct PerFamily<Value: Sendable>: Sendable {
        var ipv6: Value
        var ipv4: Value

        init(_ value: Value) {
            ipv6 = value
            ipv4 = value
        }

        subscript(family: HappyEyeballsFamily) -> Value {
            get { family == .ipv6 ? ipv6 : ipv4 }
            set { if family == .ipv6 { ipv6 = newValue } else { ipv4 = newValue } }
        }
    }

    private let maximumConcurrent: Int
    private let resolutionDelay: Duration
    private let attemptDelay: Duration

    private var phase = Phase.idle
    private var isLookingUp = PerFamily(false)
    private var untried = PerFamily<[Address]>([])
    /// Every address ever accepted, so that one which is found twice is tried once.
    private var known: [Address] = []
    private var leading = HappyEyeballsFamily.ipv6
    private var latestFamily: HappyEyeballsFamily?
    private var running: [Int] = []
    private var attemptCount = 0
    private var winner: Int?
    private var isResolutionDelayed = false
    private var isAttemptDelayed = false

    /// Makes a machine that has not started.
    ///
    /// - Parameters:
    ///   - maximumConcurrent: attempts that may run at once, at least 1; 1 makes them go one after another without a
    ///     timer (for a bound socket). Unlimited by default.
    ///   - resolutionDelay: how long an A answer waits for the AAAA answer; 50 ms by default (RFC 8305 section 8).
    ///   - attemptDelay: time between the starts of two attempts; 250 ms by default (RFC 8305 section 8).
    package init(
        maximumConcurrent: Int = .max, resolutionDelay: Duration = .milliseconds(50),
        attemptDelay: Duration = .milliseconds(250)
    ) {
        self.maximumConcurrent = max(1, maximumConcurrent)
        self.resolutionDelay = resolutionDelay
        self.attemptDelay = attemptDelay
    }

    /// Whether the connect has succeeded, failed or been cancelled.
    package var isEnded: Bool { phase == .ended }

    // MARK: Starting

    /// Starts with a name: looks it up for the families that are wanted, all at once.
    package mutating func start(lookingUp families: Set<HappyEyeballsFamily>) -> [Action] {
        guard phase == .idle else { return [] }
        phase = .connecting
        var actions: [Action] = []
        for family in HappyEyeballsFamily.allCases where families.contains(family) {
            isLookingUp[family] = true
            actions.append(.lookUp(family))
        }
        advance(&actions)
        return actions
    }

    /// Starts with addresses that need no lookup (numeric ones); they are tried in the order given.
    package mutating func start(with addresses: [Address]) -> [Action] {
        guard phase == .idle else { return [] }
        phase = .connecting
        // One list is not interleaved with anything, so its family does not matter.
        add(addresses, to: .ipv6)
        var actions: [Action] = []
        advance(&actions)
        return actions
    }

    // MARK: Lookups

    /// A lookup has ended with these addresses; an empty list is the same as `resolutionFailed`.
    ///
    /// - Parameters:
    ///   - family: the family that was looked up.
    ///   - addresses: its addresses, best first (RFC 6724 section 6).
    ///   - leading: the family of the best of all addresses known so far, which is tried first when no attempt has
    ///     started yet (RFC 8305 section 4, with a first address family count of 1).
    /// - Returns: what to do now, in order.
    package mutating func resolved(
        _ family: HappyEyeballsFamily, _ addresses: [Address], leading: HappyEyeballsFamily = .ipv6
    ) -> [Action] {
        guard phase == .connecting, isLookingUp[family] else { return [] }
        isLookingUp[family] = false
        self.leading = leading
        add(addresses, to: family)
        var actions: [Action] = []
        if attemptCount == 0, isLookingUp.ipv6, !untried.ipv4.isEmpty {
            // IPv6 is given a little time to be first; a failed AAAA lookup ends the wait too.
            isResolutionDelayed = true
            actions.append(.setTimer(.resolutionDelay, after: resolutionDelay))
        } else {
            stop(.resolutionDelay, &actions)
            advance(&actions)
        }
        return actions
    }

    /// A lookup has ended without any address.
    package mutating func resolutionFailed(_ family: HappyEyeballsFamily) -> [Action] {
        resolved(family, [], leading: leading)
    }

    // MARK: Timers and attempts

    /// A timer has run out. A timer that was cancelled or never set is ignored.
    package mutating func timerFired(_ timer: HappyEyeballsTimer) -> [Action] {
        guard isRunning(timer) else { return [] }
        setRunning(timer, false)
        var actions: [Action] = []
        advance(&actions)
        return actions
    }

    /// An attempt is connected: it wins when it is the first, otherwise its socket is closed.
    package mutating func attemptSucceeded(_ id: Int) -> [Action] {
        guard let index = running.firstIndex(of: id) else {
            // Too late: this attempt was told to close already, or had failed. The winner itself must stay open.
            return id >= 0 && id < attemptCount && id != winner ? [.closeAttempts([id])] : []
        }
        running.remove(at: index)
        winner = id
        return end(with: .succeed(id: id))
    }

    /// An attempt has failed; the driver has closed its socket. The next one starts at once when this was the latest.
    package mutating func attemptFailed(_ id: Int) -> [Action] {
        guard let index = running.firstIndex(of: id) else { return [] }
        running.remove(at: index)
        var actions: [Action] = []
        // An older attempt says nothing about the latest one, which keeps its time alone.
        if id == attemptCount - 1 { stop(.attemptDelay, &actions) }
        advance(&actions)
        return actions
    }

    /// Gives up: for cancellation, close, and the time-out of the whole connect. The driver knows why, so no `fail`.
    package mutating func cancel() -> [Action] {
        phase == .ended ? [] : end(with: nil)
    }

    // MARK: Decisions

    /// Starts what may start now, and fails when nothing is left to hope for.
    private mutating func advance(_ actions: inout [Action]) {
        while running.count < maximumConcurrent, !isAttemptDelayed, !isResolutionDelayed, let address = takeNext() {
            let id = attemptCount
            attemptCount += 1
            running.append(id)
            actions.append(.startAttempt(id: id, address: address))
            if mayFollow, maximumConcurrent > 1 {
                isAttemptDelayed = true
                actions.append(.setTimer(.attemptDelay, after: attemptDelay))
            }
        }
        guard !mayFollow else { return }
        stop(.attemptDelay, &actions)
        if running.isEmpty { actions += end(with: .fail) }
    }

    /// Whether another attempt is possible, now or after a lookup.
    private var mayFollow: Bool {
        isLookingUp.ipv6 || isLookingUp.ipv4 || !untried.ipv6.isEmpty || !untried.ipv4.isEmpty
    }

    /// The next address: the families take turns as long as both have one (RFC 8305 section 4).
    private mutating func takeNext() -> Address? {
        var family = leading
        if let latestFamily { family = latestFamily == .ipv6 ? .ipv4 : .ipv6 }
        if untried[family].isEmpty { family = family == .ipv6 ? .ipv4 : .ipv6 }
        guard !untried[family].isEmpty else { return nil }
        latestFamily = family
        return untried[family].removeFirst()
    }

    private mutating func add(_ addresses: [Address], to family: HappyEyeballsFamily) {
        for address in addresses where !known.contains(address) {
            known.append(address)
            untried[family].append(address)
        }
    }

    private mutating func end(with last: Action?) -> [Action] {
        phase = .ended
        var actions: [Action] = []
        for timer in HappyEyeballsTimer.allCases { stop(timer, &actions) }
        if !running.isEmpty { actions.append(.closeAttempts(running)) }
        if let last { actions.append(last) }
        running = []
        known = []
        untried = PerFamily([])
        isLookingUp = PerFamily(false)
        return actions
    }

    // MARK: Which timers run

    private func isRunning(_ timer: HappyEyeballsTimer) -> Bool {
        timer == .resolutionDelay ? isResolutionDelayed : isAttemptDelayed
    }

    private mutating func setRunning(_ timer: HappyEyeballsTimer, _ isRunning: Bool) {
        if timer == .resolutionDelay { isResolutionDelayed = isRunning } else { isAttemptDelayed = isRunning }
    }

    private mutating func stop(_ timer: HappyEyeballsTimer, _ actions: inout [Action]) {
        guard isRunning(timer) else { return }
        setRunning(timer, false)
        actions.append(.cancelTimer(timer))
    }
}
