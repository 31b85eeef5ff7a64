/// Makes a connection secure before anybody else gets to use it: drives the handshake of its cipher. Lives on its loop.
final class Handshake: LoopClient {
    /// What came of it: the connection is given back, with what its registration has seen meanwhile.
    typealias Outcome = Result<PollEvents, Failure>

    private enum Stage {
        case shaking, asking
        /// It has failed; the peer is given the time to read why.
        case parting
        case over
    }

    /// How long, and for how many bytes, a peer whose handshake has failed is listened to: to close a socket that has
    /// unread input would make the kernel send a reset, and destroy the alert that tells the peer why.
    private static let partingTime = Duration.seconds(1)
    private static let partingLimit = 256 * 1024

    private let cipher: any StreamCipher
    private let loop: EventLoop
    private let number: Int32
    private let ended: @Sendable (Outcome) -> Void

    // On the loop only.
    nonisolated(unsafe) private(set) var token: PollToken?
    nonisolated(unsafe) private var owned: OwnedDescriptor?
    nonisolated(unsafe) private var stage = Stage.shaking
    nonisolated(unsafe) private var seen: PollEvents = []
    nonisolated(unsafe) private var timer: TimerHandle?
    nonisolated(unsafe) private var takeBack: (@Sendable () -> Void)?
    nonisolated(unsafe) private var discarded = 0

    /// Prepares the handshake over a connection. `token`: its registration, if it has one. `ended` is called once, on the
    /// loop, unless it is cancelled before.
    init(
        _ cipher: any StreamCipher, over descriptor: consuming OwnedDescriptor, _ token: PollToken?,
        on loop: EventLoop, ended: @escaping @Sendable (Outcome) -> Void
    ) {
        self.cipher = cipher
        self.loop = loop
        self.token = token
        self.ended = ended
        number = descriptor.number
        owned = consume descriptor
    }

    /// Begins. On the loop.
    func start(_ deadline: Instant) {
        if deadline != .never { timer = loop.setTimer(deadline, for: self) }
        if let token {
            loop.transfer(token, to: self)
        } else {
            switch loop.register(number, for: self) {
            case .success(let token): self.token = token
            case .failure(let error): return end(with: .system(error, .epoll), isHeard: false)
            }
        }
        step()
    }

    func ready(_ events: PollEvents) {
        seen.formUnion(events)
        switch stage {
        case .shaking: step()
        case .parting: discard()
        case .asking, .over: break
        }
    }

    func deadlineReached(now: Instant) {
        timer = nil
        switch stage {
        case .shaking, .asking:
            end(with: .cipher(CipherFailure(.timeout, "timed out during the handshake")), isHeard: false)
        case .parting: leave()
        case .over: break
        }
    }

    /// Gives up without telling anybody.
    func cancel() {
        guard stage == .shaking || stage == .asking else { return }
        leave()
    }

    /// Gives the connection to the caller, and its registration, `token`, too. Once, after success.
    func surrender() -> OwnedDescriptor? { owned.take() }

    private func step() {
        switch cipher.handshake(number) {
        case .done: succeed()
        case .wait(let direction): rearm(direction)
        case .ask(let ask):
            stage = .asking
            takeBack = ask { [self] failure in loop.execute { [self] in answered(failure) } }
        case .failed(let failure): end(with: failure, isHeard: true)
        }
    }

    private func answered(_ failure: Failure?) {
        guard stage == .asking else { return }
        takeBack = nil
        guard let failure else { return succeed() }
        _ = cipher.finishOutput(number)
        end(with: failure, isHeard: true)
    }

    private func succeed() {
        stage = .over
        stopTimer()
        ended(.success(seen))
    }

    /// `isHeard`: the peer may still be there to be told.
    private func end(with failure: Failure, isHeard: Bool) {
        if isHeard, token != nil {
            part()
        } else {
            leave()
        }
        ended(.failure(failure))
    }

    // MARK: After a failure

    private func part() {
        stage = .parting
        takeBack?()
        takeBack = nil
        stopTimer()
        timer = loop.setTimer(.now.advanced(by: Handshake.partingTime), for: self)
        _ = SocketCalls.finishOutput(number)
        discard()
    }

    private func discard() {
        while discarded < Handshake.partingLimit {
            switch StreamCalls.receive(number, into: Scratch.buffer) {
            case .success(let count) where count > 0: discarded += count
            case .failure(.wouldBlock): return rearm(.read)
            case .success, .failure: return leave()
            }
        }
        leave()
    }

    private func leave() {
        stage = .over
        takeBack?()
        takeBack = nil
        stopTimer()
        if let token { loop.deregister(number, token) }
        token = nil
        owned = nil
    }

    private func stopTimer() {
        if let timer { loop.cancelTimer(timer) }
        timer = nil
    }

    private func rearm(_ direction: Direction) {
        if loop.isLevelTriggered, let token { loop.rearm(token, direction) }
    }
}
