internal import HarmonySocket
internal import SocketCore

// From bytes to messages, on the loop. One message at most is read before somebody wants it; behind that the kernel's
// window is the buffer, and slows the peer down.
extension WebSocketDriver {
    /// Starts to use a connection whose handshake is done.
    func attach(_ link: Link) {
        self.link = link
        // Connections share their settings as long as none is set otherwise.
        if link.driver.settings.closeTimeout != link.closeTimeout {
            link.driver.changeSettings { $0.closeTimeout = link.closeTimeout }
        }
        withState { state in
            state.stream = link.driver
            state.isStalled = false
        }
        _ = link.driver.on(.close) { [self] event in
            guard case .close(let failure) = event else { return }
            service { streamClosed(failure, link) }
        }
        _ = link.driver.on(.drain) { [self] _ in
            service {
                if let pong = link.latePong.take() { sendControl(.pong, pong, link) }
                emit(.drain)
            }
        }
        _ = link.driver.on(.bytes) { [self] event in
            guard case .bytes(let borrowed) = event else { return }
            service { received(borrowed.bytes, link) }
        }
        if link.driver.snapshot.isClosed {
            // It has told its end already, between the last byte of the handshake and now. Told behind what opens us.
            loop.execute { [self] in service { streamClosed(link.driver.lastError, link) } }
        }
        requestTurn()
    }

    private func received(_ bytes: UnsafeRawBufferPointer, _ link: Link) {
        guard self.link === link else { return }
        link.heartbeat?.heard(.now)
        var start = 0
        guard !consume(bytes, from: &start, link) else { return }
        link.pending = [UInt8](bytes[start...])
        link.pendingStart = 0
        link.driver.isPaused = true
    }

    /// Reads on where reading has stopped.
    func readOn() {
        guard let link else { return }
        let pending = link.pending
        var start = link.pendingStart
        let isUsedUp = pending.withUnsafeBytes { consume($0, from: &start, link) }
        link.pendingStart = start
        guard isUsedUp else { return }
        link.pending = []
        link.pendingStart = 0
        if link.hasStreamEnded { streamClosed(nil, link) } else { link.driver.isPaused = false }
    }

    /// Takes the messages out of `bytes`; false when it has stopped because nobody wants more.
    private func consume(_ bytes: UnsafeRawBufferPointer, from start: inout Int, _ link: Link) -> Bool {
        while start < bytes.count {
            if link.closing.ignoresInput {
                start = bytes.count
                return true
            }
            let ended = takeEndedTelling()
            if !withState({ $0.mayRead(endsTelling: ended) }) { return false }
            let incoming: MessageReader.Incoming?
            do throws(Violation) {
                incoming = try link.reader.next(in: bytes, from: &start)
            } catch {
                perform(link.closing.fail(WebSocketError(.violation(error)), error.code, error.problem), link)
                continue
            }
            guard let incoming else { return true }
            take(incoming, link)
        }
        return true
    }

    private func take(_ incoming: MessageReader.Incoming, _ link: Link) {
        switch incoming {
        case .message(let data): take(data)
        case .ping(let payload):
            answer(payload, link)
            emit(.ping(payload))
        case .pong(let payload): emit(.pong(payload))
        case .close(let code, let reason):
            perform(link.closing.receive(ClosingMachine.Frame(code: code, reason: reason)), link)
        }
    }

    private func take(_ data: WebSocketData) {
        switch withState({ $0.take(data) }) {
        case .tell(let listeners):
            listeners.tell(.message(data))
            endedTelling = .message
        case .wake(let waiter): waiter.resume()
        case .wait: break
        }
    }

    /// A peer that asks and does not read the answers gets only the last (RFC 6455, section 5.5.3).
    private func answer(_ payload: [UInt8], _ link: Link) {
        guard link.closing.isOpen else { return }
        if link.driver.needsDrain { link.latePong = payload } else { sendControl(.pong, payload, link) }
    }

    private func streamClosed(_ failure: Failure?, _ link: Link) {
        guard self.link === link else { return }
        let isWanted = withState { $0.readyState == .open }
        if failure == nil, isWanted, link.pendingStart < link.pending.count, !link.closing.ignoresInput {
            // What came before the end comes first.
            link.hasStreamEnded = true
            return
        }
        finish(link, failure.map { SocketError($0, .receive, link.driver.peer.description) })
    }

    // MARK: Pulling

    /// How far a receive came without waiting.
    enum ReceiveOutcome: Sendable {
        case data(WebSocketData)
        case ended
        case failed(WebSocketError)
        case wait
    }

    /// Takes the next message, if it is there. `isNext`: the caller has waited, and was told that it is.
    func tryReceive(isNext: Bool) -> ReceiveOutcome {
        let (outcome, mustTurn): (ReceiveOutcome, Bool) = withState { state in
            if !isNext {
                if state.isInboxPromised || !state.readers.isEmpty { return (.wait, false) }
                if state.hasMessageListener, !state.hasEnded {
                    return (.failed(WebSocketError(.invalidState("messages go to the message listeners"))), false)
                }
            }
            if let data = state.inbox.take() {
                state.isInboxPromised = false
                return (.data(data), state.isStalled)
            }
            if state.isClosedByUs { return (.ended, false) }
            if state.hasEnded {
                if let error = state.closeInfo?.error { return (.failed(error), false) }
                return (.ended, false)
            }
            if state.readyState == .invalid { return (.failed(WebSocketError(.notConnected)), false) }
            if state.isServingCancelled, servingTask.isCurrent {
                return (.failed(WebSocketError(.socket(SocketError(.cancelled(), .receive)))), false)
            }
            return (.wait, false)
        }
        if mustTurn { requestTurn() }
        return outcome
    }

    /// Puts a reader in the queue; false when there is something to take instead.
    private func enqueue(_ waiter: Waiter, _ ticket: Ticket?, _ deadline: Instant, isServing: Bool = false) -> Bool {
        let (isQueued, mustTurn) = withState { state in
            if state.hasEnded || state.isClosedByUs || isServing && state.isServingCancelled
                || state.inbox != nil && !state.isInboxPromised && state.readers.isEmpty
            {
                return (false, false)
            }
            state.readers.append(
                WebSocketState.Reader(
                    ticket: ticket ?? state.nextTicket(), waiter: waiter, deadline: deadline, isServing: isServing))
            return (true, deadline != .never || state.isStalled)
        }
        if mustTurn { requestTurn() }
        return isQueued
    }

    /// Puts the serving task in the queue. It is resumed when there is something to take, or nothing more to wait for.
    func enqueueServing(_ continuation: UnsafeContinuation<Failure?, Never>, _ deadline: Instant) {
        let waiter = Waiter.task(continuation)
        if !enqueue(waiter, nil, deadline, isServing: true) { waiter.resume() }
    }

    /// The same for any other task, which is suspended meanwhile.
    func waitToReceive(_ deadline: Instant) async -> Failure? {
        let ticket = withState { $0.nextTicket() }
        return await Waiter.wait { waiter in
            if !enqueue(waiter, ticket, deadline) { waiter.resume() }
        } onCancel: { [self] in
            for waiter in withState({ $0.takeReaders { $0.ticket == ticket } }) { waiter.resume(.cancelled()) }
        }
    }

    /// The task that serves the connection was cancelled: its waits end, now and from here on.
    func cancelServing() {
        let waiting = withState { state in
            state.isServingCancelled = true
            return state.takeReaders(where: \.isServing)
        }
        for waiter in waiting { waiter.resume(.cancelled()) }
    }

    /// The completion form.
    func receive(
        _ deadline: Instant, isNext: Bool = false,
        _ body: @escaping @Sendable (Result<WebSocketData?, WebSocketError>) -> Void
    ) {
        switch tryReceive(isNext: isNext) {
        case .data(let data):
            // Nobody's call is on the stack when the message has just come.
            if isNext, withState({ $0.beginDirectTelling() }) {
                body(.success(data))
                endedTelling = .delivery
            } else {
                complete { body(.success(data)) }
            }
        case .ended: complete { body(.success(nil)) }
        case .failed(let error): complete { body(.failure(error)) }
        case .wait:
            let waiter = Waiter.handler { [self] failure in
                if let failure {
                    complete { body(.failure(WebSocketError(.socket(SocketError(failure, .receive))))) }
                } else {
                    receive(deadline, isNext: true, body)
                }
            }
            if !enqueue(waiter, nil, deadline) { receive(deadline, body) }
        }
    }

    /// Ends the waits whose time is over. On the loop.
    func expireReaders(_ now: Instant) {
        for waiter in withState({ $0.takeReaders { $0.deadline <= now } }) { waiter.resume(.timedOut()) }
    }
}
