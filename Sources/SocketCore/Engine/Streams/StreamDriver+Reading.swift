// Bytes from the kernel to whoever wants them: a receive that waits, the message listeners, or nobody.
extension StreamDriver {
    /// How far a receive came without waiting.
    package enum ReceiveOutcome: Sendable {
        /// `mustYield`: this socket has been served many times in a row; see `yieldTurn`.
        case bytes([UInt8], mustYield: Bool)
        case ended
        /// Nothing is there: wait with `waitToRead`, and try again as the next in turn.
        case wait
        case failed(Failure)
    }

    // MARK: Pulling

    /// Takes the next bytes, as many as one call brings, without waiting.
    ///
    /// `isNext`: the caller has waited, and has the turn. `isEager`: it will not wait, so the kernel is asked even when
    /// cached readiness says that there is nothing, and `.wait` becomes a time-out.
    package func tryReceive(isNext: Bool, isEager: Bool) -> ReceiveOutcome {
        let hasWaited = isNext
        var isNext = isNext
        while true {
            switch admitReader(isNext: isNext, hasWaited: hasWaited, isEager: isEager) {
            case .read(let number, let tick):
                switch readOnce(number, tick) {
                case .wait: if isEager { return .failed(.timedOut()) }
                case let outcome: return outcome
                }
                isNext = false
            case .ended: return .ended
            case .failed(let failure): return .failed(failure)
            case .wait: return isEager ? .failed(.timedOut()) : .wait
            }
        }
    }

    /// The completion form: `body` is told in the socket's order of events.
    package func receive(timeout: Duration?, _ body: @escaping @Sendable (Result<[UInt8]?, Failure>) -> Void) {
        let isEager = timeout.map { $0 <= .zero } ?? false
        let deadline = Instant.after(timeout)
        switch tryReceive(isNext: false, isEager: isEager) {
        case .bytes(let bytes, _): complete { body(.success(bytes)) }
        case .ended: complete { body(.success(nil)) }
        case .failed(let failure): complete { body(.failure(failure)) }
        case .wait:
            let failure = enqueue(.handler(body), nil, deadline, isServing: false)
            if let failure { complete { body(.failure(failure)) } }
        }
    }

    private enum ReaderAdmission {
        case read(Int32, tick: UInt32)
        case wait
        case ended
        case failed(Failure)
    }

    /// `hasWaited`: a message listener that came while this reader waited takes effect behind it.
    private func admitReader(isNext: Bool, hasWaited: Bool, isEager: Bool) -> ReaderAdmission {
        state.withLock { state in
            if let failure = state.refusalOfReading(ignoresListeners: hasWaited) {
                if isNext { state.read.relinquish() }
                return .failed(failure)
            }
            switch state.read.admit(isNext: isNext, isEager: isEager, isQueueEmpty: state.readers.isEmpty) {
            case .wait: return .wait
            case .ended: return .ended
            case .read(let tick):
                guard let number = state.descriptor.lend() else {
                    state.read.relinquish()
                    return .failed(.closed)
                }
                return .read(number, tick: tick)
            }
        }
    }

    private func readOnce(_ number: Int32, _ tick: UInt32) -> ReceiveOutcome {
        let buffer = Scratch.buffer
        let result = StreamCalls.receive(number, into: buffer)
        let (didClear, mustTurn, mustYield): (Bool, Bool, Bool) = state.withLock { state in
            _ = state.descriptor.giveBack()
            let didClear = state.finishReading(result, limit: buffer.count, tick: tick)
            if case .failure(let error) = result, error != .wouldBlock { state.wasFailureReported = true }
            // Whoever waits behind this reader, or a listener that came meanwhile, is served by the loop.
            return (didClear, state.wantsTurnAfterReading(), state.servedAtOnce())
        }
        if didClear { rearm(.read) }
        if mustTurn { requestTurn() }
        switch result {
        case .success(0): return .ended
        case .success(let count): return .bytes(Scratch.copy(count), mustYield: mustYield)
        case .failure(.wouldBlock): return .wait
        case .failure(let error): return .failed(.system(error, .receive))
        }
    }

    // MARK: Waiting for input

    /// Whether the calling task is the one that serves this socket: then `enqueueServingReader` is all that a wait
    /// needs, since the task's own cancellation handler stands for it.
    package var isServedByCurrentTask: Bool { servingTask?.isCurrent ?? false }

    /// Puts the serving task in the queue. It is resumed with nil when it has the turn.
    package func enqueueServingReader(_ continuation: UnsafeContinuation<Failure?, Never>, _ deadline: Instant) {
        enqueueReader(.task(continuation), nil, deadline, isServing: true)
    }

    /// Waits for the turn to read; nil when it is there. Cancelled or out of time, it leaves the socket and its bytes
    /// to the next reader.
    package func waitToRead(_ deadline: Instant) async -> Failure? {
        let ticket = state.withLock { $0.nextTicket() }
        return await Waiter.wait { waiter in
            enqueueReader(waiter, ticket, deadline, isServing: false)
        } onCancel: { [self] in
            cancelReader(ticket)
        }
    }

    private func enqueueReader(_ waiter: Waiter, _ ticket: Ticket?, _ deadline: Instant, isServing: Bool) {
        if let failure = enqueue(.task(waiter), ticket, deadline, isServing: isServing) { waiter.resume(failure) }
    }

    /// Puts a reader in the queue; returns why it cannot wait, if so.
    private func enqueue(
        _ reader: StreamState.Reader, _ ticket: Ticket?, _ deadline: Instant, isServing: Bool
    ) -> Failure? {
        let (failure, mustTurn): (Failure?, Bool) = state.withLock { state in
            if let failure = state.refusalOfReading(ignoresListeners: true) { return (failure, false) }
            if isServing, state.isServingCancelled { return (.cancelled(), false) }
            state.servedInARow = 0
            let ticket = ticket ?? state.nextTicket()
            state.add(Waiting(ticket: ticket, waiter: reader, deadline: deadline, isServing: isServing))
            return (nil, state.use() || deadline < state.timer || state.wantsTurnAfterReading())
        }
        if mustTurn { requestTurn() }
        return failure
    }

    /// Lets the loop look at its other descriptors, when the caller runs on it.
    ///
    /// A task that never finds anything to wait for, because its peer is fast, would otherwise keep the loop for itself.
    package func yieldTurn() async {
        guard loop.isCurrent else { return }
        _ = await Waiter.wait { loop.yieldTurn(Pause($0)) }
    }

    private final class Pause: LoopClient {
        private let waiter: Waiter
        init(_ waiter: Waiter) { self.waiter = waiter }
        func turn() { waiter.resume() }
    }

    private func cancelReader(_ ticket: Ticket) {
        var endings = StreamState.Endings()
        state.withLock { state in
            if let reader = state.readers.remove(ticket) { state.end(reader, with: .cancelled(), &endings) }
        }
        endings.perform()
    }

    // MARK: On the loop

    /// The first waiting reader has the turn: a task reads for itself, for a handler the loop does. Returns the next
    /// step.
    func serveReader() -> StreamState.Step {
        let (reader, number, tick): (Waiting<StreamState.Reader>?, Int32?, UInt32) = state.withLock { state in
            let reader = state.readers.popFirst()
            if reader == nil { state.read.relinquish() }
            return (reader, state.descriptor.number, state.read.tick)
        }
        switch reader?.waiter {
        case .handler(let body):
            guard let reader, let number else { break }
            return read(for: reader, body, number, tick)
        case .task(let waiter):
            countRead(.success(0))
            waiter.resume()
        case nil: break
        }
        return state.withLock { $0.step(mayRead: mayRead) }
    }

    private func read(
        for reader: Waiting<StreamState.Reader>, _ body: @Sendable (Result<[UInt8]?, Failure>) -> Void,
        _ number: Int32, _ tick: UInt32
    ) -> StreamState.Step {
        let buffer = Scratch.buffer
        let received = StreamCalls.receive(number, into: buffer)
        countRead(received)
        let result: Result<[UInt8]?, Failure>
        switch received {
        case .success(0): result = .success(nil)
        case .success(let count): result = .success(Scratch.copy(count))
        case .failure(let error): result = .failure(.system(error, .receive))
        }
        let (didClear, isDirect): (Bool, Bool) = state.withLock { state in
            let didClear = state.finishReading(received, limit: buffer.count, tick: tick)
            if case .failure(.wouldBlock) = received {
                state.readers.prepend(reader)
                return (didClear, false)
            }
            if case .failure = received { state.wasFailureReported = true }
            if state.outbox.isIdle, state.isDeliveredOnLoop {
                state.outbox.beginDirectDelivery()
                return (didClear, true)
            }
            if case .handler(let body) = reader.waiter { state.outbox.append(.call { body(result) }) }
            return (didClear, false)
        }
        if didClear { rearm(.read) }
        guard isDirect else { return state.withLock { $0.step(mayRead: mayRead) } }
        body(result)
        return deliver(isOver: true)
    }

    /// One read for the message listeners. Returns the next step.
    func readForListeners(_ number: Int32, _ tick: UInt32) -> StreamState.Step {
        let buffer = Scratch.buffer
        let result = StreamCalls.receive(number, into: buffer)
        countRead(result)
        guard case .success(let count) = result, count > 0 else {
            let (didClear, step, left) = state.withLock { state in
                let didClear = state.finishReading(result, limit: buffer.count, tick: tick)
                let left = state.outbox.endReading()
                return (didClear, state.step(mayRead: mayRead), left)
            }
            if didClear { rearm(.read) }
            withExtendedLifetime(left) {}
            return step
        }
        let event = EngineEvent.message(Scratch.copy(count), from: peer)
        let (didClear, isDirect, listeners, left) = state.withLock { state in
            let didClear = state.finishReading(result, limit: buffer.count, tick: tick)
            let left = state.outbox.endReading()
            let listeners = state.outbox.hearWhatWasRead(left)
            if state.outbox.isIdle, state.isDeliveredOnLoop {
                state.outbox.beginDirectDelivery()
                return (didClear, true, listeners, left)
            }
            state.outbox.append(.call { listeners.tell(event) })
            return (didClear, false, listeners, left)
        }
        defer { withExtendedLifetime(left) {} }
        if didClear { rearm(.read) }
        guard isDirect else { return state.withLock { $0.step(mayRead: mayRead) } }
        listeners.tell(event)
        return deliver(isOver: true)
    }

    /// Looks, without taking anything, whether the peer's direction is over.
    func probe(_ number: Int32, _ tick: UInt32) {
        if state.withLock({ $0.read.hasEnded }) { return probeBehindEnd(number) }
        let result = StreamCalls.peek(number)
        let didClear = state.withLock { state in
            if case .success(let count) = result, count > 0 {
                state.read.relinquish()
                return false
            }
            return state.finishReading(result, limit: 1, tick: tick)
        }
        if didClear { rearm(.read) }
    }

    /// Looks for a reset that came after the peer's end.
    private func probeBehindEnd(_ number: Int32) {
        let error = (try? OptionCalls.takeError(number).get()) ?? nil
        state.withLock { state in
            state.read.relinquish()
            if let error { state.life.close(.failed(.system(error, .receive))) }
        }
    }

    /// Throws input away.
    func discard(_ number: Int32, _ tick: UInt32) {
        let buffer = Scratch.buffer
        let result = StreamCalls.receive(number, into: buffer)
        countRead(result)
        let didClear = state.withLock { state in
            let outcome = ReadMachine.Outcome(result, limit: buffer.count)
            let didClear = state.read.finish(outcome, tick: tick)
            if case .bytes(let count, _) = outcome { state.discarded += count }
            if outcome == .failed {
                state.failDiscarding()
            } else if state.discarded > state.shared.values.discardLimit {
                state.giveUpDiscarding()
            }
            return didClear
        }
        if didClear { rearm(.read) }
    }
}

extension ReadMachine.Outcome {
    /// Reads the result of recv(2).
    fileprivate init(_ result: SystemResult<Int>, limit: Int) {
        switch result {
        case .success(0): self = .ended
        case .success(let count): self = .bytes(count, of: limit)
        case .failure(.wouldBlock): self = .wouldBlock
        case .failure: self = .failed
        }
    }
}

extension StreamState {
    /// Why a pull cannot be served now; nil when it can.
    fileprivate mutating func refusalOfReading(ignoresListeners: Bool) -> Failure? {
        if life.isClosing { return life.endingFailure ?? (ignoresListeners ? .aborted() : .closed) }
        if life.phase != .open { return .notConnected }
        if !ignoresListeners, outbox.hasListener(.message) { return .invalidState(.messageListenerExists) }
        return nil
    }

    /// Whether somebody behind the reader that just finished, or just queued, can be served right away.
    fileprivate mutating func wantsTurnAfterReading() -> Bool {
        if life.request != nil || !outbox.isEmpty { return true }
        var interest: ReadMachine.Interest = []
        if !readers.isEmpty { interest = .reader } else if outbox.hasListener(.message) { interest = .listeners }
        return read.hasDemand(interest)
    }

    /// Records what a read brought. Returns whether readiness was cleared.
    fileprivate mutating func finishReading(_ result: SystemResult<Int>, limit: Int, tick: UInt32) -> Bool {
        let outcome = ReadMachine.Outcome(result, limit: limit)
        let didClear = read.finish(outcome, tick: tick)
        switch outcome {
        case .bytes: noteActivity()
        case .ended:
            emitEnd()
            if let outputError {
                // Neither direction is left. The send that met the error has told of it.
                wasFailureReported = true
                life.close(.failed(.system(outputError, .send)))
            }
        case .wouldBlock: break
        case .failed:
            if case .failure(let error) = result { life.close(.failed(.system(error, .receive))) }
        }
        return didClear
    }

    /// The connection broke while input was thrown away: there is nobody left to be polite to.
    fileprivate mutating func failDiscarding() {
        if life.phase == .discarding {
            giveUpDiscarding()
        } else {
            life.close(.failed(.system(.connectionReset, .receive)))
        }
    }
}
