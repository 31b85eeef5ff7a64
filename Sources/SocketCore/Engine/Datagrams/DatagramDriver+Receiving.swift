// Datagrams for those who ask for them.
extension DatagramDriver {
    /// How a reader wants its datagrams.
    package struct Wish: Sendable {
        // Short, because it is in the queue of readers, and that is moved about a lot.
        private let mostOfThem: Int32
        private let mostBytes: Int32
        /// Ends with an error that a connected peer has caused; otherwise that is an event only.
        let hearsErrors: Bool

        private init(most: Int, limit: Int, hearsErrors: Bool) {
            mostOfThem = Int32(clamping: most)
            mostBytes = Int32(clamping: limit)
            self.hearsErrors = hearsErrors
        }

        /// How many at most.
        var most: Int { Int(mostOfThem) }
        /// How many bytes of each.
        var limit: Int { Int(mostBytes) }
        /// How many receive slots the kernel may fill for it: what is more than it wants is kept for the next reader.
        var slots: Int { most == 1 ? 16 : min(most, DatagramCalls.receiveLimit) }

        /// The next one, of so many bytes at most.
        package static func one(upTo limit: Int = .max, hearsErrors: Bool = true) -> Wish {
            Wish(most: 1, limit: limit, hearsErrors: hearsErrors)
        }

        /// As many as there are, up to a limit.
        package static func batch(_ most: Int, hearsErrors: Bool = true) -> Wish {
            Wish(most: most, limit: .max, hearsErrors: hearsErrors)
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

    /// The completion form: the loop reads.
    package func receive(_ wish: Wish, timeout: Duration?, _ completion: DatagramsCompletion) {
        do throws(Failure) {
            guard let timeout, timeout <= .zero else {
                let reader = DatagramState.Reader(who: .handler(completion), wish: wish)
                return try enqueueReader(reader, nil, .after(timeout), ignoresListeners: false)
            }
            let (datagrams, _) = try tryReceive(wish, isNext: false, hasWaited: false, isEager: true)
            if datagrams.isEmpty { throw .timedOut() }
            complete { [self] in completion.call(self, .success(datagrams)) }
        } catch {
            complete(.notReceivedDatagrams(completion, error))
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
                    var kept = state.takeKept(wish.most)
                    if !kept.isEmpty {
                        state.keep(beyond: wish, &kept)
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
            state.keep(beyond: wish, &datagrams)
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
            do throws(Failure) {
                let reader = DatagramState.Reader(who: .task(waiter), wish: wish)
                try enqueueReader(reader, ticket, deadline, ignoresListeners: true)
            } catch {
                waiter.resume(error)
            }
        } onCancel: { [self] in
            cancelReader(ticket)
        }
        if let failure { throw failure }
    }

    private func enqueueReader(
        _ reader: DatagramState.Reader, _ ticket: Ticket?, _ deadline: Instant, ignoresListeners: Bool
    ) throws(Failure) {
        let mustTurn = try state.withLock { state throws(Failure) in
            if let failure = state.refusalOfReading(reader.wish, ignoresListeners: ignoresListeners) { throw failure }
            let ticket = ticket ?? state.nextTicket()
            state.readers.append(Waiting(ticket: ticket, waiter: reader, deadline: deadline, isServing: false))
            return !state.isRegistered || deadline < state.timer || state.wantsTurnAfterReading()
        }
        if mustTurn { requestTurn() }
    }

    private func cancelReader(_ ticket: Ticket) {
        let waiting = state.withLock { $0.readers.remove(ticket) }
        if case .task(let waiter)? = waiting?.waiter.who { waiter.resume(.cancelled()) }
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
    /// Keeps those that are more than somebody wants, and cuts the others.
    mutating func keep(beyond wish: DatagramDriver.Wish, _ datagrams: inout [Datagram]) {
        if datagrams.count > wish.most {
            keep(datagrams[wish.most...])
            datagrams.removeSubrange(wish.most...)
        }
        for index in datagrams.indices where datagrams[index].bytes.count > wish.limit {
            datagrams[index] = datagrams[index].prefix(wish.limit)
        }
    }

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
