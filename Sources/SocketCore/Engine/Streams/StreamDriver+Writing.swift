// Bytes to the kernel: at once when nothing is before them, else queued and written when there is room.
extension StreamDriver {
    /// Bytes to send: borrowed for the first try, owned once they have to wait.
    package enum Source {
        case array([UInt8])
        /// The same, taken out of another stream: a send that is given up leaves them in the queue.
        case taken([UInt8])
        case borrowed(UnsafeRawBufferPointer)
        /// Several, as if they were one.
        case parts([[UInt8]])
        /// Urgent data.
        case urgent(UInt8)
        /// Descriptors that travel with the first byte.
        case accompanied([UInt8], PassedDescriptors)
        /// So many bytes, taken out of another stream as well.
        case pipe(Pipe, Int)

        fileprivate var count: Int {
            switch self {
            case .urgent: 1
            case .array(let array), .taken(let array), .accompanied(let array, _): array.count
            case .pipe(_, let count): count
            case .borrowed(let bytes): bytes.count
            case .parts(let parts): parts.reduce(0) { $0 + $1.count }
            }
        }

        /// How many of the bytes one call offers to the kernel.
        func offered(of size: Int) -> Int {
            guard case .parts(let parts) = self, parts.count > StreamCalls.mostParts else { return size }
            return parts.prefix(StreamCalls.mostParts).reduce(0) { $0 + $1.count }
        }

        func send(_ number: Int32) -> SystemResult<Int> {
            switch self {
            case .array(let array), .taken(let array): array.withUnsafeBytes { StreamCalls.send(number, $0) }
            case .borrowed(let bytes): StreamCalls.send(number, bytes)
            case .parts(let parts): StreamCalls.send(number, parts)
            case .urgent(let byte): StreamCalls.sendUrgent(number, byte)
            case .accompanied(let array, let passed):
                array.withUnsafeBytes { LocalCalls.send(number, $0, with: passed) }
            case .pipe(let pipe, let count): pipe.empty(into: number, upTo: count)
            }
        }

        /// What is left after `sent` bytes. An array is kept whole; others are copied, without those sent.
        fileprivate func remainder(after sent: Int) -> WriteMachine.Remainder {
            switch self {
            case .array(let array): WriteMachine.Remainder(bytes: array, offset: sent, sentBefore: 0)
            case .taken(let array):
                WriteMachine.Remainder(
                    .bytes(array), offset: sent, count: array.count - sent, sent: sent, isTaken: true)
            case .borrowed(let bytes):
                WriteMachine.Remainder(bytes: [UInt8](bytes[sent...]), offset: 0, sentBefore: sent)
            case .parts(let parts):
                WriteMachine.Remainder(bytes: Source.join(parts, from: sent), offset: 0, sentBefore: sent)
            case .urgent(let byte): WriteMachine.Remainder(.urgent(byte), offset: 0, count: 1, sent: 0)
            case .accompanied(let array, let passed):
                WriteMachine.Remainder(
                    .accompanied(array, passed), offset: sent, count: array.count - sent, sent: sent)
            case .pipe(let pipe, let count):
                WriteMachine.Remainder(.pipe(pipe), offset: 0, count: count - sent, sent: sent, isTaken: true)
            }
        }

        /// Whole arrays at a time: a lazily joined collection would go byte by byte.
        static func join(_ parts: [[UInt8]], from start: Int) -> [UInt8] {
            var joined: [UInt8] = []
            joined.reserveCapacity(parts.reduce(-start) { $0 + $1.count })
            var skipped = start
            for part in parts {
                joined += part.dropFirst(skipped)
                skipped = max(0, skipped - part.count)
            }
            return joined
        }

        fileprivate func framed(by framer: Framer) throws(Failure) -> Source {
            switch self {
            case .borrowed(let bytes): .array(try framer.frame(Span(_unsafeBytes: bytes)))
            case .array(let array), .taken(let array): .array(try framer.frame(array.span))
            case .parts(let parts): .array(try framer.frame(Source.join(parts, from: 0).span))
            case .accompanied(let array, let passed): .accompanied(try framer.frame(array.span), passed)
            case .urgent, .pipe: self
            }
        }
    }

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
    /// `completion` is queued with the last byte, and only then: when the outcome is `.sent`. Unless it `isAwaited`, nobody
    /// asks for the end of what is queued.
    package func beginSend(
        _ source: Source, completion: SendCompletion? = nil, isAwaited: Bool = true, isFramed: Bool = false
    ) -> SendOutcome {
        enum Admission {
            case frame(Framer)
            case write(Int32, tick: UInt32)
            case outcome(SendOutcome)
        }
        let size = source.count
        let admission: Admission = withState { state in
            if let failure = state.refusalOfSending() { return .outcome(.failed(failure)) }
            // In here, behind the check that it is open: until then `isPlain` may change.
            if !isPlain, let failure = refusal(of: source, size) { return .outcome(.failed(failure)) }
            if let framer = state.framer, !isFramed { return .frame(framer) }
            if size == 0 {
                if let completion { state.outbox.append(.sent(completion)) }
                return .outcome(.sent(mustYield: false))
            }
            switch state.write.admit() {
            case .finished: return .outcome(.failed(.invalidState(.finished)))
            case .queue:
                state.counts.messagesSent += 1
                return .outcome(.queued(state.enqueueSend(source.remainder(after: 0), isAwaited: isAwaited)))
            case .write(let tick):
                guard let number = state.descriptor.lend() else { return .outcome(.failed(.closed)) }
                state.counts.messagesSent += 1
                return .write(number, tick: tick)
            }
        }
        switch admission {
        case .frame(let framer):
            do throws(Failure) {
                return beginSend(
                    try source.framed(by: framer), completion: completion, isAwaited: isAwaited, isFramed: true)
            } catch {
                return .failed(error)
            }
        case .outcome(let outcome):
            if completion != nil { requestTurn() }
            return outcome
        case .write(let number, let tick): return write(source, size, number, tick, completion, isAwaited)
        }
    }

    @inline(__always)
    private func write(
        _ source: Source, _ size: Int, _ number: Int32, _ tick: UInt32, _ completion: SendCompletion?,
        _ isAwaited: Bool
    ) -> SendOutcome {
        let (result, offered, begun) =
            isPlain ? (source.send(number), source.offered(of: size), 0) : sendSpecially(source, size, number)
        var endings = StreamState.Endings()
        let (outcome, didClear, mustTurn): (SendOutcome, Bool, Bool) = withState { state in
            _ = state.descriptor.giveBack()
            let count = (try? result.get()) ?? 0
            let failsAlone = state.failsAlone(result)
            let didClear = state.write.wrote(count, of: failsAlone ? count : offered, tick: tick, begun: begun)
            state.noteSent(count)
            if case .failure(let error) = result, error != .wouldBlock {
                if !failsAlone { state.outputFailed(error, hasCaller: true, &endings) }
                return (.failed(state.failure(error, .send, sent: 0, remaining: size)), didClear, true)
            }
            // What others queued during this write goes out next, and a close that waited for it goes on.
            if count == size {
                if let completion {
                    state.outbox.append(.sent(completion))
                    return (.sent(mustYield: false), didClear, true)
                }
                return (.sent(mustYield: state.servedAtOnce()), didClear, state.wantsTurnAfterWriting())
            }
            if state.life.isClosed {
                // Reset meanwhile: those who waited have been told, and nobody would tell this one.
                let ended = state.life.failure ?? .aborted()
                return (.failed(ended.with(sent: count, remaining: size - count)), didClear, false)
            }
            let ticket = state.enqueueSend(
                source.remainder(after: count), atFront: true, isAwaited: isAwaited)
            return (.queued(ticket), didClear, state.wantsTurnAfterWriting())
        }
        if didClear { rearm(.write) }
        endings.perform()
        if mustTurn { requestTurn() }
        return outcome
    }

    /// Sends, with nobody to hear how it ends: a failure is told by `error`. False when the queue is full, and `drain` will
    /// tell when it is not.
    package func write(_ source: Source) -> Bool {
        switch beginSend(source, isAwaited: false) {
        case .sent: return true
        case .queued:
            let (hasRoom, mustTurn) = withState { (!$0.write.needsDrain, $0.use()) }
            if mustTurn { requestTurn() }
            return hasRoom
        case .failed(let failure):
            let mustTurn = withState { state in
                state.outbox.emit(.error(failure, peer.family == nil ? nil : peer))
                return !state.outbox.isEmpty
            }
            if mustTurn { requestTurn() }
            return true
        }
    }

    /// Sends as much as the kernel takes now, and queues nothing. Less than everything: `drain` tells when there is room.
    package func trySend(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Int {
        if let local, let failure = local.refusal(of: .borrowed(bytes), bytes.count) { throw failure }
        let admitted: (number: Int32, tick: UInt32)? = try withState { state throws(Failure) in
            if let failure = state.refusalOfSending() { throw failure }
            if state.framer != nil { throw .invalidState(.framed) }
            if bytes.isEmpty { return nil }
            switch state.write.admit() {
            case .finished: throw .invalidState(.finished)
            case .queue:
                state.write.missRoom()
                return nil
            case .write(let tick):
                guard let number = state.descriptor.lend() else { throw .closed }
                return (number, tick)
            }
        }
        guard let admitted else { return 0 }
        let (result, _, begun) =
            isPlain
            ? (StreamCalls.send(admitted.number, bytes), 0, 0)
            : sendSpecially(.borrowed(bytes), bytes.count, admitted.number)
        var endings = StreamState.Endings()
        let (count, didClear, mustTurn) = withState { state in
            _ = state.descriptor.giveBack()
            let sent = (try? result.get()) ?? 0
            let failsAlone = state.failsAlone(result)
            let didClear = state.write.wrote(
                sent, of: failsAlone ? sent : bytes.count, tick: admitted.tick, begun: begun)
            state.noteSent(sent)
            // What has begun to go out is taken, and the rest of it goes out by itself.
            let count = sent + begun
            if begun > 0, !state.life.isClosed {
                let record = [UInt8](bytes[sent..<count])
                state.write.enqueue(WriteMachine.Remainder(bytes: record), ticket: state.nextTicket(), atFront: true)
            }
            if count < bytes.count { state.write.missRoom() }
            if count > 0 { state.counts.messagesSent += 1 }
            if case .failure(let error) = result, error != .wouldBlock, !failsAlone {
                state.outputFailed(error, hasCaller: true, &endings)
            }
            return (count, didClear, state.wantsTurnAfterWriting() || !endings.isEmpty || state.use())
        }
        if didClear { rearm(.write) }
        endings.perform()
        if mustTurn { requestTurn() }
        if case .failure(let error) = result, error != .wouldBlock {
            throw failure(error, .send, sent: 0, remaining: bytes.count)
        }
        return count
    }

    /// Waits until a queued send has ended.
    package func waitForSend(_ ticket: Ticket, timeout: Duration?) async throws(Failure) {
        let deadline = Instant.after(timeout)
        let failure: Failure?
        if servingTask.isCurrent {
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

    /// The completion form: `completion` is told in the socket's order of events.
    package func send(
        _ source: Source, timeout: Duration?, isFramed: Bool = false, _ completion: SendCompletion
    ) {
        switch beginSend(source, completion: completion, isFramed: isFramed) {
        case .sent: break
        case .failed(let failure): complete { [self] in completion.call(self, failure) }
        case .queued(let ticket): awaitSend(ticket, timeout: timeout, completion)
        }
    }

    /// The completion form of `waitForSend`.
    package func awaitSend(_ ticket: Ticket, timeout: Duration?, _ completion: SendCompletion) {
        let waiter = Waiter.handler { [self] failure in complete { [self] in completion.call(self, failure) } }
        awaitSend(ticket, waiter, .after(timeout), isServing: false)
    }

    private func awaitSend(_ ticket: Ticket, _ waiter: Waiter, _ deadline: Instant, isServing: Bool) {
        let (isOver, failure, mustTurn): (Bool, Failure?, Bool) = withState { state in
            guard let rare = state.rareIfAny, let index = rare.senders.firstIndex(where: { $0.ticket == ticket }) else {
                return (true, .cancelled(), false)
            }
            if rare.senders[index].isOver {
                return (true, rare.senders.remove(at: index).failure, false)
            }
            rare.senders[index].waiting = Waiting(
                ticket: ticket, waiter: waiter, deadline: deadline, isServing: isServing)
            if isServing, state.serving == .cancelled, let failure = state.withdraw(ticket, .cancelled()) {
                return (true, failure, true)
            }
            state.servedInARow = 0
            if deadline != .never { state.mayExpire = true }
            return (false, nil, state.use() || state.isEarliest(deadline))
        }
        if isOver { waiter.resume(failure) }
        if mustTurn { requestTurn() }
    }

    private func cancelSend(_ ticket: Ticket) {
        let (waiter, failure): (Waiter?, Failure?) = withState { state in
            guard let sender = state.rareIfAny?.senders.first(where: { $0.ticket == ticket }),
                let waiting = sender.waiting,
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

    private func send(_ number: Int32, _ bytes: UnsafeRawBufferPointer) -> SystemResult<Int> {
        isPlain ? StreamCalls.send(number, bytes) : sendSpecially(.borrowed(bytes), bytes.count, number).result
    }

    /// Writes from the queue.
    func flush(_ number: Int32) {
        let buffer = Scratch.buffer
        guard let batch = withState({ $0.write.beginFlush(into: buffer) }) else { return }
        let result: SystemResult<Int>
        let total: Int
        let tick: UInt32
        var lack: Failure?
        switch batch {
        case .copied(let count, let started):
            total = count
            tick = started
            result = send(number, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        case .piece(let content, let offset, let count, let started):
            total = count
            tick = started
            switch content {
            case .bytes(let bytes):
                result = bytes.withUnsafeBytes {
                    send(number, UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
                }
            case .urgent(let byte): result = StreamCalls.sendUrgent(number, byte)
            case .accompanied(let bytes, let passed):
                result = bytes.withUnsafeBytes {
                    let piece = UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])
                    return offset == 0 ? LocalCalls.send(number, piece, with: passed) : StreamCalls.send(number, piece)
                }
            case .pipe(let pipe): result = pipe.empty(into: number, upTo: count)
            case .file(let file):
                (result, lack) =
                    cipher.map { file.send(count, from: offset, to: number, through: $0) }
                    ?? file.send(count, from: offset, to: number)
            }
        }
        let begun = isPlain ? 0 : cipher?.begunCount ?? 0
        let (endings, didClear) = withState { state in
            var endings = StreamState.Endings()
            let count = (try? result.get()) ?? 0
            if case .failure(let error) = result, state.failsAlone(result) { lack = .system(error, .send) }
            // What was not there, or is too long ever to be taken, was not refused for want of room.
            let (ended, didClear) = state.write.endFlush(
                count, of: lack == nil ? total : count, tick: tick, begun: begun)
            for send in ended {
                endings.add(state.endSender(send.ticket, nil))
            }
            if let lack { state.contentFailed(lack, &endings) }
            state.noteSent(count)
            if case .failure(let error) = result, error != .wouldBlock, lack == nil {
                state.outputFailed(error, hasCaller: false, &endings)
            } else {
                state.settleGivenUp(&endings)
                state.tellDrained()
            }
            return (endings, didClear)
        }
        if didClear { rearm(.write) }
        endings.perform()
        if case .piece(.file(let file), let offset, _, _) = batch {
            report(offset + ((try? result.get()) ?? 0), of: file)
        }
    }
}

extension StreamState {
    /// Why nothing can be sent now; nil when something can.
    mutating func refusalOfSending() -> Failure? {
        if life.isClosing { return .closed }
        if life.phase != .open { return .notConnected }
        if let outputError = rareIfAny?.outputError { return failure(outputError, .send) }
        return nil
    }

    fileprivate mutating func noteSent(_ count: Int) {
        counts.bytesSent += UInt64(count)
        noteActivity()
    }

    fileprivate mutating func wantsTurnAfterWriting() -> Bool {
        write.wantsFlush || write.mustShutDown || life.request != nil || life.phase > .open
    }

    mutating func enqueueSend(
        _ remainder: WriteMachine.Remainder, atFront: Bool = false, isAwaited: Bool = true
    ) -> Ticket {
        let ticket = nextTicket()
        write.enqueue(remainder, ticket: ticket, atFront: atFront)
        if isAwaited { rare.senders.append(Sender(ticket: ticket)) }
        return ticket
    }

    /// What the queue's head was to send is not there. None of it is out: that send fails alone. Otherwise the stream can
    /// never be whole, and is broken off.
    fileprivate mutating func contentFailed(_ failure: Failure, _ endings: inout Endings) {
        let hasBegun = write.begunCount > 0
        guard let ended = write.dropHead() else { return }
        let failure = failure.with(sent: ended.sent, remaining: ended.remaining)
        let waiter = endSender(ended.ticket, failure)
        endings.add(waiter, failure)
        guard ended.sent > 0 || hasBegun else { return }
        wasFailureReported = waiter != nil
        wantsReset = true
        life.close(.failed(failure))
    }

    /// Whether a send failed that took nothing with it: a message longer than the kernel's queue, of a socket that keeps
    /// the bounds of messages, or more descriptors than may be under way.
    fileprivate func failsAlone(_ result: SystemResult<Int>) -> Bool {
        guard case .failure(let error) = result else { return false }
        return error == .messageTooLong && write.keepsBounds || error == .tooManyReferences
    }

    /// A send met an error that no retry mends: the queue is dropped. An open socket is not closed here: what the peer
    /// sent before is still to be read, and behind it the read side finds the end by itself. `hasCaller`: the call that met
    /// it tells of it.
    fileprivate mutating func outputFailed(_ error: SystemError, hasCaller: Bool, _ endings: inout Endings) {
        for ended in write.dropAll() {
            let failure = failure(error, .send, sent: ended.sent, remaining: ended.remaining)
            endings.add(endSender(ended.ticket, failure), failure)
        }
        // Later sends are told the same, instead of waiting for room that never comes.
        let wasReported = hasCaller || !endings.isEmpty
        rare.outputError = error
        rare.wasOutputErrorReported = wasReported
        if life.phase == .flushing || read.isExhausted {
            wasFailureReported = wasReported
            life.close(.failed(failure(error, .send)))
        }
    }
}
