// Bytes for whoever asks for them: at once when there are some, else when it is their turn.
extension StreamDriver {
    /// How far a receive came without waiting.
    package enum ReceiveOutcome: Sendable {
        /// `mustYield`: this socket has been served many times in a row; see `yieldTurn`.
        case bytes([UInt8], mustYield: Bool)
        /// So many bytes are in the caller's buffer.
        case filled(Int, mustYield: Bool)
        case ended
        /// Not yet: `enqueue…` or `waitToRead`, and try again as the next in turn. A caller that has the turn keeps it
        /// until then, so that nobody gets ahead of it.
        case wait(hasTurn: Bool)
        case failed(Failure)
    }

    /// Takes the next bytes, or the next message, without waiting. As with a request of its own otherwise.
    package func tryReceive(isNext: Bool, isEager: Bool) -> ReceiveOutcome {
        var request = ReadRequest.chunk
        return tryReceive(&request, isNext: isNext, isEager: isEager)
    }

    /// Takes what `request` asks for, without waiting; into `buffer`, if there is one.
    ///
    /// `isNext`: the caller has waited, and has the turn. `isEager`: it will not wait, so the kernel is asked even when
    /// cached readiness says that there is nothing, and `.wait` becomes a time-out.
    package func tryReceive(
        _ request: inout ReadRequest, into buffer: UnsafeMutableRawBufferPointer? = nil, isNext: Bool, isEager: Bool
    ) -> ReceiveOutcome {
        take(&request, into: buffer, admitReader(isNext: isNext, isEager: isEager), isEager: isEager)
            ?? .wait(hasTurn: isNext)
    }

    /// Takes what `request` asks for as the admission says; nil: it must wait.
    private func take(
        _ request: inout ReadRequest, into buffer: UnsafeMutableRawBufferPointer?, _ admission: ReaderAdmission,
        isEager: Bool
    ) -> ReceiveOutcome? {
        switch admission {
        case .direct(let number, let turn) where request.takesWhatComes:
            receive(request.most(beyond: 0), into: buffer, number, turn, isEager)
        case .direct(let number, let turn):
            receive(&request, ReadAhead(), nil, into: buffer, number, turn, isEager)
        case .indirect(let number, let turn, let ahead, let framer):
            receive(&request, ahead, framer, into: buffer, number, turn, isEager)
        case .ended: .ended
        case .failed(let failure): .failed(failure)
        case .wait: isEager ? .failed(.timedOut()) : nil
        case .queued: nil
        }
    }

    /// The completion form: `completion` is told in the socket's order of events.
    package func receive(timeout: Duration?, _ completion: ReceiveCompletion) {
        receive(.chunk, timeout, .handler(completion), completion)
    }

    /// The completion form of a request.
    package func receive(_ request: ReadRequest, timeout: Duration?, _ completion: ReceiveCompletion) {
        let pending = StreamState.PendingRequest(request, completion)
        receive(request, timeout, .request(pending), completion)
    }

    private func receive(
        _ request: ReadRequest, _ timeout: Duration?, _ reader: StreamState.Reader, _ completion: ReceiveCompletion
    ) {
        let isEager = timeout.map { $0 <= .zero } ?? false
        let deadline = Instant.after(timeout)
        // Nearly always there is nothing yet, and the reader is in the queue already.
        let admission = admitReader(isNext: false, isEager: isEager, orQueue: isEager ? nil : reader, deadline)
        if case .queued(let mustTurn) = admission {
            if mustTurn { requestTurn() }
            return
        }
        var request = request
        switch take(&request, into: nil, admission, isEager: isEager) {
        case .bytes(let bytes, _): complete(completion, .success(bytes))
        case .ended, .filled: complete(completion, .success(nil))
        case .failed(let failure): complete(completion, .failure(failure))
        case .wait(let hasTurn):
            let failure = enqueue(reader, nil, deadline, isServing: false, hasTurn: hasTurn)
            if let failure { complete(completion, .failure(failure)) }
        case nil: break
        }
    }

    func complete(_ completion: ReceiveCompletion, _ result: Result<[UInt8]?, Failure>) {
        complete { [self] in completion.call(self, result) }
    }

    // MARK: The turn

    enum ReaderAdmission {
        /// Nothing was read ahead, and there is no framing.
        case direct(Int32, ReadMachine.Turn)
        case indirect(Int32, ReadMachine.Turn, ReadAhead, Framer?)
        case wait
        /// It waits, in the queue.
        case queued(mustTurn: Bool)
        case ended
        case failed(Failure)
    }

    /// `reader` joins the queue when it must wait.
    func admitReader(
        isNext: Bool, isEager: Bool, orQueue reader: StreamState.Reader? = nil, _ deadline: Instant = .never
    ) -> ReaderAdmission {
        withState { state in
            // A message listener that came while this reader waited takes effect behind it.
            if let failure = state.refusalOfReading(ignoresListeners: isNext) {
                if isNext { state.read.relinquish() }
                return .failed(failure)
            }
            switch state.read.admit(isNext: isNext, isEager: isEager, isQueueEmpty: state.readers.isEmpty) {
            case .wait:
                guard let reader else { return .wait }
                let ticket = state.nextTicket()
                let waiting = Waiting(ticket: ticket, waiter: reader, deadline: deadline, isServing: false)
                return .queued(mustTurn: state.enqueue(waiting, atFront: false))
            case .ended: return .ended
            case .turn(let turn):
                guard let number = state.descriptor.lend() else {
                    state.read.relinquish()
                    return .failed(.closed)
                }
                if state.ahead == nil, state.framer == nil { return .direct(number, turn) }
                return .indirect(number, turn, state.ahead ?? ReadAhead(), state.framer)
            }
        }
    }

    /// Reads once: whatever comes is the answer.
    private func receive(
        _ most: Int, into buffer: UnsafeMutableRawBufferPointer?, _ number: Int32, _ turn: ReadMachine.Turn,
        _ isEager: Bool
    ) -> ReceiveOutcome {
        let arrival =
            if let buffer {
                Arrival(result: receive(number, into: .init(rebasing: buffer[..<most])), limit: most, bytes: [])
            } else {
                arrive(number, upTo: most)
            }
        let result = arrival.result
        let (didClear, mustTurn, mustYield): (Bool, Bool, Bool) = withState { state in
            _ = state.descriptor.giveBack()
            var keepsTurn = false
            if case .failure(let error) = result {
                if error == .wouldBlock { keepsTurn = !isEager } else { state.wasFailureReported = true }
            }
            if case .success(1...) = result { state.counts.messagesReceived += 1 }
            let didClear = state.finishReading(
                result, limit: arrival.limit, tick: turn.tick, keepsTurn: keepsTurn)
            // Whoever waits behind this reader, or a listener that came meanwhile, is served by the loop.
            return (didClear, state.wantsTurnAfterReading(), state.servedAtOnce())
        }
        if didClear { rearm(.read) }
        if mustTurn { requestTurn() }
        switch result {
        case .success(0): return .ended
        case .success(let count):
            if buffer != nil { return .filled(count, mustYield: mustYield) }
            return .bytes(arrival.bytes, mustYield: mustYield)
        case .failure(.wouldBlock): return isEager ? .failed(.timedOut()) : .wait(hasTurn: true)
        case .failure(let error): return .failed(failure(error, .receive))
        }
    }

    /// How often one turn may ask the kernel before others have theirs.
    private static let readLimit = 16

    /// Takes the answer out of what was read ahead, and reads on until it is there.
    private func receive(
        _ request: inout ReadRequest, _ ahead: ReadAhead, _ framer: Framer?,
        into buffer: UnsafeMutableRawBufferPointer?, _ number: Int32, _ admitted: ReadMachine.Turn, _ isEager: Bool
    ) -> ReceiveOutcome {
        var turn = admitted
        var reads = 0
        while true {
            do throws(Failure) {
                if let cut = try ahead.cut(&request, hasEnded: turn.hasEnded, framer) {
                    let answer = ahead.take(cut, into: buffer)
                    let mustYield = endTurn(ahead, isAnswered: true)
                    if let answer { return .bytes(answer, mustYield: mustYield) }
                    return .filled(cut.bytes.count, mustYield: mustYield)
                }
            } catch {
                endTurn(ahead)
                return .failed(error)
            }
            if turn.hasEnded {
                ahead.drop(ahead.count)
                endTurn(ahead)
                return .ended
            }
            // Who cannot wait takes all that is there: it has no other turn.
            guard turn.mayReceive, isEager || reads < StreamDriver.readLimit else { break }
            reads += 1
            let target = UnsafeMutableRawBufferPointer(rebasing: Scratch.buffer[..<request.most(beyond: ahead.count)])
            let result = receive(number, into: target)
            ahead.append(UnsafeRawBufferPointer(rebasing: target[..<((try? result.get()) ?? 0)]))
            let (didClear, next) = withState { state in
                state.read.keep(ahead.count, isUntried: false)
                let didClear = state.finishReading(result, limit: target.count, tick: turn.tick, keepsTurn: true)
                if case .failure(let error) = result, error != .wouldBlock { state.wasFailureReported = true }
                return (didClear, state.read.turn(isEager: isEager))
            }
            if didClear { rearm(.read) }
            if case .failure(let error) = result {
                if error == .wouldBlock { break }
                endTurn(ahead)
                return .failed(failure(error, .receive))
            }
            turn = next
        }
        if isEager {
            endTurn(ahead)
            return .failed(.timedOut())
        }
        withState { state in
            _ = state.descriptor.giveBack()
            state.put(ahead, isUntried: false)
        }
        return .wait(hasTurn: true)
    }

    /// A reader is done; what is left is for the next one. Returns whether the reader has had its share.
    @discardableResult
    private func endTurn(_ ahead: ReadAhead, isAnswered: Bool = false) -> Bool {
        let (mustTurn, mustYield) = withState { state in
            _ = state.descriptor.giveBack()
            if isAnswered { state.counts.messagesReceived += 1 }
            state.endTurn(ahead, isUntried: true)
            return (state.wantsTurnAfterReading(), state.servedAtOnce())
        }
        if mustTurn { requestTurn() }
        return mustYield
    }

    /// Sets how the stream is cut into messages, from what was not taken yet on; nil: not at all.
    package func setFramer(_ framer: Framer?) {
        let (before, mustTurn) = withState { state in
            let before = state.framer
            if framer != nil || before != nil { state.rare.framer = framer }
            state.read.retry()
            return (before, state.wantsTurnAfterReading())
        }
        if mustTurn { requestTurn() }
        withExtendedLifetime(before) {}
    }

    /// Lets the message listeners hear nothing for now; what arrives waits in the kernel, for them or for a receive.
    package var isPaused: Bool {
        get { withState { $0.isPaused } }
        set {
            let mustTurn = withState { state in
                state.isPaused = newValue
                return state.wantsTurnAfterReading()
            }
            if mustTurn { requestTurn() }
        }
    }

    /// The next byte, if it was read ahead, is not the last of those, and nobody else waits for it.
    package func takeByte() -> UInt8? { withState { $0.takeByte() } }

    // MARK: Waiting for input

    /// Whether a wait of the calling task needs no cancellation handler of its own: it is the task that serves this socket,
    /// or nobody can cancel it. Then `enqueuePlainly` is all that a wait needs.
    package var waitsPlainly: Bool { servingTask.isCurrent || loop.runsDetachedTask }

    /// Puts the calling task in the queue, when it `waitsPlainly`. It is resumed with nil when it has the turn.
    package func enqueuePlainly(
        _ continuation: UnsafeContinuation<Failure?, Never>, _ deadline: Instant, hasTurn: Bool
    ) {
        let waiter = Waiter.task(continuation)
        let failure = enqueue(.task(waiter), nil, deadline, isServing: servingTask.isCurrent, hasTurn: hasTurn)
        if let failure { waiter.resume(failure) }
    }

    /// Waits for the turn to read; nil when it is there. Cancelled or out of time, it leaves the socket and its bytes
    /// to the next reader.
    package func waitToRead(_ deadline: Instant, hasTurn: Bool) async -> Failure? {
        let ticket = withState { $0.nextTicket() }
        return await Waiter.wait { waiter in
            let failure = enqueue(.task(waiter), ticket, deadline, isServing: false, hasTurn: hasTurn)
            if let failure { waiter.resume(failure) }
        } onCancel: { [self] in
            cancelReader(ticket)
        }
    }

    private func enqueue(
        _ reader: StreamState.Reader, _ ticket: Ticket?, _ deadline: Instant, isServing: Bool, hasTurn: Bool
    ) -> Failure? {
        enqueue(isServing: isServing, hasTurn: hasTurn) { state in
            Waiting(ticket: ticket ?? state.nextTicket(), waiter: reader, deadline: deadline, isServing: isServing)
        }
    }

    /// Puts a reader back in the queue.
    func enqueue(_ reader: Waiting<StreamState.Reader>, hasTurn: Bool) -> Failure? {
        enqueue(isServing: reader.isServing, hasTurn: hasTurn) { _ in reader }
    }

    /// Puts a reader in the queue: first, if it has the turn, which it gives back. Returns why it cannot wait, if so.
    @inline(__always)
    private func enqueue(
        isServing: Bool, hasTurn: Bool, _ reader: (inout StreamState) -> Waiting<StreamState.Reader>
    ) -> Failure? {
        let (failure, mustTurn): (Failure?, Bool) = withState { state in
            if hasTurn { state.read.relinquish() }
            if let failure = state.refusalOfReading(ignoresListeners: true) { return (failure, hasTurn) }
            if isServing, state.serving == .cancelled { return (.cancelled(), hasTurn) }
            let reader = reader(&state)
            return (nil, state.enqueue(reader, atFront: hasTurn))
        }
        if mustTurn { requestTurn() }
        return failure
    }

    private func cancelReader(_ ticket: Ticket) {
        var endings = StreamState.Endings()
        let mustTurn = withState { state in
            guard let reader = state.readers.remove(ticket) else { return false }
            state.end(reader, with: .cancelled(), &endings)
            // Whoever is behind it may be content with what was read ahead for it.
            state.read.retry()
            return state.wantsTurnAfterReading()
        }
        endings.perform()
        if mustTurn { requestTurn() }
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
}

// What those who read do to the state.
extension StreamState {
    /// Why a pull cannot be served now; nil when it can.
    fileprivate mutating func refusalOfReading(ignoresListeners: Bool) -> Failure? {
        if life.isClosing {
            // Who has waited before is served before.
            if ignoresListeners, life.request == .handOver { return nil }
            return life.endingFailure ?? (ignoresListeners ? .aborted() : .closed)
        }
        if life.phase != .open { return .notConnected }
        if !ignoresListeners, outbox.hasMessageListener { return .invalidState(.messageListenerExists) }
        return nil
    }

    /// A reader waits: behind the others, or first again. Returns whether the loop must take a turn for it.
    mutating func enqueue(_ reader: consuming Waiting<Reader>, atFront: Bool) -> Bool {
        let deadline = reader.deadline
        servedInARow = 0
        if deadline != .never { mayExpire = true }
        if atFront { readers.prepend(reader) } else { readers.append(reader) }
        return use() || isEarliest(deadline) || wantsTurnAfterReading()
    }

    /// Whether somebody behind the reader that just finished, or just queued, can be served right away.
    mutating func wantsTurnAfterReading() -> Bool {
        if life.request != nil || !outbox.isEmpty { return true }
        return read.hasDemand(interest)
    }

    /// Records what a read brought. Returns whether readiness was cleared.
    mutating func finishReading(
        _ result: SystemResult<Int>, limit: Int, tick: UInt32, keepsTurn: Bool = false
    ) -> Bool {
        let outcome = ReadMachine.Outcome(result, limit: limit)
        let didClear = read.finish(outcome, tick: tick, keepsTurn: keepsTurn)
        switch outcome {
        case .bytes(let count, _):
            counts.bytesReceived += UInt64(count)
            noteActivity()
        case .ended: noteExhaustion()
        case .wouldBlock: break
        case .failed:
            if case .failure(let error) = result { life.close(.failed(failure(error, .receive))) }
        }
        return didClear
    }

    /// Whoever had the turn gives it back, with what it has read ahead.
    mutating func endTurn(_ ahead: ReadAhead, isUntried: Bool) {
        read.relinquish()
        put(ahead, isUntried: isUntried)
        noteExhaustion()
    }

    /// Keeps what was read ahead for the next reader.
    mutating func put(_ ahead: ReadAhead, isUntried: Bool) {
        self.ahead = ahead.isEmpty || life.phase > .open ? nil : ahead
        read.keep(ahead.count, isUntried: isUntried)
    }

    /// The last byte is left to a reader with the turn, who sees what follows from there being none.
    fileprivate mutating func takeByte() -> UInt8? {
        guard let ahead, ahead.count > 1, !read.isReading, readers.isEmpty, life.isSteady, !outbox.hasMessageListener
        else { return nil }
        return ahead.takeFirst()
    }

    /// Tells of the peer's end, once everything before it has been handed out.
    private mutating func noteExhaustion() {
        guard read.isExhausted else { return }
        emitEnd()
        if let rare = rareIfAny, let outputError = rare.outputError, life.request == nil {
            // Neither direction is left.
            wasFailureReported = rare.wasOutputErrorReported
            life.close(.failed(failure(outputError, .send)))
        }
    }
}

extension ReadMachine.Outcome {
    /// Reads the result of recv(2).
    init(_ result: SystemResult<Int>, limit: Int) {
        switch result {
        case .success(0): self = .ended
        case .success(let count): self = .bytes(count, of: limit)
        case .failure(.wouldBlock): self = .wouldBlock
        case .failure: self = .failed
        }
    }
}
