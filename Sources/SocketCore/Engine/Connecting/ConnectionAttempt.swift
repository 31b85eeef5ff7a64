/// One connect(2) under way: waits for its outcome, and hands the descriptor on when it has succeeded.
final class ConnectionAttempt: LoopClient {
    /// The connected descriptor, still registered.
    struct Connected: Sendable {
        let number: Int32
        let token: PollToken
        let seen: PollEvents
    }

    let address: SocketAddress
    private let loop: EventLoop
    private let mayMeetItself: Bool
    private let started = Instant.now
    private let ended: @Sendable (Result<Connected, ConnectAttempt>) -> Void

    // On the loop only.
    nonisolated(unsafe) private var owned: OwnedDescriptor?
    private let descriptorNumber: Int32
    nonisolated(unsafe) private var token: PollToken?
    nonisolated(unsafe) private var isOver = false
    // Until the next try, where the backlog of a local server is full: no event tells when it is not (connect(2), EAGAIN).
    nonisolated(unsafe) private var pause = Duration.milliseconds(1)
    nonisolated(unsafe) private var timer: TimerHandle?
    private static let longestPause = Duration.milliseconds(64)

    /// Prepares an attempt over `descriptor`. `ended` is called once, on the loop, unless it is cancelled before.
    /// `mayMeetItself`: the program chose the local port, so it may be the port that is connected to.
    init(
        to address: SocketAddress, on loop: EventLoop, descriptor: consuming OwnedDescriptor, mayMeetItself: Bool,
        ended: @escaping @Sendable (Result<Connected, ConnectAttempt>) -> Void
    ) {
        self.address = address
        self.loop = loop
        self.mayMeetItself = mayMeetItself
        self.ended = ended
        descriptorNumber = descriptor.number
        owned = consume descriptor
    }

    /// Calls connect(2) and begins to wait.
    func start() {
        guard let number else { return }
        switch SocketCalls.connect(number, to: address) {
        // Interrupted is in progress too: the kernel goes on by itself (connect(2)).
        case .success, .failure(.inProgress), .failure(.interrupted): break
        case .failure(.wouldBlock) where address.family == .local:
            timer = loop.setTimer(.now.advanced(by: pause), for: self)
            pause = min(pause * 2, ConnectionAttempt.longestPause)
            return
        case .failure(let error): return fail(error)
        }
        switch loop.register(number, for: self) {
        case .success(let token): self.token = token
        case .failure(let error): fail(error)
        }
    }

    func deadlineReached(now: Instant) {
        timer = nil
        start()
    }

    func ready(_ events: PollEvents) {
        guard !isOver, let number, !events.isDisjoint(with: [.writable, .error, .hangUp]) else { return }
        switch OptionCalls.takeError(number) {
        case .failure(let error), .success(.some(let error)): fail(error)
        // To reach a port of ours at which nobody listens, the kernel may choose that very port: TCP connects it to
        // itself (RFC 9293 section 3.5, simultaneous open).
        case .success(nil) where !mayMeetItself && (try? SocketCalls.localAddress(number).get()) == address:
            fail(.connectionRefused)
        case .success(nil): succeed(events)
        }
    }

    /// How long it has been running.
    var age: Duration { Instant.now.duration(since: started) }

    /// Gives up: the descriptor is closed, nobody is told.
    func cancel() {
        isOver = true
        leave()
    }

    private var number: Int32? { isOver ? nil : descriptorNumber }

    private func succeed(_ events: PollEvents) {
        guard let token, let owned = owned.take() else { return }
        isOver = true
        self.token = nil
        ended(.success(Connected(number: owned.relinquish(), token: token, seen: events)))
    }

    private func fail(_ error: SystemError) {
        isOver = true
        leave()
        ended(.failure(ConnectAttempt(address: address, error: error, duration: age)))
    }

    private func leave() {
        if let token { loop.deregister(descriptorNumber, token) }
        token = nil
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        owned = nil
    }
}
