import SocketCore
import Testing

@Suite struct HappyEyeballsMachineTests {
    typealias Machine = HappyEyeballsMachine<String>
    typealias Action = Machine.Action

    enum Event: Sendable {
        case start(Set<HappyEyeballsFamily>)
        case startWith([String])
        case resolved(HappyEyeballsFamily, [String])
        case resolvedIPv4Leading(HappyEyeballsFamily, [String])
        case resolutionFailed(HappyEyeballsFamily)
        case fired(HappyEyeballsTimer)
        case succeeded(Int)
        case failed(Int)
        case cancel

        func apply(to machine: inout Machine) -> [Action] {
            switch self {
            case .start(let families): machine.start(lookingUp: families)
            case .startWith(let addresses): machine.start(with: addresses)
            case .resolved(let family, let addresses): machine.resolved(family, addresses)
            case .resolvedIPv4Leading(let family, let addresses):
                machine.resolved(family, addresses, leading: .ipv4)
            case .resolutionFailed(let family): machine.resolutionFailed(family)
            case .fired(let timer): machine.timerFired(timer)
            case .succeeded(let id): machine.attemptSucceeded(id)
            case .failed(let id): machine.attemptFailed(id)
            case .cancel: machine.cancel()
            }
        }
    }

    /// A story: events, each with what the machine wants done then.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let limit: Int
        let isEnded: Bool
        let steps: [(Event, [Action])]

        init(_ description: String, limit: Int = .max, isEnded: Bool = true, _ steps: (Event, [Action])...) {
            (testDescription, self.limit, self.isEnded) = (description, limit, isEnded)
            self.steps = steps.map { ($0.0, $0.1) }
        }
    }

    static let both: (Event, [Action]) = (.start([.ipv4, .ipv6]), [.lookUp(.ipv6), .lookUp(.ipv4)])
    static let wait = Action.setTimer(.resolutionDelay, after: .milliseconds(50))
    static let stopWaiting = Action.cancelTimer(.resolutionDelay)
    static let delay = Action.setTimer(.attemptDelay, after: .milliseconds(250))
    static let stopDelay = Action.cancelTimer(.attemptDelay)

    static func attempt(_ id: Int, _ address: String) -> Action { .startAttempt(id: id, address: address) }

    static let lookups = [
        Row(
            "AAAA first starts at once, A joins", both,
            (.resolved(.ipv6, ["6a", "6b"]), [attempt(0, "6a"), delay]),
            (.resolved(.ipv4, ["4a"]), []),
            (.fired(.attemptDelay), [attempt(1, "4a"), delay]),
            (.fired(.attemptDelay), [attempt(2, "6b")]),
            (.succeeded(1), [.closeAttempts([0, 2]), .succeed(id: 1)])),
        Row(
            "A first waits for AAAA, which comes", both,
            (.resolved(.ipv4, ["4a"]), [wait]),
            (.resolved(.ipv6, ["6a"]), [stopWaiting, attempt(0, "6a"), delay]),
            (.fired(.attemptDelay), [attempt(1, "4a")]),
            (.succeeded(0), [.closeAttempts([1]), .succeed(id: 0)])),
        Row(
            "A first waits for AAAA, which is late", both,
            (.resolved(.ipv4, ["4a", "4b"]), [wait]),
            (.fired(.resolutionDelay), [attempt(0, "4a"), delay]),
            (.resolved(.ipv6, ["6a"]), []),
            (.fired(.attemptDelay), [attempt(1, "6a"), delay]),
            (.fired(.attemptDelay), [attempt(2, "4b")]),
            (.succeeded(2), [.closeAttempts([0, 1]), .succeed(id: 2)])),
        Row(
            "A first waits for AAAA, which fails", both,
            (.resolved(.ipv4, ["4a"]), [wait]),
            (.resolutionFailed(.ipv6), [stopWaiting, attempt(0, "4a")]),
            (.succeeded(0), [.succeed(id: 0)])),
        Row(
            "A first waits for AAAA, which is empty", both,
            (.resolved(.ipv4, ["4a"]), [wait]),
            (.resolved(.ipv6, []), [stopWaiting, attempt(0, "4a")]),
            (.succeeded(0), [.succeed(id: 0)])),
        Row(
            "A fails first: AAAA is awaited without a timer", both,
            (.resolutionFailed(.ipv4), []),
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a")]),
            (.succeeded(0), [.succeed(id: 0)])),
        Row(
            "AAAA fails first: A starts at once", both,
            (.resolutionFailed(.ipv6), []),
            (.resolved(.ipv4, ["4a"]), [attempt(0, "4a")]),
            (.succeeded(0), [.succeed(id: 0)])),
        Row("both lookups fail", both, (.resolutionFailed(.ipv6), []), (.resolutionFailed(.ipv4), [.fail])),
        Row("both lookups are empty", both, (.resolved(.ipv4, []), []), (.resolved(.ipv6, []), [.fail])),
        Row(
            "only A is wanted: no waiting", (.start([.ipv4]), [.lookUp(.ipv4)]),
            (.resolved(.ipv4, ["4a"]), [attempt(0, "4a")]),
            (.failed(0), [.fail])),
        Row(
            "only AAAA is wanted", (.start([.ipv6]), [.lookUp(.ipv6)]),
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a")]),
            (.succeeded(0), [.succeed(id: 0)])),
        Row("no family is wanted", (.start([]), [.fail])),
        Row(
            "IPv4 leads when the best address is one", both,
            (.resolved(.ipv4, ["4a", "4b"]), [wait]),
            (.resolvedIPv4Leading(.ipv6, ["6a", "6b"]), [stopWaiting, attempt(0, "4a"), delay]),
            (.failed(0), [stopDelay, attempt(1, "6a"), delay]),
            (.failed(1), [stopDelay, attempt(2, "4b"), delay]),
            (.failed(2), [stopDelay, attempt(3, "6b")]),
            (.failed(3), [.fail])),
        Row(
            "what is left of one family follows", both,
            (.resolved(.ipv4, ["4a"]), [wait]),
            (.resolved(.ipv6, ["6a", "6b", "6c"]), [stopWaiting, attempt(0, "6a"), delay]),
            (.failed(0), [stopDelay, attempt(1, "4a"), delay]),
            (.failed(1), [stopDelay, attempt(2, "6b"), delay]),
            (.failed(2), [stopDelay, attempt(3, "6c")]),
            (.failed(3), [.fail])),
        Row(
            "an address found twice is tried once", both,
            (.resolved(.ipv6, ["x", "x"]), [attempt(0, "x"), delay]),
            (.resolved(.ipv4, ["x"]), [stopDelay]),
            (.failed(0), [.fail])),
    ]

    static let attempts = [
        Row(
            "a failed attempt is followed at once", (.startWith(["a", "b"]), [attempt(0, "a"), delay]),
            (.failed(0), [stopDelay, attempt(1, "b")]),
            (.succeeded(1), [.succeed(id: 1)])),
        Row(
            "an older attempt's failure leaves the latest its time",
            (.startWith(["a", "b", "c"]), [attempt(0, "a"), delay]),
            (.fired(.attemptDelay), [attempt(1, "b"), delay]),
            (.failed(0), []),
            (.fired(.attemptDelay), [attempt(2, "c")]),
            (.failed(2), []),
            (.failed(1), [.fail])),
        Row(
            "attempts go on while another runs alone", (.startWith(["a", "b"]), [attempt(0, "a"), delay]),
            (.fired(.attemptDelay), [attempt(1, "b")]),
            (.failed(1), []),
            (.succeeded(0), [.succeed(id: 0)])),
        Row(
            "success ends the delay", (.startWith(["a", "b"]), [attempt(0, "a"), delay]),
            (.succeeded(0), [stopDelay, .succeed(id: 0)])),
        Row(
            "one numeric address needs no timer", (.startWith(["a"]), [attempt(0, "a")]),
            (.succeeded(0), [.succeed(id: 0)])),
        Row("a list without addresses", (.startWith([]), [.fail])),
        Row(
            "everything failed, a lookup is under way", both,
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a"), delay]),
            (.failed(0), [stopDelay]),
            (.resolved(.ipv4, ["4a"]), [attempt(1, "4a")]),
            (.failed(1), [.fail])),
        Row(
            "everything failed, then the last lookup fails", both,
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a"), delay]),
            (.failed(0), [stopDelay]),
            (.resolutionFailed(.ipv4), [.fail])),
        Row(
            "the delay runs out before the answer comes", both,
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a"), delay]),
            (.fired(.attemptDelay), []),
            (.resolved(.ipv4, ["4a", "4b"]), [attempt(1, "4a"), delay]),
            (.succeeded(1), [stopDelay, .closeAttempts([0]), .succeed(id: 1)])),
        Row(
            "nothing is left to come: no timer", isEnded: false, both,
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a"), delay]),
            (.resolutionFailed(.ipv4), [stopDelay])),
        Row(
            "success while a lookup is under way", both,
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a"), delay]),
            (.succeeded(0), [stopDelay, .succeed(id: 0)]),
            (.resolved(.ipv4, ["4a"]), [])),
    ]

    static let limits = [
        Row(
            "one after another", limit: 1, both,
            (.resolved(.ipv6, ["6a", "6b"]), [attempt(0, "6a")]),
            (.resolved(.ipv4, ["4a"]), []),
            (.failed(0), [attempt(1, "4a")]),
            (.failed(1), [attempt(2, "6b")]),
            (.failed(2), [.fail])),
        Row(
            "one after another still waits for AAAA", limit: 1, both,
            (.resolved(.ipv4, ["4a"]), [wait]),
            (.fired(.resolutionDelay), [attempt(0, "4a")]),
            (.resolved(.ipv6, ["6a"]), []),
            (.failed(0), [attempt(1, "6a")]),
            (.succeeded(1), [.succeed(id: 1)])),
        Row(
            "a limit below one counts as one", limit: 0, (.startWith(["a", "b"]), [attempt(0, "a")]),
            (.failed(0), [attempt(1, "b")]),
            (.succeeded(1), [.succeed(id: 1)])),
        Row(
            "two at once", limit: 2, (.startWith(["a", "b", "c", "d"]), [attempt(0, "a"), delay]),
            (.fired(.attemptDelay), [attempt(1, "b"), delay]),
            (.fired(.attemptDelay), []),
            (.failed(0), [attempt(2, "c"), delay]),
            (.failed(1), []),
            (.fired(.attemptDelay), [attempt(3, "d")]),
            (.succeeded(3), [.closeAttempts([2]), .succeed(id: 3)])),
    ]

    static let lateOrWrong = [
        Row(
            "cancel closes everything", both,
            (.resolved(.ipv6, ["6a", "6b"]), [attempt(0, "6a"), delay]),
            (.fired(.attemptDelay), [attempt(1, "6b"), delay]),
            (.cancel, [stopDelay, .closeAttempts([0, 1])]),
            (.cancel, []), (.failed(0), []), (.succeeded(1), [.closeAttempts([1])]), (.fired(.attemptDelay), []),
            (.resolved(.ipv4, ["4a"]), []), (.resolutionFailed(.ipv4), []), (.start([.ipv4]), []),
            (.startWith(["a"]), [])),
        Row(
            "cancel while waiting for AAAA", both,
            (.resolved(.ipv4, ["4a"]), [wait]),
            (.cancel, [stopWaiting]),
            (.fired(.resolutionDelay), []), (.resolved(.ipv6, ["6a"]), [])),
        Row("cancel during the lookups", both, (.cancel, []), (.resolved(.ipv6, ["6a"]), [])),
        Row("cancel before the start", (.cancel, []), (.start([.ipv4]), []), (.startWith(["a"]), [])),
        Row(
            "a second success is closed, the winner is not", (.startWith(["a", "b"]), [attempt(0, "a"), delay]),
            (.fired(.attemptDelay), [attempt(1, "b")]),
            (.succeeded(1), [.closeAttempts([0]), .succeed(id: 1)]),
            (.succeeded(0), [.closeAttempts([0])]), (.succeeded(1), []), (.failed(1), []), (.failed(0), []),
            (.cancel, [])),
        Row(
            "success after fail", (.startWith(["a"]), [attempt(0, "a")]),
            (.failed(0), [.fail]), (.succeeded(0), [.closeAttempts([0])]), (.failed(0), []), (.cancel, [])),
        Row(
            "numbers that were never given", isEnded: false, (.startWith(["a"]), [attempt(0, "a")]),
            (.succeeded(1), []), (.failed(1), []), (.succeeded(-1), []), (.failed(-1), [])),
        Row(
            "events before the start", isEnded: false,
            (.resolved(.ipv4, ["4a"]), []), (.resolutionFailed(.ipv6), []), (.fired(.attemptDelay), []),
            (.succeeded(0), []), (.failed(0), [])),
        Row(
            "an answer twice, and one not asked for", isEnded: false, (.start([.ipv6]), [.lookUp(.ipv6)]),
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a")]), (.resolved(.ipv6, ["6b"]), []),
            (.resolved(.ipv4, ["4a"]), []), (.start([.ipv4]), []), (.startWith(["a"]), [])),
        Row(
            "timers that do not run", isEnded: false, both,
            (.fired(.resolutionDelay), []), (.fired(.attemptDelay), []),
            (.resolved(.ipv6, ["6a"]), [attempt(0, "6a"), delay]), (.fired(.resolutionDelay), [])),
    ]

    @Test(arguments: lookups + attempts + limits + lateOrWrong)
    func answersEachEvent(_ row: Row) {
        var machine = Machine(maximumConcurrent: row.limit)
        for (index, step) in row.steps.enumerated() {
            #expect(step.0.apply(to: &machine) == step.1, "step \(index): \(step.0)")
        }
        #expect(machine.isEnded == row.isEnded)
    }

    @Test func delaysCanBeSet() {
        var machine = Machine(resolutionDelay: .milliseconds(1), attemptDelay: .milliseconds(2))
        _ = machine.start(lookingUp: [.ipv4, .ipv6])
        #expect(machine.resolved(.ipv4, ["4a", "4b"]) == [.setTimer(.resolutionDelay, after: .milliseconds(1))])
        #expect(
            machine.timerFired(.resolutionDelay)
                == [Self.attempt(0, "4a"), .setTimer(.attemptDelay, after: .milliseconds(2))])
    }

    /// Any events in any order: what must hold whatever happens.
    @Test(arguments: UInt64(0)..<300)
    func staysWithinItsRules(_ seed: UInt64) {
        var generator = SplitMix(seed)
        let limit = Int.random(in: 1...4, using: &generator)
        var machine = Machine(maximumConcurrent: limit)
        var tried: [String] = []
        var running = Set<Int>()
        var timers = Set<HappyEyeballsTimer>()
        var unresolved = Set(HappyEyeballsFamily.allCases)
        var terminals = 0

        func perform(_ actions: [Action]) {
            for (index, action) in actions.enumerated() {
                if terminals > 0, case .closeAttempts = action { continue }
                #expect(terminals == 0, "nothing but closing follows the end")
                switch action {
                case .lookUp: break
                case .startAttempt(let id, let address):
                    #expect(id == tried.count)
                    #expect(!tried.contains(address))
                    tried.append(address)
                    running.insert(id)
                    #expect(running.count <= limit)
                case .setTimer(let timer, _): #expect(timers.insert(timer).inserted)
                case .cancelTimer(let timer): #expect(timers.remove(timer) != nil)
                case .closeAttempts(let ids): running.subtract(ids)
                case .succeed, .fail:
                    terminals += 1
                    #expect(index == actions.count - 1 && running.isEmpty && timers.isEmpty)
                }
            }
        }

        perform(machine.start(lookingUp: [.ipv4, .ipv6]))
        for _ in 0..<60 {
            let id = Int.random(in: -1...8, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0:
                unresolved.remove(.ipv4)
                perform(machine.resolved(.ipv4, ["4a", "4b", "x"].shuffled(using: &generator)))
            case 1:
                unresolved.remove(.ipv6)
                perform(machine.resolved(.ipv6, ["6a", "6b", "x"].shuffled(using: &generator), leading: .ipv4))
            case 2:
                let family = Bool.random(using: &generator) ? HappyEyeballsFamily.ipv4 : .ipv6
                unresolved.remove(family)
                perform(machine.resolutionFailed(family))
            case 3, 4:
                guard let timer = timers.randomElement(using: &generator) else { continue }
                timers.remove(timer)
                perform(machine.timerFired(timer))
            case 5, 6:
                running.remove(id)
                perform(machine.attemptFailed(id))
            default:
                guard Int.random(in: 0..<6, using: &generator) == 0 else { continue }
                running.remove(id)
                perform(machine.attemptSucceeded(id))
            }
            // As long as it is not over, something is under way that will report: nobody waits for ever.
            #expect(terminals == (machine.isEnded ? 1 : 0))
            #expect(machine.isEnded || !unresolved.isEmpty || !running.isEmpty)
        }
        // What is still open comes to its end when lookups, timers and attempts end.
        for family in HappyEyeballsFamily.allCases { perform(machine.resolutionFailed(family)) }
        while let id = running.min() {
            running.remove(id)
            perform(machine.attemptFailed(id))
            for timer in timers {
                timers.remove(timer)
                perform(machine.timerFired(timer))
            }
        }
        #expect(machine.isEnded && terminals == 1)
    }
}
