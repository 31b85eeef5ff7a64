// From fresh to open.
extension StreamDriver {
    /// Connects. When it returns, listeners of "connect" have been told; when it throws, the socket is closed, unless
    /// the call did not fit (`.alreadyConnected`, `.closed`), which changes nothing.
    ///
    /// With a `cipher` the connection is made secure first, within the same time.
    package func connect(
        to target: ConnectTarget, timeout: Duration?, through cipher: (any StreamCipher)? = nil
    ) async throws(Failure) {
        let ticket = withState { $0.nextTicket() }
        let failure = await Waiter.wait { waiter in
            beginConnecting(to: target, timeout: timeout, cipher, ticket, waiter)
        } onCancel: { [self] in
            cancelConnecting(ticket)
        }
        if let failure { throw failure }
    }

    /// The completion form.
    package func connect(
        to target: ConnectTarget, timeout: Duration?, through cipher: (any StreamCipher)? = nil,
        _ body: @escaping @Sendable (Result<Void, Failure>) -> Void
    ) {
        let waiter = Waiter.handler { [self] failure in complete { body(Result(failure)) } }
        beginConnecting(to: target, timeout: timeout, cipher, nil, waiter)
    }

    private func beginConnecting(
        to target: ConnectTarget, timeout: Duration?, _ cipher: (any StreamCipher)?, _ ticket: Ticket?,
        _ waiter: Waiter
    ) {
        let began = Instant.now
        let deadline = Instant.after(timeout)
        let reachable: ConnectTarget
        do throws(Failure) {
            reachable = try withState { state throws(Failure) in
                try state.life.checkConnect()
                let reachable = try state.rareIfAny?.boundFamily.map { family throws(Failure) in
                    try target.limited(to: family)
                }
                try state.life.beginConnect()
                state.rare.connecting = waiter
                state.rare.connectTicket = ticket
                return reachable ?? target
            }
        } catch {
            return waiter.resume(error)
        }
        observed?.tell(.connecting(reachable))
        loop.execute { [self] in startConnector(to: reachable, cipher, began: began, deadline: deadline) }
    }

    /// Ends the connect that has this ticket, and no other: a second call, which was refused, may be cancelled too.
    func cancelConnecting(_ ticket: Ticket) {
        let mustTurn = withState { state in
            guard let rare = state.rareIfAny, rare.connecting != nil, rare.connectTicket == ticket else { return false }
            state.life.close(.failed(.cancelled()))
            return true
        }
        if mustTurn { requestTurn() }
    }

    private func startConnector(
        to target: ConnectTarget, _ cipher: (any StreamCipher)?, began: Instant, deadline: Instant
    ) {
        // Closed or cancelled before it began: the turn that was asked for ends it.
        let (isWanted, isBound) = withState { state in
            (state.life.phase == .connecting && state.life.request == nil, state.life.isBound)
        }
        guard isWanted else { return }
        let bound = isBound ? localAddress : nil
        let connector = Connector(
            to: target, on: loop, deadline: deadline, isBound: bound != nil, observed: observed
        ) { [self] family in
            makeDescriptor(family, bound: bound)
        } ended: { [self] outcome in
            connectingEnded(outcome, cipher, began: began, deadline: deadline)
        }
        withState { $0.rare.connector = connector }
        // What bind() made serves the first attempt. Another thread may be setting options on it just now; then the
        // attempt begins when that gives it back.
        let isInUse = withState { $0.descriptor.withhold() }
        if !isInUse { connector.start() }
    }

    func takeConnector() -> Connector? { withState { $0.rareIfAny?.connector.take() } }

    /// Gives back a number that was lent for an option or a question.
    func giveBack() {
        let isReturned = withState { state in
            _ = state.descriptor.giveBack()
            return state.descriptor.isReturned
        }
        guard isReturned else { return }
        loop.execute { [self] in
            if let connector = withState({ $0.rareIfAny?.connector }) { connector.start() } else { surrender() }
        }
    }

    /// A descriptor for one attempt. The one that bind() made serves the first; the next ones are bound to the same
    /// address, port included.
    private func makeDescriptor(
        _ family: SocketAddress.Family, bound: SocketAddress?
    ) -> Result<OwnedDescriptor, SetupError> {
        let options: KernelOptions = withState { $0.shared.values.kernel }
        if bound != nil {
            var taken: OwnedDescriptor?
            withState { taken = $0.descriptor.surrender() }
            if let taken = taken.take() { return .success(taken) }
        }
        return SocketCalls.open(family, local?.kind ?? .stream, options, bindTo: bound)
    }

    private func connectingEnded(
        _ outcome: Connector.Outcome, _ cipher: (any StreamCipher)?, began: Instant, deadline: Instant
    ) {
        _ = takeConnector()
        switch outcome {
        case .success(let (connected, peer)):
            if let cipher {
                fixedPeer = peer
                let descriptor = OwnedDescriptor(adopting: connected.number)
                secure(descriptor, connected.token, StreamSecurity(cipher), deadline, watching: .now) { [self] number in
                    observed?.tell(.connected(Instant.now.duration(since: began)), number, peer: peer)
                }
                return
            }
            if open(connected, peer: peer) {
                observed?.tell(.connected(Instant.now.duration(since: began)), connected.number, peer: peer)
                break
            }
            // Closed meanwhile.
            loop.deregister(connected.number, connected.token)
            _ = OwnedDescriptor(adopting: connected.number)
        case .failure(let failure):
            withState { $0.life.close(.failed(failure)) }
        }
        turn()
    }

    /// Takes over the descriptor and the registration of the attempt that won. False when the socket was closed
    /// meanwhile; then both are left to the caller.
    private func open(_ connected: ConnectionAttempt.Connected, peer: SocketAddress) -> Bool {
        fixedPeer = peer
        let isWanted = withState { state in
            guard state.life.open() else { return false }
            state.descriptor.adopt(OwnedDescriptor(adopting: connected.number))
            state.isWatched = true
            state.isRegistered = true
            // What connecting needed, and an open connection does not; but the framing was chosen for it.
            let rare = state.rareIfAny.take()
            if let framer = rare?.framer { state.rare.framer = framer }
            state.didOpen()
            state.read.ready(connected.seen)
            if let rare, rare.hasLateOptions,
                case .failure(let error) = state.shared.values.kernel.changeable.apply(to: connected.number)
            {
                state.outbox.emit(.error(Failure(error), peer))
            }
            state.outbox.emit(.connect)
            // Behind the event: whoever awaits connect() finds its listeners told.
            if let waiter = rare?.connecting { state.outbox.append(.call { waiter.resume() }) }
            return true
        }
        if isWanted { adoptRegistration(connected.token) }
        return isWanted
    }
}
