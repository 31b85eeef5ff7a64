// Bytes to the kernel: at once when nothing is before them, else queued and written when there is room.
extension StreamDriver {
    /// Bytes to send: borrowed for the first try, owned once they have to wait.
    package enum Source {
        case array([UInt8])
        case borrowed(UnsafeRawBufferPointer)

        fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            switch self {
            case .array(let array): array.withUnsafeBytes(body)
            case .borrowed(let bytes): body(bytes)
            }
        }

        /// What is left after `sent` bytes. An array is kept whole; borrowed bytes are copied, without those sent.
        fileprivate func remainder(after sent: Int) -> WriteMachine.Remainder {
            switch self {
            case .array(let array): WriteMachine.Remainder(bytes: array, offset: sent, sentBefore: 0)
            case .borrowed(let bytes):
                WriteMachine.Remainder(bytes: [UInt8](bytes[sent...]), offset: 0, sentBefore: sent)
            }
        }
    }

    /// Hears how a send of this socket ended; nil is success. It is handed the socket, so it need not hold it.
    package typealias SendCompletion = @Sendable (StreamDriver, Failure?) -> Void

    /// How far a send came without waiting.
    package enum SendOutcome: Sendable {
        /// The kernel has taken every byte. `mustYield`: see `yieldTurn`.
        case sent(mustYield: Bool)
        /// The rest is queued under this ticket.
        case queued(Ticket)
        case failed(Failure)
    }

    // MARK: Sending

    /// Sends as much as goes now, and queues the rest.
    ///
    /// `completion` is queued with the last byte, and only then: when the outcome is `.sent`.
    package func beginSend(_ source: Source, completion: SendCompletion? = nil) -> SendOutcome {
        source.withBytes { bytes in
            enum Admission {
                case write(Int32, tick: UInt32)
                case outcome(SendOutcome)
            }
            let admission: Admission = state.withLock { state in
                if let failure = state.refusalOfSending() { return .outcome(.failed(failure)) }
                if bytes.isEmpty {
                    if let completion { state.outbox.append(.sent(completion)) }
                    return .outcome(.sent(mustYield: false))
                }
                switch state.write.admit() {
                case .finished: return .outcome(.failed(.invalidState(.finished)))
                case .queue: return .outcome(.queued(state.enqueueSend(source.remainder(after: 0))))
                case .write(let tick):
                    guard let number = state.descriptor.lend() else { return .outcome(.failed(.closed)) }
                    return .write(number, tick: tick)
                }
            }
            switch admission {
            case .outcome(let outcome):
                if completion != nil { requestTurn() }
                return outcome
            case .write(let number, let tick): return write(source, bytes, number, tick, completion)
            }
        }
    }

    private func write(
        _ source: Source, _ bytes: UnsafeRawBufferPointer, _ number: Int32, _ tick: UInt32,
        _ completion: SendCompletion?
    ) -> SendOutcome {
        let result = StreamCalls.send(number, bytes)
        var endings = StreamState.Endings()
        let (outcome, didClear, mustTurn): (SendOutcome, Bool, Bool) = state.withLock { state in
            _ = state.descriptor.giveBack()
            let count = (try? result.get()) ?? 0
            let didClear = state.write.wrote(count, of: bytes.count, tick: tick)
            state.noteActivity()
            if case .failure(let error) = result, error != .wouldBlock {
                state.outputFailed(error, &endings)
                return (.failed(.system(error, .send, sent: 0, remaining: bytes.count)), didClear, true)
            }
            // What others queued during this write goes out next, and a close that waited for it goes on.
            if count == bytes.count {
                if let completion {
                    state.outbox.append(.sent(completion))
                    return (.sent(mustYield: false), didClear, true)
                }
                return (.sent(mustYield: state.servedAtOnce()), didClear, state.wantsTurnAfterWriting())
            }
            if state.life.isClosed {
                // Reset meanwhile: those who waited have been told, and nobody would tell this one.
                let ended = state.life.failure ?? .aborted()
                return (.failed(ended.with(sent: count, remaining: bytes.count - count)), didClear, false)
            }
            let ticket = state.enqueueSend(source.remainder(after: count), atFront: true)
            return (.queued(ticket), didClear, state.wantsTurnAfterWriting())
        }
        if didClear { rearm(.write) }
        endings.perform()
        if mustTurn { requestTurn() }
        return outcome
    }

    /// Waits until a queued send has ended.
    package func waitForSend(_ ticket: Ticket, timeout: Duration?) async throws(Failure) {
        let deadline = Instant.after(timeout)
        let failure: Failure?
        if isServedByCurrentTask {
            failure = await Waiter.wait { awaitSend(ticket, $0, deadline, isServing: true) }
        } else {
            failure = await Waiter.wait { waiter in
                awaitSend(ticket, waiter, deadline, isServing: false)
            } onCancel: { [self] in
                cancelSend(ticket)
            }
        }
        if let failure { throw failure }
    }

    /// The completion form: `body` is told in the socket's order of events.
    package func send(
        _ source: Source, timeout: Duration?, _ body: @escaping SendCompletion
    ) {
        switch beginSend(source, completion: body) {
        case .sent: break
        case .failed(let failure): complete { [self] in body(self, failure) }
        case .queued(let ticket):
            let waiter = Waiter.handler { [self] failure in complete { [self] in body(self, failure) } }
            let deadline = Instant.after(timeout)
            awaitSend(ticket, waiter, deadline, isServing: false)
        }
    }

    private func awaitSend(_ ticket: Ticket, _ waiter: Waiter, _ deadline: Instant, isServing: Bool) {
        let (isOver, failure, mustTurn): (Bool, Failure?, Bool) = state.withLock { state in
            guard let index = state.senders.firstIndex(where: { $0.ticket == ticket }) else {
                return (true, .cancelled(), false)
            }
            if state.senders[index].isOver {
                return (true, state.senders.remove(at: index).failure, false)
            }
            state.senders[index].waiting = Waiting(
                ticket: ticket, waiter: waiter, deadline: deadline, isServing: isServing)
            if isServing, state.isServingCancelled, let failure = state.withdraw(ticket, .cancelled()) {
                return (true, failure, true)
            }
            state.servedInARow = 0
            if deadline != .never { state.mayExpire = true }
            return (false, nil, state.use() || deadline < state.timer)
        }
        if isOver { waiter.resume(failure) }
        if mustTurn { requestTurn() }
    }

    private func cancelSend(_ ticket: Ticket) {
        let (waiter, failure): (Waiter?, Failure?) = state.withLock { state in
            guard let sender = state.senders.first(where: { $0.ticket == ticket }), let waiting = sender.waiting,
                let failure = state.withdraw(ticket, .cancelled())
            else { return (nil, nil) }
            return (waiting.waiter, failure)
        }
        if let waiter, let failure {
            waiter.resume(failure)
            requestTurn()
        }
    }

    // MARK: On the loop

    /// Writes from the queue.
    func flush(_ number: Int32) {
        let buffer = Scratch.buffer
        guard let batch = state.withLock({ $0.write.beginFlush(into: buffer) }) else { return }
        let result: SystemResult<Int>
        let total: Int
        let tick: UInt32
        switch batch {
        case .copied(let count, let started):
            total = count
            tick = started
            result = StreamCalls.send(number, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        case .chunk(let bytes, let offset, let started):
            total = bytes.count - offset
            tick = started
            result = bytes.withUnsafeBytes {
                StreamCalls.send(number, UnsafeRawBufferPointer(rebasing: $0[offset...]))
            }
        }
        let (endings, didClear) = state.withLock { state in
            var endings = StreamState.Endings()
            let count = (try? result.get()) ?? 0
            let (ended, didClear) = state.write.endFlush(count, of: total, tick: tick)
            for send in ended {
                endings.add(state.endSender(send.ticket, nil))
            }
            state.noteActivity()
            if case .failure(let error) = result, error != .wouldBlock {
                state.outputFailed(error, &endings)
            } else {
                state.settleGivenUp(&endings)
                state.tellDrained()
            }
            return (endings, didClear)
        }
        if didClear { rearm(.write) }
        endings.perform()
    }
}

extension StreamState {
    /// Why nothing can be sent now; nil when something can.
    fileprivate mutating func refusalOfSending() -> Failure? {
        if life.isClosing { return .closed }
        if life.phase != .open { return .notConnected }
        if let outputError { return .system(outputError, .send, sent: 0, remaining: 0) }
        return nil
    }

    fileprivate mutating func wantsTurnAfterWriting() -> Bool {
        write.canFlush || write.mustShutDown || life.request != nil || life.phase > .open
    }

    fileprivate mutating func enqueueSend(_ remainder: WriteMachine.Remainder, atFront: Bool = false) -> Ticket {
        let ticket = nextTicket()
        write.enqueue(remainder, ticket: ticket, atFront: atFront)
        senders.append(Sender(ticket: ticket))
        return ticket
    }

    /// A send met an error that no retry mends: the queue is dropped. An open socket is not closed here: what the peer
    /// sent before is still to be read, and behind it the read side finds the end by itself.
    fileprivate mutating func outputFailed(_ error: SystemError, _ endings: inout Endings) {
        for ended in write.dropAll() {
            let failure = Failure.system(error, .send, sent: ended.sent, remaining: ended.remaining)
            endings.add(endSender(ended.ticket, failure), failure)
        }
        // Later sends are told the same, instead of waiting for room that never comes.
        outputError = error
        if life.phase == .flushing || read.isExhausted {
            wasFailureReported = !endings.isEmpty || life.phase == .open
            life.close(.failed(.system(error, .send)))
        }
    }
}
