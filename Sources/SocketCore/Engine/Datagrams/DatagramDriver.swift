/// Does what the machines of a datagram socket decide.
package final class DatagramDriver: LoopClient, SocketDriver {
    /// The loop that this socket belongs to for life.
    package let loop: EventLoop
    // Kept alive, and its threads with it, as long as one of its sockets is.
    private let group: EventLoopGroup
    /// Its peers are on this machine.
    package let isLocal: Bool
    let state = Lock(DatagramState())

    // On the loop only.
    nonisolated(unsafe) private var token: PollToken?
    nonisolated(unsafe) private var timer: TimerHandle?
    nonisolated(unsafe) private var isServicing = false
    // Empty: kept for the memory it has, so that reading a datagram takes none but its own.
    nonisolated(unsafe) private var spare: [Datagram] = []
    nonisolated(unsafe) package var isLeftOver = false

    /// How many datagrams one turn reads at most, and how many bytes.
    private static let readBudget = 64
    private static let byteBudget = 256 * 1024
    /// How many deliveries: each may start the next one, as a completion that receives again does.
    private static let deliveryBudget = 32

    /// A socket without an address, on a loop of `group`.
    package init(group: EventLoopGroup, isLocal: Bool = false) {
        self.group = group
        self.isLocal = isLocal
        loop = group.next()
        if isLocal { state.withLock { $0.mayNotBeTold = true } }
    }

    // MARK: Turns

    func requestTurn() {
        if loop.isCurrent, isServicing { return }
        loop.schedule(self)
    }

    package func ready(_ events: PollEvents) {
        let step = state.withLock { state in
            // After an error too: it may have ended a read early, and a level-triggered poller has stopped watching.
            if !events.isDisjoint(with: [.readable, .error]) { state.read.ready(.readable) }
            state.write.ready(events)
            if events.contains(.error) { state.hasErrors = true }
            return state.step(mayRead: true)
        }
        service(step)
    }

    package func turn() {
        guard !isServicing else { return }
        service(state.withLock { $0.step(mayRead: true) })
    }

    package func deadlineReached(now: Instant) {
        timer = nil
        end(state.withLock { $0.expire(now: now) })
        turn()
    }

    private func service(_ first: DatagramState.Step) {
        isServicing = true
        defer { isServicing = false }
        var step = first
        var allowance = DatagramDriver.readBudget
        var bytes = DatagramDriver.byteBudget
        var deliveries = 0
        while true {
            switch step {
            case .nothing: return
            case .yield:
                loop.yieldTurn(self)
                return
            case .end(let ended): end(ended)
            case .register(let number): register(number)
            case .release(let number): release(number)
            case .deliver(let delivery):
                deliver(delivery)
                deliveries += 1
                guard deliveries < DatagramDriver.deliveryBudget else {
                    loop.yieldTurn(self)
                    return
                }
            case .takeErrors(let number): takeErrors(number)
            case .flush(let number): flush(number)
            case .resume(let waiter): waiter.resume()
            case .serveHandler(let number):
                let (count, size) = serveHandler(number)
                allowance -= max(1, count)
                bytes -= size
            case .read(let number, let slots, let tick):
                let batch = readForListeners(number, slots, tick)
                allowance -= max(1, batch.count)
                bytes -= batch.bytes
            case .tell(let datagrams):
                allowance -= datagrams.count
                tell(datagrams) { $0.beginTelling() }
            case .setTimer(let deadline):
                if let timer { loop.cancelTimer(timer) }
                timer = loop.setTimer(deadline, for: self)
            }
            step = state.withLock { $0.step(mayRead: allowance > 0 && bytes > 0) }
        }
    }

    func end(_ ended: [(Waiter, Failure?)]) {
        for (waiter, failure) in ended { waiter.resume(failure) }
    }

    private func register(_ number: Int32) {
        switch loop.register(number, for: self) {
        case .success(let token): self.token = token
        case .failure(let error):
            // Unwatched it would be deaf for ever.
            report(.system(error, .epoll), nil)
            state.withLock { $0.close() }
        }
    }

    private func release(_ number: Int32?) {
        if let token { loop.deregister(number, token) }
        token = nil
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        state.withLock { $0.boundPath.take() }?.remove()
        let closers = state.withLock { state in
            _ = state.descriptor.retire()
            defer { state.closers = [] }
            return state.closers
        }
        for waiter in closers { waiter.resume() }
    }

    private func deliver(_ delivery: Outbox.Delivery) {
        let context = state.withLock { $0.delivery }
        switch context {
        case .loop:
            perform(delivery)
            state.withLock { $0.outbox.endDelivery() }
        case .executor(let run):
            run { [self] in
                perform(delivery)
                state.withLock { $0.outbox.endDelivery() }
                loop.schedule(self)
            }
        }
    }

    private func perform(_ delivery: Outbox.Delivery) {
        if case .notReceivedDatagrams(let completion, let failure) = delivery.item {
            completion.call(self, .failure(failure))
        } else {
            delivery.perform()
        }
    }

    /// A level-triggered poller must be asked again.
    func rearm(_ direction: Direction) {
        guard loop.isLevelTriggered else { return }
        loop.execute { [self] in
            if let token { loop.rearm(token, direction) }
        }
    }

    // MARK: Reading for handlers and listeners

    /// An array to read into: mostly one that has room.
    private func takeSpare() -> [Datagram] {
        defer { spare = [] }
        return spare
    }

    private func keepSpare(_ datagrams: inout [Datagram]) {
        // Nothing is kept for a burst that is over.
        datagrams.removeAll(keepingCapacity: datagrams.capacity <= 16)
        swap(&datagrams, &spare)
    }

    /// The first who waits is a handler: reads for it. Returns what that brought.
    private func serveHandler(_ number: Int32) -> (count: Int, bytes: Int) {
        let (reader, kept, mostSlots, tick) = state.withLock { state in
            let reader = state.readers.popFirst(where: \.isHandler)
            // An error that another thread has met may have ended it just now.
            if reader == nil { state.read.relinquish() }
            return (reader, state.takeKept(reader?.waiter.wish.most ?? 0), state.slots, state.read.turn().tick)
        }
        guard let reader, case .handler(let completion) = reader.waiter.who else { return (0, 0) }
        let wish = reader.waiter.wish
        let wasKept = !kept.isEmpty
        var datagrams = wasKept ? kept : takeSpare()
        defer { keepSpare(&datagrams) }
        let result = wasKept ? .success(false) : receive(number, limit: min(wish.slots, mostSlots), into: &datagrams)
        let (didClear, isToldNow) = state.withLock { state in
            var didClear = false
            if wasKept {
                state.read.relinquish()
            } else {
                didClear = state.finishReading(result, datagrams, tick: tick)
            }
            if datagrams.isEmpty {
                state.readers.prepend(reader)
                return (didClear, false)
            }
            state.keep(beyond: wish, &datagrams)
            guard state.outbox.isIdle, state.delivery.isLoop else {
                state.outbox.append(.call { [self, datagrams] in completion.call(self, .success(datagrams)) })
                return (didClear, false)
            }
            state.outbox.beginDirectDelivery()
            return (didClear, true)
        }
        if didClear { rearm(.read) }
        if isToldNow {
            completion.call(self, .success(datagrams))
            state.withLock { $0.outbox.endDelivery() }
        }
        return (datagrams.count, datagrams.reduce(0) { $0 + $1.bytes.count })
    }

    private func readForListeners(_ number: Int32, _ slots: Int, _ tick: UInt32) -> (count: Int, bytes: Int) {
        var datagrams = takeSpare()
        defer { keepSpare(&datagrams) }
        let result = receive(number, limit: slots, into: &datagrams)
        let bytes = datagrams.reduce(0) { $0 + $1.bytes.count }
        var didClear = false
        if datagrams.isEmpty {
            didClear = state.withLock { $0.finishReading(result, datagrams, tick: tick) }
        } else {
            tell(datagrams) { state in
                didClear = state.finishReading(result, datagrams, tick: tick, keepsTurn: true)
                state.beginTelling()
            }
        }
        if didClear { rearm(.read) }
        return (datagrams.count, bytes)
    }

    /// Tells the listeners of datagrams, one by one. `begin` runs under the lock before the first.
    private func tell(_ datagrams: [Datagram], _ begin: (inout DatagramState) -> Void) {
        let context = state.withLock { state in
            begin(&state)
            return state.delivery
        }
        switch context {
        case .loop: tellNow(datagrams)
        case .executor(let run):
            run { [self] in
                tellNow(datagrams)
                loop.schedule(self)
            }
        }
    }

    private func tellNow(_ datagrams: [Datagram]) {
        var told = 0
        while told < datagrams.count, let listeners = state.withLock({ $0.hearMessage() }) {
            let datagram = datagrams[told]
            told += 1
            listeners.tell(.message(datagram.bytes, from: datagram.source, details: datagram.details))
        }
        state.withLock { $0.endTelling(datagrams[told...]) }
    }

    // MARK: Writing

    private func flush(_ number: Int32) {
        guard let (flush, tick) = state.withLock({ $0.write.beginFlush() }) else { return }
        let (count, error) = send(number, flush)
        let (ended, didClear) = state.withLock { $0.endFlush(count, error, tick: tick) }
        if didClear { rearm(.write) }
        end(ended)
    }

    // MARK: Errors

    /// Empties the error queue, telling each error with the destination it concerns. Returns whether there was one.
    @discardableResult
    func takeErrors(_ number: Int32) -> Bool {
        // No network, no queue of its errors: asking for one would take a datagram.
        if isLocal { return false }
        var found = false
        // Bounded: a peer that refuses everything must not keep the loop here.
        for _ in 0..<64 {
            guard case .success(let (error, destination)) = DatagramCalls.receiveError(number) else { break }
            found = true
            if error.rawValue != 0 { reportRefusal(.system(error, .sendTo), destination) }
        }
        if !found, case .success(.some(let error)) = OptionCalls.takeError(number) {
            found = true
            // Where there is a queue, this is the shadow of an entry that another thread has just taken, and tells.
            if !DatagramCalls.hasErrorQueue { reportRefusal(.system(error, .receiveMessage), nil) }
        }
        return found
    }

    /// Tells of an error that no call could report.
    func report(_ failure: Failure, _ address: SocketAddress?) {
        state.withLock { state in
            state.lastError = failure
            state.outbox.emit(.error(failure, address))
        }
        requestTurn()
    }

    private func reportRefusal(_ failure: Failure, _ address: SocketAddress?) {
        let waiter = state.withLock { $0.tellRefusal(failure, address) }
        waiter?.resume(failure)
        requestTurn()
    }
}
