// What a program asks of a datagram socket.
extension DatagramDriver {
    // MARK: Binding

    /// Opens, prepares and binds.
    package func bind(to address: SocketAddress) throws(Failure) {
        let options = try state.withLock { state throws(Failure) in
            try state.checkFresh()
            return state.options
        }
        let descriptor: OwnedDescriptor
        switch SocketCalls.open(address.family ?? .v4, .datagram, options, bindTo: address) {
        case .success(let opened): descriptor = opened
        case .failure(let error): throw Failure(error)
        }
        let local = try? SocketCalls.localAddress(descriptor.number).get()
        var owned: OwnedDescriptor? = consume descriptor
        try state.withLock { state throws(Failure) in
            // Checked again: another bind or a close may have come between.
            try state.checkFresh()
            if let descriptor = owned.take() { state.descriptor.adopt(descriptor) }
            state.local = local
            state.phase = .bound
            state.noteActivity()
            state.outbox.emit(.listening)
        }
        requestTurn()
    }

    /// Binds port 0 of the wildcard address of the destination's family, unless the socket is bound. Returns whether it
    /// had to.
    private func bindIfNeeded(for destination: SocketAddress) throws(Failure) -> Bool {
        guard state.withLock({ $0.phase == .fresh }) else { return false }
        do throws(Failure) {
            try bind(to: .any(destination.family ?? .v4))
            return true
        } catch .alreadyBound {
            // Another thread was first, which is as good.
            return false
        }
    }

    // MARK: Sending

    /// Sends one datagram; returns when the kernel has taken it.
    package func send(_ bytes: [UInt8], to destination: SocketAddress, timeout: Duration?) async throws(Failure) {
        let hasBound = try bindIfNeeded(for: destination)
        let failure: Failure?
        switch beginSend(bytes, destination) {
        case .sent: failure = nil
        case .failed(let met): failure = met
        case .queued(let ticket):
            let deadline = Instant.after(timeout)
            failure = await Waiter.wait { waiter in
                awaitSend(ticket, waiter, deadline)
            } onCancel: { [self] in
                cancelSend(ticket)
            }
        }
        // Whatever became of the datagram, the listeners of "listening" come first.
        if hasBound { await deliverPending() }
        if let failure { throw failure }
    }

    /// The completion form.
    package func send(
        _ bytes: [UInt8], to destination: SocketAddress, timeout: Duration?,
        _ body: @escaping @Sendable (Result<Void, Failure>) -> Void
    ) {
        do throws(Failure) {
            _ = try bindIfNeeded(for: destination)
        } catch {
            return complete { body(.failure(error)) }
        }
        switch beginSend(bytes, destination) {
        case .sent: complete { body(.success(())) }
        case .failed(let failure): complete { body(.failure(failure)) }
        case .queued(let ticket):
            let deadline = Instant.after(timeout)
            awaitSend(ticket, .handler { [self] failure in complete { body(Result(failure)) } }, deadline)
        }
    }

    private func beginSend(_ bytes: [UInt8], _ destination: SocketAddress) -> StreamDriver.SendOutcome {
        enum Admission {
            case write(Int32, tick: UInt32)
            case outcome(StreamDriver.SendOutcome)
        }
        let admission: Admission = state.withLock { state in
            guard state.phase == .bound else { return .outcome(.failed(.closed)) }
            switch state.write.admit() {
            case .queue: return .outcome(.queued(state.enqueue(bytes, destination)))
            case .write(let tick):
                guard let number = state.descriptor.lend() else { return .outcome(.failed(.closed)) }
                return .write(number, tick: tick)
            }
        }
        switch admission {
        case .outcome(let outcome): return outcome
        case .write(let number, let tick):
            let result = sendOnce(number, bytes, destination)
            let (outcome, didClear, mustTurn): (StreamDriver.SendOutcome, Bool, Bool) = state.withLock { state in
                _ = state.descriptor.giveBack()
                state.noteActivity()
                switch result {
                case .success:
                    let didClear = state.write.wrote(isBlocked: false, tick: tick)
                    return (.sent(mustYield: false), didClear, state.wantsTurnAfterWriting())
                case .failure(.wouldBlock):
                    let didClear = state.write.wrote(isBlocked: true, tick: tick)
                    return (.queued(state.enqueue(bytes, destination)), didClear, true)
                case .failure(let error):
                    let didClear = state.write.wrote(isBlocked: false, tick: tick)
                    let failure = Failure.system(error, .sendTo, sent: 0, remaining: bytes.count)
                    return (.failed(failure), didClear, state.wantsTurnAfterWriting())
                }
            }
            if didClear { rearm(.write) }
            if mustTurn { requestTurn() }
            return outcome
        }
    }

    private func awaitSend(_ ticket: Ticket, _ waiter: Waiter, _ deadline: Instant) {
        let (isOver, failure, mustTurn): (Bool, Failure?, Bool) = state.withLock { state in
            guard let index = state.senders.firstIndex(where: { $0.ticket == ticket }) else {
                return (true, .cancelled(), false)
            }
            if state.senders[index].isOver { return (true, state.senders.remove(at: index).failure, false) }
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

    // MARK: Receiving

    /// The next datagram.
    package func receive(timeout: Duration?) async throws(Failure) -> Datagram {
        var isNext = false
        var hasWaited = false
        let isEager = timeout.map { $0 <= .zero } ?? false
        let deadline = Instant.after(timeout)
        while true {
            if let result = try tryReceive(isNext: isNext, hasWaited: hasWaited, isEager: isEager) {
                isNext = false
                switch result {
                case .success(let datagram): return datagram
                case .failure(.wouldBlock): if isEager { throw .timedOut() }
                // Told through `error`, with the destination it concerns: not this call's failure.
                case .failure: break
                }
            } else {
                if isEager { throw .timedOut() }
                try await waitToRead(deadline)
                isNext = true
                hasWaited = true
            }
        }
    }

    /// The completion form.
    package func receive(timeout: Duration?, _ body: @escaping @Sendable (Result<Datagram, Failure>) -> Void) {
        let isEager = timeout.map { $0 <= .zero } ?? false
        receive(isNext: false, hasWaited: false, isEager: isEager, Instant.after(timeout), body)
    }

    private func receive(
        isNext: Bool, hasWaited: Bool, isEager: Bool, _ deadline: Instant,
        _ body: @escaping @Sendable (Result<Datagram, Failure>) -> Void
    ) {
        do throws(Failure) {
            if let result = try tryReceive(isNext: isNext, hasWaited: hasWaited, isEager: isEager) {
                switch result {
                case .success(let datagram): return complete { body(.success(datagram)) }
                case .failure(.wouldBlock) where isEager: throw .timedOut()
                case .failure:
                    return receive(isNext: false, hasWaited: hasWaited, isEager: isEager, deadline, body)
                }
            }
            if isEager { throw .timedOut() }
            enqueueReader(
                .handler { [self] failure in
                    if let failure { return complete { body(.failure(failure)) } }
                    receive(isNext: true, hasWaited: true, isEager: false, deadline, body)
                }, nil, deadline)
        } catch {
            complete { body(.failure(error)) }
        }
    }

    /// Takes a datagram, if it is the caller's turn; nil when it must wait. `hasWaited`: a message listener that came
    /// while this reader waited takes effect behind it.
    private func tryReceive(
        isNext: Bool, hasWaited: Bool, isEager: Bool
    ) throws(Failure) -> SystemResult<Datagram>? {
        enum Admission {
            case kept(Datagram)
            case read(Int32, tick: UInt32)
            case wait
        }
        let admission: Admission = try state.withLock { state throws(Failure) in
            if let failure = state.refusalOfReading(ignoresListeners: hasWaited) {
                if isNext { state.read.relinquish() }
                throw failure
            }
            let answer = state.read.admit(isNext: isNext, isEager: isEager, isQueueEmpty: state.readers.isEmpty)
            if case .turn(let turn) = answer {
                if let datagram = state.takeKept() {
                    state.read.relinquish()
                    return .kept(datagram)
                }
                if let number = state.descriptor.lend() { return .read(number, tick: turn.tick) }
            }
            if isNext { state.read.relinquish() }
            return .wait
        }
        switch admission {
        case .kept(let datagram): return .success(datagram)
        case .read(let number, let tick): return readOnce(number, tick)
        case .wait: return nil
        }
    }

    private func readOnce(_ number: Int32, _ tick: UInt32) -> SystemResult<Datagram> {
        let result = receive(number)
        let (didClear, mustTurn): (Bool, Bool) = state.withLock { state in
            _ = state.descriptor.giveBack()
            let didClear = state.finishReading(result, tick: tick)
            return (didClear, state.hasErrors || state.wantsTurnAfterReading())
        }
        if didClear { rearm(.read) }
        if mustTurn { requestTurn() }
        return result
    }

    private func waitToRead(_ deadline: Instant) async throws(Failure) {
        let ticket = state.withLock { $0.nextTicket() }
        let failure = await Waiter.wait { waiter in
            enqueueReader(waiter, ticket, deadline)
        } onCancel: { [self] in
            cancelReader(ticket)
        }
        if let failure { throw failure }
    }

    private func enqueueReader(_ waiter: Waiter, _ ticket: Ticket?, _ deadline: Instant) {
        let (refusal, mustTurn): (Failure?, Bool) = state.withLock { state in
            if let failure = state.refusalOfReading(ignoresListeners: true) { return (failure, false) }
            let ticket = ticket ?? state.nextTicket()
            state.readers.append(Waiting(ticket: ticket, waiter: waiter, deadline: deadline, isServing: false))
            return (nil, !state.isRegistered || deadline < state.timer || state.wantsTurnAfterReading())
        }
        if let refusal { waiter.resume(refusal) }
        if mustTurn { requestTurn() }
    }

    private func cancelReader(_ ticket: Ticket) {
        let waiting = state.withLock { $0.readers.remove(ticket) }
        waiting?.waiter.resume(.cancelled())
    }

    // MARK: Closing

    /// Sends what is queued, within the close time-out, and closes.
    package func close() async {
        _ = await Waiter.wait { close($0) }
    }

    /// The completion form.
    package func close(completion body: @escaping @Sendable () -> Void) {
        close(.handler { [self] _ in complete(body) })
    }

    private func close(_ waiter: Waiter) {
        let isDone = state.withLock { state in
            if state.phase == .closed { return true }
            state.close()
            state.closers.append(waiter)
            return false
        }
        if isDone { waiter.resume() } else { requestTurn() }
    }

    /// The program let go of the socket object.
    package func handleReleased() {
        let mustTurn = state.withLock { state in
            state.hasHandle = false
            return state.isRegistered
        }
        if mustTurn { requestTurn() }
    }
}

extension DatagramState {
    /// Whether a bind would fit.
    fileprivate mutating func checkFresh() throws(Failure) {
        switch phase {
        case .fresh: return
        case .bound: throw .alreadyBound
        case .flushing, .closed: throw .closed
        }
    }

    fileprivate mutating func refusalOfReading(ignoresListeners: Bool) -> Failure? {
        switch phase {
        case .flushing, .closed: ignoresListeners ? .aborted() : .closed
        case .fresh: .invalidState(.notBound)
        case .bound:
            !ignoresListeners && outbox.hasListener(.message) ? .invalidState(.messageListenerExists) : nil
        }
    }

    fileprivate mutating func wantsTurnAfterReading() -> Bool {
        var interest: ReadMachine.Interest = []
        if !readers.isEmpty { interest = .reader } else if outbox.hasListener(.message) { interest = .listeners }
        return !interest.isEmpty && read.hasDemand(interest)
    }

    fileprivate mutating func wantsTurnAfterWriting() -> Bool { write.canFlush || phase > .bound }

    fileprivate mutating func enqueue(_ bytes: [UInt8], _ destination: SocketAddress) -> Ticket {
        let ticket = nextTicket()
        write.enqueue(DatagramWriteMachine.Entry(ticket: ticket, bytes: bytes, destination: destination))
        senders.append(Sender(ticket: ticket, size: bytes.count))
        return ticket
    }
}
