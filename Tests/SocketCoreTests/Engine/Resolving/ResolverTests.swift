import SocketCore
import Testing

@Suite struct ResolverTests {
    typealias Answer = Result<[Resolver.Answer], NameCalls.Failure>

    private func lookUp(_ name: String, _ family: SocketAddress.Family) async throws -> Answer {
        let mailbox = Mailbox<Answer>()
        Resolver.shared.lookUp(name, family) { mailbox.put($0) }
        // A real resolver may be asked, whose own time-outs are several seconds.
        return try await mailbox.take("the answer for \(name)", limit: .seconds(60))
    }

    @Test(arguments: [("127.0.0.1", SocketAddress.Family.v4), ("::1", .v6), ("192.0.2.9", .v4), ("2001:db8::9", .v6)])
    func numericName_isItself(_ name: String, _ family: SocketAddress.Family) async throws {
        let answers = try await lookUp(name, family).get()
        #expect(answers.map(\.address) == [try SocketAddress(parsing: name)])
    }

    @Test func localhost_isLoopback() async throws {
        let answers = try await lookUp("localhost", .v4).get()
        #expect(!answers.isEmpty)
        #expect(answers.allSatisfy { $0.address.isLoopback && $0.address.port == 0 })
        #expect(answers.first?.source?.isLoopback == true)
    }

    @Test(arguments: ["192.0.2.9", "2001:db8::9"])
    func numericName_ofTheOtherFamily_isUnknown(_ name: String) async throws {
        let answer = try await lookUp(name, name.contains(":") ? .v4 : .v6)
        #expect(answer.failure == .unknownName)
    }

    /// Names that end in ".invalid" never exist (RFC 6761). A machine without a resolver cannot say so, only fail.
    @Test func unknownName_fails() async throws {
        #expect(try await lookUp("no-such-host.invalid", .v4).failure != nil)
    }

    @Test(arguments: ["", " ", "a b", String(repeating: "x", count: 300), "..", "a..b", "127.0.0.1\0.example"])
    func impossibleName_fails(_ name: String) async throws {
        #expect(try await lookUp(name, .v4).failure != nil)
    }

    /// More at once than there are threads: all are answered, and never more than four are under way.
    @Test func manyLookUps_shareFourThreads() async throws {
        let mailbox = Mailbox<Answer>()
        let running = Counter()
        let most = Lock(0)
        let count = 200
        for number in 0..<count {
            Resolver.shared.lookUp("127.0.0.\(number + 1)", .v4) { answer in
                // The thread is busy with this one as long as it is here.
                let now = running.add()
                most.withLock { $0 = max($0, now) }
                for _ in 0..<200 { _ = Instant.now }
                running.add(-1)
                mailbox.put(answer)
            }
        }
        let answers = try await mailbox.take(count)
        #expect(answers.compactMap { try? $0.get().first?.address.host }.count == count)
        #expect((1...4).contains(most.withLock { $0 }))
    }

    /// Idle threads end: an idle process does nothing.
    @Test func threads_endWhenThereIsNothingToDo() async throws {
        _ = try await lookUp("127.0.0.1", .v4)
        try await eventually("the resolver's threads have ended") { ProcessThreads.named("socket-resolver").isEmpty }
        _ = try await lookUp("127.0.0.1", .v4)
    }

    @Test func signals_areBlockedOnItsThreads() async throws {
        guard ProcessThreads.isKnown else { return }
        let mailbox = Mailbox<[UInt64?]>()
        Resolver.shared.lookUp("127.0.0.1", .v4) { _ in
            // A listing of /proc may miss a thread while others end: this one is there, so one look will show it.
            let looks = (0..<100).lazy.map { _ in ProcessThreads.named("socket-resolver").map(\.blockedSignals) }
            mailbox.put(looks.first { !$0.isEmpty } ?? [])
        }
        let blocked = try await mailbox.take()
        #expect(!blocked.isEmpty)
        let wanted = ProcessThreads.blockableSignals
        for signals in blocked { #expect((signals ?? wanted) & wanted == wanted) }
    }

    // MARK: Giving up

    /// A resolver of which every thread is busy until the gates open.
    private struct Busy {
        let resolver: Resolver
        let gates = (0..<4).map { _ in Handover<Void>() }
        let begun = Journal<String>()

        init() async throws {
            let (gates, begun) = (gates, begun)
            resolver = Resolver { name, _ in
                begun.note(name)
                if let number = Int(name) { gates[number].wait() }
                return .success([.loopback(.v4)])
            }
            for number in 0..<4 { resolver.lookUp("\(number)", .v4) { _ in } }
            try await eventually("all threads are busy") { begun.entries.count == 4 }
        }

        func open() { for gate in gates { gate.give(()) } }
    }

    /// A thousand names that nobody wants any more do not keep the threads from the next one.
    @Test func cancelledLookUps_thatHaveNotBegun_neverDo() async throws {
        let busy = try await Busy()
        let told = Counter()
        let given = (0..<1000).map { _ in busy.resolver.lookUp("given up", .v4) { _ in told.add() } }
        let answer = Mailbox<Answer>()
        busy.resolver.lookUp("wanted", .v4) { answer.put($0) }
        for lookUp in given { lookUp.cancel() }
        busy.open()
        #expect(try await answer.take().get().count == 1)
        #expect(!busy.begun.entries.contains("given up"))
        #expect(told.value == 0)
    }

    @Test func cancelledLookUp_letsGoOfWhoeverAsked_atOnce() async throws {
        final class Asker: Sendable {}
        let busy = try await Busy()
        defer { busy.open() }
        weak var asker: Asker?
        do {
            let strong = Asker()
            asker = strong
            let lookUp = busy.resolver.lookUp("1", .v4) { _ in _ = strong }
            lookUp.cancel()
        }
        #expect(asker == nil)
    }

    @Test func task_thatIsCancelled_endsAtOnce() async throws {
        let busy = try await Busy()
        defer { busy.open() }
        let task = Task {
            do throws(Failure) {
                _ = try await busy.resolver.addresses(of: "later", .v4)
                return Failure?.none
            } catch {
                return error
            }
        }
        task.cancel()
        #expect(try await bounded { await task.value } == .cancelled())
    }

    @Test func task_getsAnswersAndFailures() async throws {
        let resolver = Resolver { name, _ in
            switch name {
            case "known": .success([.loopback(.v4)])
            case "unknown": .failure(.unknownName)
            case "broken": .failure(.resolver("broken"))
            default: .failure(.system(.tooManyOpenFiles))
            }
        }
        #expect(try await resolver.addresses(of: "known", .v4).map(\.address) == [.loopback(.v4)])
        for (name, failure) in [
            ("unknown", Failure.unknownHost("unknown")), ("broken", .resolver(name: "broken", message: "broken")),
            ("other", .system(.tooManyOpenFiles, .resolve)),
        ] {
            await #expect(throws: failure) { _ = try await resolver.addresses(of: name, .v4) }
        }
    }

    /// Look-ups block their own threads, never the loop that asked.
    @Test func loop_goesOn_whileNamesAreLookedUp() async throws {
        try await withLoop { loop in
            let mailbox = Mailbox<Bool>()
            try await onLoop(loop) {
                for _ in 0..<8 {
                    Resolver.shared.lookUp("no-such-host.invalid", .v4) { _ in mailbox.put(loop.isCurrent) }
                }
            }
            for _ in 0..<10 { try await onLoop(loop) {} }
            for _ in 0..<8 { #expect(try await mailbox.take("an answer", limit: .seconds(60)) == false) }
        }
    }
}

extension Result {
    fileprivate var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}
