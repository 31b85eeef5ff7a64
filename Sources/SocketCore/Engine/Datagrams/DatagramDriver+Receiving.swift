// Datagrams for those who ask for them.
extension DatagramDriver {
    /// How a reader wants its datagrams.
    package struct Wish: Sendable {
        /// How many at most.
        var most = 1
        /// How many receive slots the kernel may fill for it: what is more than it wants is kept for the next reader.
        var slots = 1
        /// Ends with an error that a connected peer has caused; otherwise that is an event only.
        var hearsErrors = true

        /// The next one.
        package static let one = Wish()
        /// The next one of many: others are read with it.
        package static let next = Wish(slots: 16, hearsErrors: false)
        /// As many as there are, up to a limit.
        package static func batch(_ most: Int, hearsErrors: Bool = true) -> Wish {
            Wish(most: most, slots: min(most, DatagramCalls.receiveLimit), hearsErrors: hearsErrors)
        }
    }

    /// The next datagram, if it has been read already, nobody is before the caller, and the loop need not look at others.
    package func takeNext() -> Datagram? { state.withLock { $0.takeNextKept() } }

    /// The next datagrams, at least one.
    package func receive(_ wish: Wish, timeout: Duration?) async throws(Failure) -> [Datagram] {
        var isNext = false
        var hasWaited = false
        let isEager = timeout.map { $0 <= .zero } ?? false
        let deadline = Instant.after(timeout)
        while true {
            let (datagrams, mustYield) = try tryReceive(wish, isNext: isNext, hasWaited: hasWaited, isEager: isEager)
            if !datagrams.isEmpty {
                if mustYield { await yieldTurn() }
                return datagrams
            }
            if isEager { throw .timedOut() }
            try await waitToRead(wish, deadline)
            isNext = true
            hasWaited = true
        }
    }

    /// The completion form.
    package func receive(
        _ wish: Wish, timeout: Duration?, _ body: @escaping @Sendable (Result<[Datagram], Failure>) -> Void
    ) {
        let isEager = timeout.map { $0 <= .zero } ?? false
        receive(wish, isNext: false, isEager: isEager, Instant.after(timeout), body)
    }

    private func receive(
        _ wish: Wish, isNext: Bool, isEager: Bool, _ deadline: Instant,
        _ body: @escaping @Sendable (Result<[Datagram], Failure>) -> Void
    ) {
        do throws(Failure) {
            let (datagrams, _) = try tryReceive(wish, isNext: isNext, hasWaited: isNext, isEager: isEager)
            if !datagrams.isEmpty { return complete { body(.success(datagrams)) } }
            if isEager { throw .timedOut() }
            let waiter = Waiter.handler { [self] failure in
                if let failure { return complete { body(.failure(failure)) } }
                receive(wish, isNext: true, isEager: false, deadline, body)
            }
            enqueueReader(DatagramState.Reader(waiter: waiter, hearsErrors: wish.hearsErrors), nil, deadline)
        } catch {
            complete { body(.failure(error)) }
        }
    }

    /// Takes datagrams, if it is the caller's turn; none when it must wait. `hasWaited`: a message listener that came
    /// while this reader waited takes effect behind it.
    private func tryReceive(
        _ wish: Wish, isNext: Bool, hasWaited: Bool, isEager: Bool
    ) throws(Failure) -> (datagrams: [Datagram], mustYield: Bool) {
        enum Admission {
            case kept([Datagram], mustYield: Bool)
            case read(Int32, slots: Int, tick: UInt32)
            case wait
        }
        var isNext = isNext
        while true {
            let admission: Admission = try state.withLock { state throws(Failure) in
                if let failure = state.refusalOfReading(wish, ignoresListeners: hasWaited) {
                    if isNext { state.read.relinquish() }
                    throw failure
                }
                let answer = state.read.admit(isNext: isNext, isEager: isEager, isQueueEmpty: state.readers.isEmpty)
                if case .turn(let turn) = answer {
                    let kept = state.takeKept(wish.most)
                    if !kept.isEmpty {
                        state.read.relinquish()
                        return .kept(kept, mustYield: state.servedAtOnce())
                    }
                    if let number = state.descriptor.lend() {
                        return .read(number, slots: min(wish.slots, state.slots), tick: turn.tick)
                    }
                }
                if isNext { state.read.relinquish() }
                return .wait
            }
            switch admission {
            case .kept(let datagrams, let mustYield): return (datagrams, mustYield)
            case .wait: return ([], false)
            case .read(let number, let slots, let tick):
                let (datagrams, mustYield, isOver) = readOnce(wish, number, slots, tick)
                if isOver { return (datagrams, mustYield) }
                isNext = false
            }
        }
    }

    /// `isOver`: there is a datagram, or nothing to be had; otherwise an error was met, which the loop looks at, and the
    /// next attempt may find one.
    private func readOnce(
        _ wish: Wish, _ number: Int32, _ slots: Int, _ tick: UInt32
    ) -> (datagrams: [Datagram], mustYield: Bool, isOver: Bool) {
        var datagrams: [Datagram] = []
        let result = receive(number, limit: slots, into: &datagrams)
        let (didClear, mustTurn, mustYield): (Bool, Bool, Bool) = state.withLock { state in
            _ = state.descriptor.giveBack()
            let didClear = state.finishReading(result, datagrams, tick: tick)
            if datagrams.count > wish.most {
                state.keep(datagrams[wish.most...])
                datagrams.removeSubrange(wish.most...)
            }
            return (didClear, state.hasErrors || state.wantsTurnAfterReading(), state.servedAtOnce())
        }
        if didClear { rearm(.read) }
        if mustTurn { requestTurn() }
        if case .failure(let error) = result, error != .wouldBlock { return ([], false, false) }
        return (datagrams, mustYield, true)
    }

    /// Datagrams as arrays of their sizes. Returns whether there is nothing more.
    func receive(_ number: Int32, limit: Int, into datagrams: inout [Datagram]) -> SystemResult<Bool> {
        DatagramCalls.receive(number, limit: limit) { incoming in
            datagrams.append(Datagram(bytes: Array(incoming.bytes), source: incoming.source, details: incoming.details))
        }
    }

    private func waitToRead(_ wish: Wish, _ deadline: Instant) async throws(Failure) {
        let ticket = state.withLock { $0.nextTicket() }
        let failure = await Waiter.wait { waiter in
            enqueueReader(DatagramState.Reader(waiter: waiter, hearsErrors: wish.hearsErrors), ticket, deadline)
        } onCancel: { [self] in
            cancelReader(ticket)
        }
        if let failure { throw failure }
    }

    private func enqueueReader(_ reader: DatagramState.Reader, _ ticket: Ticket?, _ deadline: Instant) {
        let (refusal, mustTurn): (Failure?, Bool) = state.withLock { state in
            let wish = Wish(hearsErrors: reader.hearsErrors)
            if let failure = state.refusalOfReading(wish, ignoresListeners: true) { return (failure, false) }
            let ticket = ticket ?? state.nextTicket()
            state.readers.append(Waiting(ticket: ticket, waiter: reader, deadline: deadline, isServing: false))
            return (nil, !state.isRegistered || deadline < state.timer || state.wantsTurnAfterReading())
        }
        if let refusal { reader.waiter.resume(refusal) }
        if mustTurn { requestTurn() }
    }

    private func cancelReader(_ ticket: Ticket) {
        let waiting = state.withLock { $0.readers.remove(ticket) }
        waiting?.waiter.waiter.resume(.cancelled())
    }

    /// Lets the loop look at its other descriptors, when the caller runs on it: a task that never finds anything to wait
    /// for would otherwise keep the loop for itself.
    func yieldTurn() async {
        guard loop.isCurrent else { return }
        _ = await Waiter.wait { waiter in loop.yieldTurn(Pause(waiter)) }
    }

    private final class Pause: LoopClient {
        private let waiter: Waiter
        init(_ waiter: Waiter) { self.waiter = waiter }
        func turn() { waiter.resume() }
    }
}

extension DatagramState {
    /// Records what a read brought. Returns whether readiness was cleared.
    mutating func finishReading(
        _ result: SystemResult<Bool>, _ datagrams: [Datagram], tick: UInt32, keepsTurn: Bool = false
    ) -> Bool {
        switch result {
        case .success(let isDrained):
            noteActivity()
            counts.messagesReceived += UInt64(datagrams.count)
            let bytes = datagrams.reduce(0) { $0 + $1.bytes.count }
            counts.bytesReceived += UInt64(bytes)
            adaptSlots(filled: datagrams.count, bytes)
            // As after "would block", with which the call ended behind what it brought.
            return read.finish(isDrained ? .wouldBlock : .bytes(1, of: 1), tick: tick, keepsTurn: keepsTurn)
        case .failure(.wouldBlock):
            return read.finish(.wouldBlock, tick: tick, keepsTurn: keepsTurn)
        case .failure:
            // An ICMP error that came with the read: the error queue has the details.
            hasErrors = true
            return read.finish(.bytes(1, of: 1), tick: tick, keepsTurn: keepsTurn)
        }
    }

    fileprivate mutating func refusalOfReading(_ wish: DatagramDriver.Wish, ignoresListeners: Bool) -> Failure? {
        switch phase {
        case .flushing, .closed: return ignoresListeners ? .aborted() : .closed
        case .fresh: return .invalidState(.notBound)
        case .bound:
            if !ignoresListeners, outbox.hasListener(.message) { return .invalidState(.messageListenerExists) }
            return wish.hearsErrors ? pendingError.take() : nil
        }
    }

    fileprivate mutating func wantsTurnAfterReading() -> Bool {
        var interest: ReadMachine.Interest = []
        if !readers.isEmpty { interest = .reader } else if outbox.hasListener(.message) { interest = .listeners }
        return !interest.isEmpty && read.hasDemand(interest)
    }
}
