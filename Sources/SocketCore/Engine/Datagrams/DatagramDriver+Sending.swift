// Datagrams on their way out.
extension DatagramDriver {
    /// How often a datagram is sent again because of other datagrams' errors.
    private static let retryLimit = 16

    /// How far a send came without waiting.
    enum SendOutcome {
        /// The kernel has taken it. `mustYield`: the caller has been served many times in a row; see `yieldTurn`.
        case sent(mustYield: Bool)
        /// It is queued: its completion will hear, or who waits for the ticket.
        case queued(Ticket)
        case failed(Failure)
    }

    // MARK: One

    /// Sends one datagram, to the connected peer if there is no destination; returns when the kernel has taken it.
    @inline(__always)
    package func send(_ bytes: [UInt8], to destination: SocketAddress?, timeout: Duration?) async throws(Failure) {
        let (outcome, hasBound) = bindAndBegin(destination) { beginSend(bytes, destination) }
        // The ordinary end, without another async call.
        if case .sent(mustYield: false) = outcome, !hasBound { return }
        let failure = await finish(outcome, timeout)
        // Whatever became of the datagram, the listeners of "listening" come first.
        if hasBound { await deliverPending() }
        if let failure { throw failure }
    }

    /// The completion form.
    package func send(
        _ bytes: [UInt8], to destination: SocketAddress?, timeout: Duration?,
        _ body: @escaping DatagramWriteMachine.Completion
    ) {
        let queued = timeout == nil ? body : nil
        switch bindAndBegin(destination, { beginSend(bytes, destination, queued) }).outcome {
        case .sent: complete(.sentDatagram(body))
        case .failed(let failure): complete { body(failure) }
        case .queued(let ticket): if queued == nil { awaitSend(ticket, handler(body), .after(timeout)) }
        }
    }

    /// Begins to send; first binds a socket that is not bound.
    private func bindAndBegin(
        _ destination: SocketAddress?, _ begin: () -> SendOutcome
    ) -> (outcome: SendOutcome, hasBound: Bool) {
        let outcome = begin()
        guard case .failed(.invalidState(.notBound)) = outcome, let destination else { return (outcome, false) }
        do throws(Failure) {
            let hasBound = try bindIfNeeded(for: destination)
            return (begin(), hasBound)
        } catch {
            return (.failed(error), false)
        }
    }

    private func handler(_ body: @escaping DatagramWriteMachine.Completion) -> Waiter {
        .handler { [self] failure in complete { body(failure) } }
    }

    /// Waits until what is queued has ended, unless it has. Returns how.
    private func finish(_ outcome: SendOutcome, _ timeout: Duration?) async -> Failure? {
        switch outcome {
        case .sent(let mustYield):
            if mustYield { await yieldTurn() }
            return nil
        case .failed(let failure): return failure
        case .queued(let ticket):
            let deadline = Instant.after(timeout)
            return await Waiter.wait { waiter in
                awaitSend(ticket, waiter, deadline)
            } onCancel: { [self] in
                cancelSend(ticket)
            }
        }
    }

    /// Sends now if nobody is before, and there is room; queues otherwise. `completion` is for the queue only.
    private func beginSend(
        _ bytes: [UInt8], _ destination: SocketAddress?, _ completion: DatagramWriteMachine.Completion? = nil
    ) -> SendOutcome {
        enum Admission {
            case write(Int32, tick: UInt32, DatagramCalls.Outgoing)
            case outcome(SendOutcome)
        }
        let admission: Admission = state.withLock { state in
            if let failure = state.refusalOfSending(bytes.count, destination) { return .outcome(.failed(failure)) }
            switch state.address(destination) {
            case .failure(let failure): return .outcome(.failed(failure))
            case .success(let address):
                let datagram = DatagramCalls.Outgoing(bytes: bytes, destination: address)
                state.counts.messagesSent += 1
                switch state.write.admit() {
                case .queue: return .outcome(.queued(state.enqueue(datagram, completion)))
                case .write(let tick):
                    guard let number = state.descriptor.lend() else { return .outcome(.failed(.closed)) }
                    return .write(number, tick: tick, datagram)
                }
            }
        }
        switch admission {
        case .outcome(let outcome): return outcome
        case .write(let number, let tick, let datagram):
            let result = sendOnce(number, datagram)
            return endWriting(tick, result) { state in
                switch result {
                case .success:
                    state.counts.bytesSent += UInt64(bytes.count)
                    return .sent(mustYield: state.servedAtOnce())
                case .failure(.wouldBlock): return .queued(state.enqueue(datagram, completion, isFirst: true))
                case .failure(let error): return .failed(.system(error, .sendTo, sent: 0, remaining: bytes.count))
                }
            }
        }
    }

    private func endWriting(
        _ tick: UInt32, _ result: SystemResult<Void>, _ outcome: (inout DatagramState) -> SendOutcome
    ) -> SendOutcome {
        let isBlocked = if case .failure(.wouldBlock) = result { true } else { false }
        let (outcome, didClear, mustTurn) = state.withLock { state in
            _ = state.descriptor.giveBack()
            state.noteActivity()
            if isBlocked { state.noteBlocked() }
            let didClear = state.write.wrote(isBlocked: isBlocked, tick: tick)
            return (outcome(&state), didClear, isBlocked || state.wantsTurnAfterWriting())
        }
        if didClear { rearm(.write) }
        if mustTurn { requestTurn() }
        return outcome
    }

    // MARK: Many

    /// Sends a batch, in order; returns when each datagram has gone or been refused. Throws the first refusal, with the
    /// bytes of all that went and all that did not.
    package func send(batch: [DatagramCalls.Outgoing], timeout: Duration?) async throws(Failure) {
        guard let first = batch.first else { return }
        let (outcome, hasBound) = bindAndBegin(first.receiver) { beginSend(batch) }
        let failure = await finish(outcome, timeout)
        if hasBound { await deliverPending() }
        if let failure { throw failure }
    }

    /// The completion form.
    package func send(
        batch: [DatagramCalls.Outgoing], timeout: Duration?, _ body: @escaping DatagramWriteMachine.Completion
    ) {
        guard let first = batch.first else { return complete { body(nil) } }
        switch bindAndBegin(first.receiver, { beginSend(batch) }).outcome {
        case .sent: complete(.sentDatagram(body))
        case .failed(let failure): complete { body(failure) }
        case .queued(let ticket): awaitSend(ticket, handler(body), .after(timeout))
        }
    }

    private func beginSend(_ batch: [DatagramCalls.Outgoing]) -> SendOutcome {
        enum Admission {
            case write(Int32, tick: UInt32, [DatagramCalls.Outgoing])
            case outcome(SendOutcome)
        }
        let size = batch.reduce(0) { $0 + $1.bytes.count }
        let admission: Admission = state.withLock { state in
            if let failure = state.refusalOfSending(size, batch.first?.receiver) { return .outcome(.failed(failure)) }
            var addressed: [DatagramCalls.Outgoing] = []
            addressed.reserveCapacity(batch.count)
            for datagram in batch {
                switch state.address(datagram.receiver) {
                case .failure(let failure): return .outcome(.failed(failure))
                case .success(let address): addressed.append(.init(bytes: datagram.bytes, destination: address))
                }
            }
            state.counts.messagesSent += UInt64(batch.count)
            switch state.write.admit() {
            case .queue:
                let sender = DatagramState.Sender(ticket: state.nextTicket(), remaining: size, left: batch.count)
                state.enqueue(addressed[...], sender, isFirst: false)
                return .outcome(.queued(sender.ticket))
            case .write(let tick):
                guard let number = state.descriptor.lend() else { return .outcome(.failed(.closed)) }
                return .write(number, tick: tick, addressed)
            }
        }
        switch admission {
        case .outcome(let outcome): return outcome
        case .write(let number, let tick, let batch): return write(batch, size, number, tick)
        }
    }

    private func write(_ batch: [DatagramCalls.Outgoing], _ size: Int, _ number: Int32, _ tick: UInt32) -> SendOutcome {
        var sender = DatagramState.Sender(ticket: Ticket(number: 0), remaining: size, left: batch.count)
        var rest = batch[...]
        var end = SystemResult<Void>.success(())
        while !rest.isEmpty {
            let (count, error) = sendAll(number, rest)
            let sent = rest.prefix(count).reduce(0) { $0 + $1.bytes.count }
            sender.sent += sent
            sender.remaining -= sent
            rest = rest.dropFirst(count)
            guard let error else { break }
            if error == .wouldBlock {
                end = .failure(error)
                break
            }
            // One that is refused does not hold up the others.
            if sender.failure == nil { sender.failure = .system(error, .sendTo) }
            rest = rest.dropFirst()
        }
        return endWriting(tick, end) { state in
            state.counts.bytesSent += UInt64(sender.sent)
            if rest.isEmpty { return sender.result.map { .failed($0) } ?? .sent(mustYield: state.servedAtOnce()) }
            let ticket = state.nextTicket()
            state.enqueue(
                rest,
                DatagramState.Sender(
                    ticket: ticket, sent: sender.sent, remaining: sender.remaining, left: rest.count,
                    failure: sender.failure), isFirst: true)
            return .queued(ticket)
        }
    }

    // MARK: Waiting

    private func awaitSend(_ ticket: Ticket, _ waiter: Waiter, _ deadline: Instant) {
        let (isOver, failure, mustTurn): (Bool, Failure?, Bool) = state.withLock { state in
            guard let index = state.senders.firstIndex(where: { $0.ticket == ticket }) else {
                return (true, .cancelled(), false)
            }
            if state.senders[index].left == 0 { return (true, state.senders.remove(at: index).result, false) }
            state.senders[index].waiting = Waiting(ticket: ticket, waiter: waiter, deadline: deadline, isServing: false)
            return (false, nil, deadline < state.timer)
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
            // A close may have waited for this datagram only.
            requestTurn()
        }
    }

    // MARK: The calls

    private func sendOnce(_ number: Int32, _ datagram: DatagramCalls.Outgoing) -> SystemResult<Void> {
        retrying(number) {
            datagram.bytes.withUnsafeBytes { DatagramCalls.send(number, $0, to: datagram.destination) }
        }.map { _ in }
    }

    /// Sends what the queue gave out. Returns as `sendAll`.
    func send(_ number: Int32, _ flush: DatagramWriteMachine.Flush) -> (Int, SystemError?) {
        switch flush {
        case .several(let datagrams): sendAll(number, datagrams[...])
        case .one(let datagram):
            switch sendOnce(number, datagram) {
            case .success: (1, nil)
            case .failure(let error): (0, error)
            }
        }
    }

    /// Sends in order. Returns how many have gone, and why the next one has not.
    private func sendAll(_ number: Int32, _ datagrams: ArraySlice<DatagramCalls.Outgoing>) -> (Int, SystemError?) {
        var rest = datagrams
        let maySegment = state.withLock { $0.maySegment }
        while let first = rest.first {
            let isLast = rest.count == 1
            let result = retrying(number) {
                isLast
                    ? first.bytes.withUnsafeBytes { DatagramCalls.send(number, $0, to: first.destination) }
                    : DatagramCalls.send(number, rest, maySegment: maySegment)
            }
            switch result {
            case .success(let count): rest = rest.dropFirst(isLast ? 1 : count)
            case .failure(let error): return (datagrams.count - rest.count, error)
            }
        }
        return (datagrams.count, nil)
    }

    /// An ICMP error for an earlier datagram makes the next call fail (ip(7), IP_RECVERR): it is told as what it is, and
    /// the innocent datagram is sent again.
    private func retrying(_ number: Int32, _ attempt: () -> SystemResult<Int>) -> SystemResult<Int> {
        var result = attempt()
        // Several errors may wait, and the queue may have been emptied by the loop between the call and our look at it:
        // so the call is repeated without having found one, too. Bounded, since the error may be this call's own.
        var retries = 0
        while case .failure(let error) = result, !isLocal, error.isFromNetwork, retries < DatagramDriver.retryLimit {
            let wasFound = takeErrors(number)
            guard wasFound || retries == 0 || error == .connectionRefused else { break }
            retries += 1
            result = attempt()
        }
        return result
    }
}

extension SystemError {
    /// What an ICMP message turns into (ip(7)); never the fault of the call that returns it.
    fileprivate var isFromNetwork: Bool {
        switch self {
        case .connectionRefused, .hostUnreachable, .networkUnreachable, .protocolNotSupported, .operationNotSupported,
            .hostDown, .permissionDenied, .protocolError:
            true
        default: false
        }
    }
}

extension DatagramCalls.Outgoing {
    /// Where it goes; nil is the connected peer.
    fileprivate var receiver: SocketAddress? { destination.family == nil ? nil : destination }
}

extension DatagramState {
    /// Why nothing can be sent now; nil when something can.
    fileprivate func refusalOfSending(_ size: Int, _ destination: SocketAddress?) -> Failure? {
        switch phase {
        case .fresh: return destination == nil ? .notConnected : .invalidState(.notBound)
        case .flushing, .closed: return .closed
        case .bound:
            guard let sendQueueLimit, !write.isFlushed, write.queuedBytes + size > sendQueueLimit else { return nil }
            return .queueFull(limit: sendQueueLimit)
        }
    }

    /// What the kernel is told of where a datagram goes: nothing, when that is the connected peer.
    fileprivate func address(_ destination: SocketAddress?) -> Result<SocketAddress, Failure> {
        switch (destination, peer) {
        case (nil, nil): .failure(.notConnected)
        case (nil, .some): .success(.none)
        case (.some(let destination), nil): .success(destination)
        case (.some(let destination), .some(let peer)):
            destination == peer ? .success(.none) : .failure(.alreadyConnected)
        }
    }

    fileprivate mutating func wantsTurnAfterWriting() -> Bool { write.canFlush || phase > .bound }
}
