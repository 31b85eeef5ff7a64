// A connection that was used in the open, and becomes secure.
extension StreamDriver {
    /// A socket that will take over the connection of `plain`, and lives where that lives.
    package convenience init(over plain: StreamDriver) {
        self.init(group: plain.group, loop: plain.loop)
        var values = plain.settings
        values.delivery = .loop
        withState { $0.shared = StreamSettings.Shared(values) }
    }

    /// Takes over the connection of `plain`, after everything that is under way there, and makes it secure. As a connect
    /// otherwise: when this throws, the socket is closed. While `plain` still had the connection, it keeps it.
    package func connect(
        over plain: StreamDriver, timeout: Duration?, through cipher: any StreamCipher, isWatched: Bool
    ) async throws(Failure) {
        let ticket = withState { $0.nextTicket() }
        let failure = await Waiter.wait { waiter in
            beginUpgrading(plain, timeout, cipher, ticket, isWatched, waiter)
        } onCancel: { [self] in
            cancelConnecting(ticket)
        }
        if let failure { throw failure }
    }

    /// The completion form.
    package func connect(
        over plain: StreamDriver, timeout: Duration?, through cipher: any StreamCipher, isWatched: Bool,
        _ body: @escaping @Sendable (Result<Void, Failure>) -> Void
    ) {
        let waiter = Waiter.handler { [self] failure in complete { body(Result(failure)) } }
        beginUpgrading(plain, timeout, cipher, nil, isWatched, waiter)
    }

    private func beginUpgrading(
        _ plain: StreamDriver, _ timeout: Duration?, _ cipher: any StreamCipher, _ ticket: Ticket?, _ isWatched: Bool,
        _ waiter: Waiter
    ) {
        let deadline = Instant.after(timeout)
        do throws(Failure) {
            try withState { state throws(Failure) in
                try state.life.beginConnect()
                state.rare.connecting = waiter
                state.rare.connectTicket = ticket
            }
        } catch {
            return waiter.resume(error)
        }
        let watching = isWatched ? Watching.now : .whenUsed
        loop.execute { [self] in upgrade(plain, cipher, deadline, watching) }
    }

    private func upgrade(
        _ plain: StreamDriver, _ cipher: any StreamCipher, _ deadline: Instant, _ watching: Watching
    ) {
        guard withState({ $0.life.phase == .connecting && $0.life.request == nil }) else { return }
        let security = StreamSecurity(cipher)
        self.security = security
        let takeOver = TakeOver(of: plain, deadline) { [self] result in
            security.takeOver = nil
            switch result {
            case .success(let detached):
                fixedPeer = plain.peer
                cipher.feed(detached.unread)
                secure(
                    OwnedDescriptor(adopting: detached.number), nil, security, deadline, watching: watching
                ) { [self] number in observed?.tell(.adopted, number, peer: peer) }
            case .failure(let failure):
                withState { $0.life.close(.failed(failure)) }
                turn()
            }
        }
        security.takeOver = takeOver
        takeOver.start()
    }
}

/// Waits until another socket hands over its connection. Lives on the loop of both.
final class TakeOver: LoopClient {
    private let plain: StreamDriver
    private let deadline: Instant
    // On the loop only.
    nonisolated(unsafe) private var ended: (@Sendable (Result<StreamDriver.Detached, Failure>) -> Void)?
    nonisolated(unsafe) private var timer: TimerHandle?

    /// `ended` is called once, on the loop, unless it is cancelled before.
    init(
        of plain: StreamDriver, _ deadline: Instant,
        ended: @escaping @Sendable (Result<StreamDriver.Detached, Failure>) -> Void
    ) {
        self.plain = plain
        self.deadline = deadline
        self.ended = ended
    }

    func start() {
        if deadline != .never { timer = plain.loop.setTimer(deadline, for: self) }
        plain.handOver { [self] result in
            guard let ended = stop() else {
                // Nobody wants it any more, though it was on its way.
                if case .success(let detached) = result { _ = OwnedDescriptor(adopting: detached.number) }
                return
            }
            ended(result)
        }
    }

    func deadlineReached(now: Instant) {
        timer = nil
        let ended = stop()
        plain.withdrawHandOver()
        ended?(.failure(.timedOut()))
    }

    /// Gives up without telling anybody.
    func cancel() {
        if stop() != nil { plain.withdrawHandOver() }
    }

    private func stop() -> (@Sendable (Result<StreamDriver.Detached, Failure>) -> Void)? {
        if let timer { plain.loop.cancelTimer(timer) }
        timer = nil
        return ended.take()
    }
}
