/// Connects to a target: looks names up, runs the attempts that `HappyEyeballsMachine` asks for, keeps the winner.
/// Lives on its loop.
final class Connector: LoopClient {
    typealias Outcome = Result<(connected: ConnectionAttempt.Connected, peer: SocketAddress), Failure>

    private let loop: EventLoop
    private let target: ConnectTarget
    private let deadline: Instant
    private let isBound: Bool
    private let observed: Observed?
    private let makeDescriptor: @Sendable (SocketAddress.Family) -> Result<OwnedDescriptor, SetupError>
    private let ended: @Sendable (Outcome) -> Void

    // On the loop only.
    nonisolated(unsafe) private var machine: HappyEyeballsMachine<SocketAddress>
    nonisolated(unsafe) private var actions = Ring<HappyEyeballsMachine<SocketAddress>.Action>()
    nonisolated(unsafe) private var lookUps: [LookUp] = []
    nonisolated(unsafe) private var attempts: [Int: ConnectionAttempt] = [:]
    nonisolated(unsafe) private var answers: [Resolver.Answer] = []
    nonisolated(unsafe) private var failures: [ConnectAttempt] = []
    nonisolated(unsafe) private var nameFailure: NameCalls.Failure?
    nonisolated(unsafe) private var winner: (ConnectionAttempt.Connected, SocketAddress)?
    nonisolated(unsafe) private var timers: [HappyEyeballsTimer: Timer] = [:]
    nonisolated(unsafe) private var alarm: Timer?

    /// Prepares a connect. `makeDescriptor` opens, prepares and, where asked for, binds a descriptor for an attempt.
    /// `isBound`: the attempts share a local address, so they cannot run side by side. `observed` is told of those that
    /// fail.
    init(
        to target: ConnectTarget, on loop: EventLoop, deadline: Instant, isBound: Bool, observed: Observed? = nil,
        makeDescriptor: @escaping @Sendable (SocketAddress.Family) -> Result<OwnedDescriptor, SetupError>,
        ended: @escaping @Sendable (Outcome) -> Void
    ) {
        self.target = target
        self.loop = loop
        self.deadline = deadline
        self.isBound = isBound
        self.observed = observed
        self.makeDescriptor = makeDescriptor
        self.ended = ended
        machine = HappyEyeballsMachine(maximumConcurrent: isBound ? 1 : .max)
    }

    /// Begins. On the loop.
    func start() {
        if deadline != .never {
            let timer = Timer { [self] in timedOut() }
            timer.handle = loop.setTimer(deadline, for: timer)
            alarm = timer
        }
        switch target {
        case .address(let address): perform(machine.start(with: [address]))
        case .name(_, _, let families, _): perform(machine.start(lookingUp: families))
        }
    }

    /// Gives up without telling anybody. On the loop.
    func cancel() {
        perform(machine.cancel())
        stopWaiting()
    }

    private func timedOut() {
        guard !machine.isEnded else { return }
        // Those that were still running when time ran out are part of the story.
        let running = attempts.sorted { $0.key < $1.key }.map(\.value)
        for attempt in running {
            note(ConnectAttempt(address: attempt.address, error: .timedOut, duration: attempt.age))
        }
        cancel()
        if running.isEmpty, case .name(let name, _, _, _) = target {
            ended(.failure(.lookUpTimedOut(name: name, failures)))
        } else {
            ended(.failure(failures.isEmpty ? .timedOut() : .connect(failures)))
        }
    }

    // MARK: Actions of the machine

    private func perform(_ more: [HappyEyeballsMachine<SocketAddress>.Action]) {
        // An attempt may fail inside of the call that starts it: what follows from that comes after what was decided
        // before.
        for action in more { actions.append(action) }
        while let action = actions.popFirst() { perform(action) }
    }

    private func perform(_ action: HappyEyeballsMachine<SocketAddress>.Action) {
        switch action {
        case .lookUp(let family): lookUp(family)
        case .startAttempt(let id, let address): startAttempt(id, address)
        case .setTimer(let timer, let delay): setTimer(timer, delay)
        case .cancelTimer(let timer): timers.removeValue(forKey: timer)?.cancel(on: loop)
        case .closeAttempts(let ids): for id in ids { attempts.removeValue(forKey: id)?.cancel() }
        case .succeed: succeed()
        case .fail: fail()
        }
    }

    private func lookUp(_ family: HappyEyeballsFamily) {
        guard case .name(let name, let port, _, let resolver) = target else { return }
        let completion: LookUp.Completion = { [self] result in
            loop.execute { [self] in resolved(family, result, port: port) }
        }
        lookUps.append(
            resolver.map { LookUp(name, family.family, asking: $0, completion) }
                ?? Resolver.shared.lookUp(name, family.family, completion))
    }

    private func resolved(
        _ family: HappyEyeballsFamily, _ result: Result<[Resolver.Answer], NameCalls.Failure>, port: UInt16
    ) {
        switch result {
        case .failure(let failure):
            // "No such name" of one family says less than any other failure of the other.
            if nameFailure == nil || nameFailure == .unknownName { nameFailure = failure }
            perform(machine.resolutionFailed(family))
        case .success(let found):
            answers = AddressOrdering.sorted(answers + found)
            let leading = answers.first?.address.family.map(HappyEyeballsFamily.init) ?? .ipv6
            let addresses = answers.lazy.map(\.address).filter { $0.family == family.family }.map { address in
                var address = address
                address.port = port
                return address
            }
            perform(machine.resolved(family, Array(addresses), leading: leading))
        }
    }

    private func startAttempt(_ id: Int, _ address: SocketAddress) {
        switch makeDescriptor(address.family ?? .v4) {
        case .failure(let error):
            attemptEnded(id, address, .failure(ConnectAttempt(address: address, error)))
        case .success(let descriptor):
            let attempt = ConnectionAttempt(
                to: address, on: loop, descriptor: descriptor, mayMeetItself: isBound
            ) { [self] result in
                attemptEnded(id, address, result)
            }
            attempts[id] = attempt
            attempt.start()
        }
    }

    private func attemptEnded(
        _ id: Int, _ address: SocketAddress, _ result: Result<ConnectionAttempt.Connected, ConnectAttempt>
    ) {
        attempts.removeValue(forKey: id)
        switch result {
        case .success(let connected):
            winner = (connected, address)
            perform(machine.attemptSucceeded(id))
        case .failure(let failure):
            note(failure)
            perform(machine.attemptFailed(id))
        }
    }

    private func note(_ failure: ConnectAttempt) {
        failures.append(failure)
        observed?.tell(.attemptFailed(failure), peer: failure.address)
    }

    private func succeed() {
        stopWaiting()
        guard let (connected, peer) = winner.take() else { return }
        ended(.success((connected, peer)))
    }

    private func fail() {
        stopWaiting()
        if !failures.isEmpty { return ended(.failure(.connect(failures))) }
        guard case .name(let name, _, _, _) = target else { return ended(.failure(.notConnected)) }
        ended(.failure(Failure(nameFailure ?? .unknownName, name)))
    }

    // MARK: Look-ups and timers

    /// Nothing is to come any more: no answer, no deadline.
    private func stopWaiting() {
        for lookUp in lookUps { lookUp.cancel() }
        lookUps = []
        for timer in timers.values { timer.cancel(on: loop) }
        timers = [:]
        alarm?.cancel(on: loop)
        alarm = nil
    }

    /// A deadline with a body of its own.
    private final class Timer: LoopClient {
        let body: @Sendable () -> Void
        nonisolated(unsafe) var handle: TimerHandle?

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }

        func deadlineReached(now: Instant) { body() }

        func cancel(on loop: EventLoop) { if let handle { loop.cancelTimer(handle) } }
    }

    private func setTimer(_ timer: HappyEyeballsTimer, _ delay: Duration) {
        let client = Timer { [self] in
            timers.removeValue(forKey: timer)
            perform(machine.timerFired(timer))
        }
        client.handle = loop.setTimer(.now.advanced(by: delay), for: client)
        timers.updateValue(client, forKey: timer)?.cancel(on: loop)
    }
}
