import Testing

@testable import SocketCore

@Suite struct ConnectorTests {
    /// How a connect ended; a connected descriptor is closed by whoever looks.
    private enum Outcome: Sendable {
        case connected(RawSocket, peer: SocketAddress)
        case failed(Failure)

        var failure: Failure? { if case .failed(let failure) = self { failure } else { nil } }
        var peer: SocketAddress? { if case .connected(_, let peer) = self { peer } else { nil } }

        func close() { if case .connected(let socket, _) = self { socket.close() } }
    }

    /// Who connects, on a loop.
    private struct Attempt: Sendable {
        let connector: Connector
        let outcome: Mailbox<Outcome>
        /// The descriptors that were made for it.
        let made: Journal<Int32>
    }

    private func connect(
        to target: ConnectTarget, on loop: EventLoop, timeout: Duration? = nil, isBound: Bool = false,
        refusing error: SystemError? = nil, from local: SocketAddress? = nil
    ) async throws -> Attempt {
        let outcome = Mailbox<Outcome>()
        let made = Journal<Int32>()
        let deadline = timeout.map { Instant.now.advanced(by: $0) } ?? .never
        let connector = Connector(to: target, on: loop, deadline: deadline, isBound: isBound) { family in
            if let error { return .failure(SetupError(error, .socket)) }
            switch SocketCalls.open(family, .stream, KernelOptions(), bindTo: local) {
            case .failure(let error): return .failure(error)
            case .success(let descriptor):
                made.note(descriptor.number)
                return .success(descriptor)
            }
        } ended: { result in
            switch result {
            case .success(let (connected, peer)):
                loop.deregister(connected.number, connected.token)
                outcome.put(.connected(RawSocket(OwnedDescriptor(adopting: connected.number)), peer: peer))
            case .failure(let failure): outcome.put(.failed(failure))
            }
        }
        try await onLoop(loop) { connector.start() }
        return Attempt(connector: connector, outcome: outcome, made: made)
    }

    /// A port at which nobody listens: held by a socket that is bound and does not listen.
    private func refusingSocket(_ family: SocketAddress.Family = .v4) throws -> RawSocket {
        let socket = try RawSocket.open(family)
        try SocketCalls.bind(socket.number, to: .loopback(family)).get()
        return socket
    }

    /// A listener that answers nobody any more: its queue is full.
    private func fullListener() throws -> (listener: RawSocket, fillers: [RawSocket]) {
        let listener = try RawSocket.listener(backlog: 0)
        let address = try listener.address
        var fillers: [RawSocket] = []
        // The kernel allows one or two more than it was asked for; then connects hang.
        for _ in 0..<8 {
            let filler = try RawSocket.open(.v4)
            _ = SocketCalls.connect(filler.number, to: address)
            fillers.append(filler)
        }
        return (listener, fillers)
    }

    // MARK: Outcomes

    @Test(arguments: SocketAddress.Family.internet)
    func address_whereSomebodyListens_isConnected(_ family: SocketAddress.Family) async throws {
        let listener = try RawSocket.listener(family)
        defer { listener.close() }
        let address = try listener.address
        try await withLoop { loop in
            let outcome = try await connect(to: .address(address), on: loop).outcome.take()
            #expect(outcome.peer == address)
            let accepted = try listener.accept()
            if case .connected(let socket, _) = outcome {
                try accepted.send([1, 2])
                #expect(try socket.receive() == [1, 2])
            }
            accepted.close()
            outcome.close()
        }
        try await eventually("descriptors") { OpenSockets.count(touching: [address.port]) == 1 }
    }

    @Test(arguments: SocketAddress.Family.internet)
    func address_whereNobodyListens_isRefused(_ family: SocketAddress.Family) async throws {
        let nobody = try refusingSocket(family)
        defer { nobody.close() }
        let address = try nobody.address
        try await withLoop { loop in
            let outcome = try await connect(to: .address(address), on: loop, timeout: .seconds(9)).outcome.take()
            guard case .connect(let attempts) = outcome.failure else {
                Issue.record("\(outcome)")
                return
            }
            #expect(attempts.map(\.address) == [address])
            #expect(attempts.map(\.error) == [.connectionRefused])
        }
        #expect(OpenSockets.count(touching: [address.port]) == 1)
    }

    @Test func descriptorThatCannotBeMade_isAFailedAttempt() async throws {
        try await withLoop { loop in
            let address = SocketAddress.loopback(.v4, port: 9)
            let outcome = try await connect(to: .address(address), on: loop, refusing: .tooManyOpenFiles).outcome.take()
            guard case .connect(let attempts) = outcome.failure else {
                Issue.record("\(outcome)")
                return
            }
            #expect(attempts.map(\.error) == [.tooManyOpenFiles])
        }
    }

    /// The kernel may choose the very port that is connected to; then the socket meets itself, unless the program
    /// wanted that.
    @Test(arguments: SocketAddress.Family.internet, [true, false])
    func ownPort_whereNobodyListens_isRefused_unlessBound(_ family: SocketAddress.Family, _ isBound: Bool) async throws
    {
        let nobody = try refusingSocket(family)
        let address = try nobody.address
        nobody.close()
        try await withLoop { loop in
            let attempt = try await connect(to: .address(address), on: loop, isBound: isBound, from: address)
            let outcome = try await attempt.outcome.take()
            if isBound {
                #expect(outcome.peer == address)
            } else if case .connect(let attempts) = outcome.failure {
                #expect(attempts.map(\.error) == [.connectionRefused])
            } else {
                Issue.record("\(outcome)")
            }
            outcome.close()
        }
        // One that met itself has this port at both ends.
        #expect(OpenSockets.count(between: [[address.port]]) == 0)
    }

    // MARK: Names

    /// What the machine decided before an attempt failed is done before what it decided then: no timer outlives the end.
    @Test func attemptsThatFailAtOnce_leaveNothingBehind() async throws {
        let addresses = (1...3).map { SocketAddress(v4: 0x7f00_0000 + $0) }
        try await withLoop { loop in
            let connector = WeakConnector()
            do {
                let target = ConnectTarget.name("three", port: 9, families: [.ipv4]) { _, _ in .success(addresses) }
                let attempt = try await connect(to: target, on: loop, refusing: .tooManyOpenFiles)
                connector.value = attempt.connector
                guard case .connect(let attempts) = try await attempt.outcome.take().failure else {
                    Issue.record("not a failed connect")
                    return
                }
                #expect(attempts.map(\.address.host) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
                #expect(attempts.allSatisfy { $0.error == .tooManyOpenFiles && $0.address.port == 9 })
            }
            try await onLoop(loop) {}
            // The resolver's thread may be about to let go of it.
            try await eventually("nobody holds the connector") { connector.value == nil }
        }
    }

    @Test func programsResolver_isAskedOncePerFamily_andOnlyItsFamilyCounts() async throws {
        let listener = try RawSocket.listener()
        defer { listener.close() }
        let port = try listener.address.port
        let asked = Journal<HappyEyeballsFamily>()
        try await withLoop { loop in
            let target = ConnectTarget.name("here", port: port, families: [.ipv4]) { name, family in
                #expect(name == "here")
                asked.note(HappyEyeballsFamily(family))
                return .success([.loopback(.v6), .loopback(.v4, port: 1)])
            }
            let outcome = try await connect(to: target, on: loop).outcome.take()
            #expect(outcome.peer == .loopback(.v4, port: port))
            #expect(asked.entries == [.ipv4])
            outcome.close()
        }
    }

    /// At most 64 addresses of a family are tried.
    @Test func programsResolver_withManyAddresses_isCut() async throws {
        try await withLoop { loop in
            let target = ConnectTarget.name("many", port: 9, families: [.ipv4]) { _, _ in
                .success((1...1000).map { SocketAddress(v4: 0x7f00_0000 + $0) })
            }
            let outcome = try await connect(to: target, on: loop, refusing: .tooManyOpenFiles).outcome.take()
            guard case .connect(let attempts) = outcome.failure else {
                Issue.record("\(outcome)")
                return
            }
            #expect(attempts.count == 64)
        }
    }

    @Test func localhost_isConnected() async throws {
        let listener = try RawSocket.listener()
        defer { listener.close() }
        let port = try listener.address.port
        try await withLoop { loop in
            let target = ConnectTarget.name("localhost", port: port, families: [.ipv4, .ipv6])
            let outcome = try await connect(to: target, on: loop).outcome.take()
            #expect(outcome.peer == .loopback(.v4, port: port))
            outcome.close()
        }
    }

    /// Every address of a name is tried, and the failure lists all of them.
    @Test(arguments: [true, false])
    func localhost_whereNobodyListens_isRefusedAtEachAddress(_ isBound: Bool) async throws {
        let nobody = try refusingSocket()
        defer { nobody.close() }
        let port = try nobody.address.port
        try await withLoop { loop in
            let target = ConnectTarget.name("localhost", port: port, families: [.ipv4, .ipv6])
            let attempt = try await connect(to: target, on: loop, isBound: isBound)
            guard case .connect(let attempts) = try await attempt.outcome.take().failure else {
                Issue.record("not a failed connect")
                return
            }
            #expect(attempts.contains { $0.address == .loopback(.v4, port: port) && $0.error == .connectionRefused })
            #expect(attempts.allSatisfy { $0.address.port == port })
            #expect(Set(attempts.map(\.address)).count == attempts.count)
        }
        try await eventually("descriptors") { OpenSockets.count(touching: [port]) == 1 }
    }

    @Test(arguments: [[HappyEyeballsFamily.ipv4], [.ipv6], [.ipv4, .ipv6]])
    func unknownName_isUnknown(_ families: [HappyEyeballsFamily]) async throws {
        try await withLoop { loop in
            let target = ConnectTarget.name("no-such-host.invalid", port: 9, families: Set(families))
            let attempt = try await connect(to: target, on: loop)
            switch try await attempt.outcome.take("the answer", limit: .seconds(60)).failure {
            case .unknownHost("no-such-host.invalid"): break
            // A machine without a resolver cannot say that the name does not exist.
            case .resolver(name: "no-such-host.invalid", _), .system(_, .resolve, _, _): break
            case let other: Issue.record("\(String(describing: other))")
            }
            #expect(attempt.made.entries.isEmpty)
        }
    }

    @Test func nameWithoutFamilies_fails() async throws {
        try await withLoop { loop in
            let outcome = try await connect(to: .name("localhost", port: 9, families: []), on: loop).outcome.take()
            #expect(outcome.failure == .unknownHost("localhost"))
        }
    }

    // MARK: Time and cancellation

    /// Also that it ends by itself soon, and not when the kernel gives up.
    @Test func listenerThatDoesNotAnswer_timesOut() async throws {
        let (listener, fillers) = try fullListener()
        defer { for socket in fillers + [listener] { socket.close() } }
        let address = try listener.address
        try await withLoop { loop in
            let started = Instant.now
            let attempt = try await connect(to: .address(address), on: loop, timeout: .milliseconds(60))
            guard case .connect(let attempts) = try await attempt.outcome.take().failure else {
                Issue.record("not timed out")
                return
            }
            #expect(Instant.now.duration(since: started) >= .milliseconds(60))
            #expect(attempts.map(\.error) == [.timedOut])
            #expect(attempts.map(\.address) == [address])
            // Not the whole time: on a busy machine the loop starts the attempt late.
            #expect(attempts.allSatisfy { $0.duration > .zero })
        }
        let others = 1 + fillers.count
        try await eventually("descriptors") { OpenSockets.count(touching: [address.port]) <= others }
    }

    @Test func timeoutOfZero_isNow() async throws {
        let (listener, fillers) = try fullListener()
        defer { for socket in fillers + [listener] { socket.close() } }
        let address = try listener.address
        try await withLoop { loop in
            let outcome = try await connect(to: .address(address), on: loop, timeout: .zero).outcome.take()
            guard case .connect(let attempts) = outcome.failure else {
                Issue.record("\(outcome)")
                return
            }
            #expect(attempts.map(\.error) == [.timedOut])
        }
    }

    @Test func cancel_closesTheAttempt_andTellsNobody() async throws {
        let (listener, fillers) = try fullListener()
        defer { for socket in fillers + [listener] { socket.close() } }
        let address = try listener.address
        try await withLoop { loop in
            let attempt = try await connect(to: .address(address), on: loop)
            let number = try #require(attempt.made.entries.first)
            let own = try SocketCalls.localAddress(number).get()
            try await onLoop(loop) { attempt.connector.cancel() }
            #expect((try? SocketCalls.localAddress(number).get()) != own, "still open")
            try await onLoop(loop) { attempt.connector.cancel() }
            #expect(attempt.outcome.contents.isEmpty)
        }
    }

    /// The look-up goes on by itself; nobody hears of it any more.
    @Test func cancel_duringTheLookUp_tellsNobody() async throws {
        try await withLoop { loop in
            let target = ConnectTarget.name("no-such-host.invalid", port: 9, families: [.ipv4, .ipv6])
            let attempt = try await connect(to: target, on: loop)
            try await onLoop(loop) { attempt.connector.cancel() }
            let answered = Mailbox<Void>()
            Resolver.shared.lookUp("127.0.0.1", .v4) { _ in answered.put(()) }
            try await answered.take("the resolver", limit: .seconds(60))
            try await onLoop(loop) {}
            #expect(attempt.made.entries.isEmpty)
        }
    }

    @Test func resolverThatNeverAnswers_isBoundedByTheTimeout_andKeepsNothing() async throws {
        let stuck = StuckResolver()
        defer { stuck.release() }
        try await withLoop { loop in
            weak var connector: Connector?
            do {
                let target = ConnectTarget.name("stuck", port: 9, families: [.ipv4, .ipv6], resolver: stuck.resolve)
                let attempt = try await connect(to: target, on: loop, timeout: .milliseconds(50))
                connector = attempt.connector
                #expect(try await attempt.outcome.take().failure == .lookUpTimedOut(name: "stuck", []))
            }
            try await onLoop(loop) {}
            #expect(connector == nil)
        }
        try await eventually("both tasks were cancelled") { stuck.cancelled.value == 2 }
    }

    /// One family fails, the other has no answer: the time-out says so, and what was tried.
    @Test func lookUpThatTimesOut_listsWhatWasTried() async throws {
        let nobody = try refusingSocket()
        defer { nobody.close() }
        let address = try nobody.address
        let stuck = StuckResolver()
        defer { stuck.release() }
        try await withLoop { loop in
            let target = ConnectTarget.name("half", port: address.port, families: [.ipv4, .ipv6]) { name, family in
                family == .v4 ? .success([.loopback(.v4)]) : await stuck.resolve(name, family)
            }
            let outcome = try await connect(to: target, on: loop, timeout: .milliseconds(200)).outcome.take()
            guard case .lookUpTimedOut("half", let attempts) = outcome.failure else {
                Issue.record("\(outcome)")
                return
            }
            #expect(attempts.map(\.address) == [address])
            #expect(attempts.map(\.error) == [.connectionRefused])
        }
    }

    @Test func cancel_withAStuckResolver_letsGoAtOnce() async throws {
        let stuck = StuckResolver()
        defer { stuck.release() }
        try await withLoop { loop in
            weak var connector: Connector?
            do {
                let target = ConnectTarget.name("stuck", port: 9, families: [.ipv4], resolver: stuck.resolve)
                let attempt = try await connect(to: target, on: loop)
                connector = attempt.connector
                try await eventually("asked") { stuck.asked.value == 1 }
                try await onLoop(loop) { attempt.connector.cancel() }
                #expect(attempt.outcome.contents.isEmpty)
            }
            try await onLoop(loop) {}
            #expect(connector == nil)
        }
    }

    /// Attempts that end at once, inside of the call that starts them: the machine's other actions do not outlive it.
    @Test func connector_isLetGo_afterItsEnd() async throws {
        let listener = try RawSocket.listener()
        defer { listener.close() }
        let address = try listener.address
        try await withLoop { loop in
            weak var connector: Connector?
            do {
                let attempt = try await connect(to: .address(address), on: loop, timeout: .seconds(3_600))
                connector = attempt.connector
                try await attempt.outcome.take().close()
            }
            try await onLoop(loop) {}
            #expect(connector == nil)
        }
    }

    // MARK: The whole way

    @Test func driver_thatIsCancelled_closesItsAttempt() async throws {
        let (listener, fillers) = try fullListener()
        defer { for socket in fillers + [listener] { socket.close() } }
        let address = try listener.address
        let group = EventLoopGroup(count: 1)
        let driver = StreamDriver(group: group)
        let task = Task {
            do throws(Failure) {
                try await driver.connect(to: .address(address), timeout: nil)
                return Failure?.none
            } catch {
                return error
            }
        }
        try await eventually("connecting") { driver.withState { $0.life.phase } == .connecting }
        task.cancel()
        #expect(try await bounded { await task.value } == .cancelled())
        let others = 1 + fillers.count
        try await eventually("descriptors") { OpenSockets.count(touching: [address.port]) <= others }
        #expect(driver.snapshot.isClosed)
    }
}

/// A resolver that neither answers nor heeds cancellation before it is released.
private final class StuckResolver: Sendable {
    private struct State {
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isReleased = false
    }

    private let state = Lock(State())
    let asked = Counter()
    let cancelled = Counter()

    @Sendable func resolve(
        _ name: String, _ family: SocketAddress.Family
    ) async -> Result<[SocketAddress], NameCalls.Failure> {
        asked.add()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReleased = state.withLock { state in
                    if !state.isReleased { state.waiting.append(continuation) }
                    return state.isReleased
                }
                if isReleased { continuation.resume() }
            }
        } onCancel: {
            cancelled.add()
        }
        return .success([.loopback(family)])
    }

    func release() {
        let waiting = state.withLock { state in
            state.isReleased = true
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Looked at from a closure that may run anywhere.
private final class WeakConnector: @unchecked Sendable {
    // Set before anybody else looks.
    weak var value: Connector?
}
