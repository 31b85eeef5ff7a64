import SocketCore
import Testing

/// What every poller must do, on each that this system has.
@Suite struct PollerTests {
    static let kinds = PollerKind.allCases.filter { kind in
        if case .failure(.notImplemented) = kind.make() { false } else { true }
    }

    private static let token = PollToken(slot: 3, generation: 7)

    /// What is told when both directions are over: kqueue tells of each by itself.
    private static func bothOver(_ kind: PollerKind) -> PollEvents {
        kind == .kqueue ? [.endOfInput, .writable] : [.endOfInput, .hangUp]
    }

    /// A poller, and what it has reported.
    private final class Watcher {
        let poller: any Poller
        private(set) var seen: [PollToken: PollEvents] = [:]
        private(set) var reports = 0

        init(_ kind: PollerKind) throws { poller = try kind.make().get() }

        func add(_ socket: RawSocket, _ token: PollToken = PollerTests.token) throws {
            try poller.add(socket.number, token: token).get()
        }

        /// One wait. Returns what it reported of `token`.
        @discardableResult
        func wait(_ limit: Duration = .zero, _ token: PollToken = PollerTests.token) throws -> PollEvents {
            var events: PollEvents = []
            try poller.wait(until: .now.advanced(by: limit)) { reported, what in
                seen[reported, default: []].formUnion(what)
                reports += 1
                if reported == token { events.formUnion(what) }
            }.get()
            return events
        }

        /// Waits until all of `events` were reported of `token`; returns everything that was.
        func wait(until events: PollEvents, of token: PollToken = PollerTests.token) throws -> PollEvents {
            let end = Instant.now.advanced(by: generous)
            while !(seen[token] ?? []).isSuperset(of: events) {
                guard Instant.now < end else { throw WaitTimedOut(what: "\(events), not only \(seen)") }
                try wait(generous)
            }
            return seen[token] ?? []
        }

        /// Forgets what it has seen. A level-triggered poller is asked for both directions again.
        func forget(rearming directions: [Direction] = [.read, .write], _ token: PollToken = PollerTests.token) {
            seen = [:]
            reports = 0
            for direction in directions { poller.rearm(token, direction) }
        }
    }

    /// Runs `body` off Swift's pool, since it blocks.
    private func withPair(
        _ kind: PollerKind, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: @escaping @Sendable (Watcher, RawPair) throws -> Void
    ) async throws {
        try await blocking(sourceLocation: sourceLocation) {
            let pair = try RawPair()
            defer { pair.close() }
            let watcher = try Watcher(kind)
            try watcher.add(pair.near)
            try body(watcher, pair)
        }
    }

    // MARK: What is reported

    @Test(arguments: kinds)
    func socket_withRoomAndNoInput_isWritableOnly(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, _ in
            let events = try watcher.wait(until: .writable)
            #expect(events == .writable)
        }
    }

    @Test(arguments: kinds)
    func input_makesReadable(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            _ = try watcher.wait(until: .writable)
            watcher.forget(rearming: [])
            try pair.far.send([1])
            #expect(try watcher.wait(until: .readable).isSuperset(of: .readable))
            #expect(watcher.seen[PollerTests.token]?.isDisjoint(with: .sticky) == true)
            #expect(try pair.near.receive() == [1])
        }
    }

    /// Full, then read by the peer: writable again.
    @Test(arguments: kinds)
    func roomThatComesBack_makesWritable(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            let sent = try pair.near.fill()
            while try watcher.wait() != [] {}
            watcher.forget()
            #expect(try watcher.wait().contains(.writable) == false)
            var received = 0
            while received < sent { received += try pair.far.receive().count }
            #expect(try watcher.wait(until: .writable) == .writable)
        }
    }

    @Test(arguments: kinds)
    func endOfInput_isToldApartFromInput(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            try pair.far.send([1])
            try pair.far.finish()
            let events = try watcher.wait(until: [.readable, .endOfInput])
            #expect(events.isDisjoint(with: [.hangUp, .error]), "\(events)")
        }
    }

    @Test(arguments: kinds)
    func hangUp_isToldWhenBothDirectionsAreOver(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            try pair.far.finish()
            try pair.near.finish()
            let events = try watcher.wait(until: PollerTests.bothOver(kind))
            #expect(!events.contains(.error), "\(events)")
        }
    }

    @Test(arguments: kinds)
    func reset_isToldAsAnError(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            pair.far.reset()
            _ = try watcher.wait(until: [.error])
            #expect(try OptionCalls.takeError(pair.near.number).get() == .connectionReset)
        }
    }

    @Test(arguments: kinds)
    func refusedConnect_isToldAsAnError(_ kind: PollerKind) async throws {
        try await blocking {
            let listener = try RawSocket.listener()
            let address = try listener.address
            listener.close()
            let socket = try RawSocket.open(.v4)
            defer { socket.close() }
            let watcher = try Watcher(kind)
            if case .success = SocketCalls.connect(socket.number, to: address) { Issue.record("nobody listens") }
            try watcher.add(socket)
            _ = try watcher.wait(until: .error)
            #expect(try OptionCalls.takeError(socket.number).get() == .connectionRefused)
        }
    }

    @Test(arguments: kinds)
    func pendingConnection_makesAListenerReadable(_ kind: PollerKind) async throws {
        try await blocking {
            let listener = try RawSocket.listener()
            defer { listener.close() }
            let watcher = try Watcher(kind)
            try watcher.add(listener)
            #expect(try watcher.wait() == [])
            let client = try RawSocket.connected(to: listener.address)
            defer { client.close() }
            #expect(try watcher.wait(until: .readable) == .readable)
            try listener.accept().close()
        }
    }

    @Test(arguments: kinds)
    func manySockets_areToldApart(_ kind: PollerKind) async throws {
        try await blocking {
            let watcher = try Watcher(kind)
            let pairs = try (0..<300).map { _ in try RawPair() }
            defer { for pair in pairs { pair.close() } }
            let tokens = pairs.indices.map { PollToken(slot: UInt32($0), generation: UInt32($0 % 3)) }
            for (pair, token) in zip(pairs, tokens) { try watcher.add(pair.near, token) }
            for index in stride(from: 0, to: pairs.count, by: 2) { try pairs[index].far.send([1]) }
            for index in stride(from: 0, to: pairs.count, by: 2) {
                #expect(try watcher.wait(until: .readable, of: tokens[index]).contains(.readable))
            }
            for index in stride(from: 1, to: pairs.count, by: 2) {
                #expect(watcher.seen[tokens[index]]?.contains(.readable) != true)
            }
        }
    }

    // MARK: How often it is reported

    /// Nothing is read and nothing written: a poller that went on reporting would make its loop spin.
    @Test(arguments: kinds)
    func readiness_thatNobodyUses_isReportedOnce(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            try pair.far.send([1])
            _ = try watcher.wait(until: [.readable, .writable])
            for _ in 0..<5 { #expect(try watcher.wait() == []) }
        }
    }

    @Test(arguments: kinds)
    func endAndHangUpAndError_thatNobodyUses_areReportedOnce(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            try pair.far.finish()
            try pair.near.finish()
            _ = try watcher.wait(until: PollerTests.bothOver(kind))
            for _ in 0..<5 { #expect(try watcher.wait() == []) }
        }
        try await withPair(kind) { watcher, pair in
            pair.far.reset()
            _ = try watcher.wait(until: .error)
            for _ in 0..<5 { #expect(try watcher.wait() == []) }
        }
    }

    /// A driver reads until "would block" and asks to be told again; then more input comes.
    @Test(arguments: kinds)
    func input_afterWouldBlockAndRearm_isReportedAgain(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            for number in UInt8(0)..<5 {
                try pair.far.send([number])
                _ = try watcher.wait(until: .readable)
                #expect(try pair.near.receive() == [number])
                watcher.forget(rearming: [.read])
                #expect(try watcher.wait().contains(.readable) == false)
            }
        }
    }

    /// The event that a call raced with: input comes after "would block" but before the direction is asked for again.
    @Test(arguments: kinds)
    func input_betweenWouldBlockAndRearm_isReported(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            try pair.far.send([1])
            _ = try watcher.wait(until: .readable)
            #expect(try pair.near.receive() == [1])
            try pair.far.send([2])
            try pair.near.wait(for: .readable)
            watcher.forget(rearming: [.read])
            #expect(try watcher.wait(until: .readable).contains(.readable))
        }
    }

    @Test(arguments: kinds)
    func rearm_ofOneDirection_leavesTheOther(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            guard watcher.poller.isLevelTriggered else { return }
            try pair.far.send([1])
            _ = try watcher.wait(until: [.readable, .writable])
            watcher.forget(rearming: [.read])
            #expect(try watcher.wait() == .readable)
            watcher.forget(rearming: [.write])
            #expect(try watcher.wait() == .writable)
            #expect(try watcher.wait() == [])
        }
    }

    @Test(arguments: kinds)
    func rearm_ofAnUnknownToken_isHarmless(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, _ in
            watcher.poller.rearm(PollToken(slot: 99, generation: 0), .read)
            let events = try watcher.wait(until: .writable)
            #expect(events == .writable)
        }
    }

    // MARK: Removal and reuse

    @Test(arguments: kinds)
    func removed_isNotReportedAnyMore(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            let other = try RawPair()
            defer { other.close() }
            let otherToken = PollToken(slot: 4, generation: 0)
            try watcher.add(other.near, otherToken)
            watcher.poller.remove(pair.near.number, token: PollerTests.token)
            try pair.far.send([1])
            try pair.near.wait(for: .readable)
            try other.far.send([1])
            _ = try watcher.wait(until: .readable, of: otherToken)
            if kind != .kqueue { #expect(watcher.seen[PollerTests.token] == nil) }
            watcher.poller.remove(pair.near.number, token: PollerTests.token)
        }
    }

    /// The number goes to a stranger; what is reported then carries the stranger's token.
    @Test(arguments: kinds)
    func reusedNumber_isReportedWithItsNewToken(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            watcher.poller.remove(pair.near.number, token: PollerTests.token)
            let reused = PollToken(slot: PollerTests.token.slot, generation: PollerTests.token.generation + 1)
            try pair.far.send([1])
            try pair.near.wait(for: .readable)
            try watcher.add(pair.near, reused)
            #expect(try watcher.wait(until: .readable, of: reused).contains(.readable))
            #expect(watcher.seen[PollerTests.token] == nil)
        }
    }

    /// `body` removes the other one, whose event is in the same batch: its token finds nobody any more.
    @Test(arguments: kinds)
    func removal_duringABatch_isHarmless(_ kind: PollerKind) async throws {
        try await blocking {
            let poller = try kind.make().get()
            let pairs = try (0..<4).map { _ in try RawPair() }
            defer { for pair in pairs { pair.close() } }
            final class Client: LoopClient {}
            var registrations = Registrations()
            let tokens = pairs.map { _ in registrations.add(Client()) }
            for (pair, token) in zip(pairs, tokens) { try poller.add(pair.near.number, token: token).get() }
            for pair in pairs { try pair.near.wait(for: .writable) }
            var served = 0
            let end = Instant.now.advanced(by: generous)
            while served == 0, Instant.now < end {
                try poller.wait(until: end) { token, _ in
                    guard registrations[token] != nil else { return }
                    served += 1
                    for (pair, other) in zip(pairs, tokens) where other != token {
                        poller.remove(pair.near.number, token: other)
                        registrations.remove(other)
                    }
                }.get()
            }
            #expect(served == 1)
            #expect(registrations.count == 1)
        }
    }

    @Test(arguments: kinds)
    func addition_duringABatch_isReportedLater(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, _ in
            let other = try RawPair()
            defer { other.close() }
            let added = PollToken(slot: 9, generation: 1)
            let isAdded = Counter()
            let end = Instant.now.advanced(by: generous)
            var events: PollEvents = []
            while events.isEmpty, Instant.now < end {
                try watcher.poller.wait(until: end) { token, what in
                    if token == added { events = what }
                    if isAdded.add() == 1 { _ = watcher.poller.add(other.near.number, token: added) }
                }.get()
            }
            #expect(events.contains(.writable))
        }
    }

    // MARK: Time

    @Test(arguments: kinds, [0, 1, 20])
    func deadline_endsTheWait_notBeforeItsTime(_ kind: PollerKind, _ milliseconds: Int) async throws {
        try await blocking {
            let poller = try kind.make().get()
            // The first wait of a poller, too: its own wake-up descriptor is no event.
            let deadline = Instant.now.advanced(by: .milliseconds(milliseconds))
            try poller.wait(until: deadline) { token, _ in Issue.record("\(token) is not there") }.get()
            #expect(Instant.now >= deadline)
            #expect(Instant.now < deadline.advanced(by: generous))
        }
    }

    @Test(arguments: kinds)
    func deadline_inThePast_onlyLooks(_ kind: PollerKind) async throws {
        try await withPair(kind) { watcher, pair in
            try pair.near.wait(for: .writable)
            var events: PollEvents = []
            try watcher.poller.wait(until: Instant(nanoseconds: 0)) { events = $1 }.get()
            #expect(events == .writable)
            try watcher.poller.wait(until: Instant(nanoseconds: 0)) { events = $1 }.get()
        }
    }

    // MARK: Waking

    @Test(arguments: kinds)
    func wake_beforeTheWait_endsIt(_ kind: PollerKind) async throws {
        try await blocking {
            let poller = try kind.make().get()
            poller.wake()
            poller.wake()
            try poller.wait(until: nil) { token, _ in Issue.record("\(token) is not there") }.get()
            // And only that one.
            let deadline = Instant.now.advanced(by: .milliseconds(5))
            try poller.wait(until: deadline) { token, _ in Issue.record("\(token) is not there") }.get()
            #expect(Instant.now >= deadline)
        }
    }

    /// Two threads that wake each other in turn: no wake-up may be lost, however the signal and the wait meet.
    @Test(arguments: kinds)
    func wake_fromAnotherThread_isNeverLost(_ kind: PollerKind) async throws {
        let (near, far) = (try kind.make().get(), try kind.make().get())
        let rounds = 1_000
        let turn = Counter()
        /// Waits until `turn` is one of this side's, and hands it on.
        @Sendable func play(_ own: any Poller, _ other: any Poller, _ parity: Int) throws {
            for round in stride(from: parity, to: 2 * rounds, by: 2) {
                let end = Instant.now.advanced(by: generous)
                while turn.value < round {
                    guard Instant.now < end else { throw WaitTimedOut(what: "the wake-up of round \(round)") }
                    try own.wait(until: end) { token, _ in Issue.record("\(token) is not there") }.get()
                }
                turn.add()
                other.wake()
            }
        }
        async let first: Void = blocking { try play(near, far, 0) }
        async let second: Void = blocking { try play(far, near, 1) }
        _ = try await (first, second)
        #expect(turn.value == 2 * rounds)
    }

    @Test func tokens_surviveTheKernel() {
        for token in [PollToken(slot: 0, generation: 0), PollToken(slot: .max - 1, generation: .max), .wakeup] {
            #expect(PollToken(rawValue: token.rawValue) == token)
        }
    }

    @Test func environment_choosesThePoller() throws {
        let poller = try PollerKind.makeDefault().get()
        #expect(poller.isLevelTriggered == (ProcessCalls.environment("HARMONY_POLLER") == "poll"))
    }
}
