/// Does what the machines of a datagram socket decide.
package final class DatagramDriver: LoopClient, SocketDriver {
    /// One datagram that arrived.
    package struct Datagram: Sendable {
        package let bytes: [UInt8]
        package let source: SocketAddress
        package let isTruncated: Bool
    }

    /// The loop that this socket belongs to for life.
    package let loop: EventLoop
    // Kept alive, and its threads with it, as long as one of its sockets is.
    private let group: EventLoopGroup
    let state = Lock(DatagramState())

    // On the loop only.
    nonisolated(unsafe) private var token: PollToken?
    nonisolated(unsafe) private var timer: TimerHandle?
    nonisolated(unsafe) private var isServicing = false
    nonisolated(unsafe) package var isLeftOver = false

    private static let readBudget = 16
    /// How often a datagram is sent again because of other datagrams' errors.
    private static let retryLimit = 16
    /// How many deliveries: each may start the next one, as a completion that receives again does.
    private static let deliveryBudget = 32

    /// A socket without an address, on a loop of `group`.
    package init(group: EventLoopGroup) {
        self.group = group
        loop = group.next()
    }

    // MARK: Turns

    func requestTurn() {
        if loop.isCurrent, isServicing { return }
        loop.schedule(self)
    }

    package func ready(_ events: PollEvents) {
        let step = state.withLock { state in
            state.read.ready(events.intersection([.readable]))
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
        for (waiter, failure) in state.withLock({ $0.expire(now: now) }) { waiter.resume(failure) }
        turn()
    }

    private func service(_ first: DatagramState.Step) {
        isServicing = true
        defer { isServicing = false }
        var step = first
        var reads = 0
        var deliveries = 0
        while true {
            switch step {
            case .nothing: return
            case .yield:
                loop.yieldTurn(self)
                return
            case .end(let ended): for (waiter, failure) in ended { waiter.resume(failure) }
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
            case .read(let number, let tick):
                reads += 1
                readForListeners(number, tick)
            case .setTimer(let deadline):
                if let timer { loop.cancelTimer(timer) }
                timer = loop.setTimer(deadline, for: self)
            }
            step = state.withLock { $0.step(mayRead: reads < DatagramDriver.readBudget) }
        }
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
            delivery.perform()
            state.withLock { $0.outbox.endDelivery() }
        case .executor(let run):
            run { [self] in
                delivery.perform()
                state.withLock { $0.outbox.endDelivery() }
                loop.schedule(self)
            }
        }
    }

    /// A level-triggered poller must be asked again.
    func rearm(_ direction: Direction) {
        guard loop.isLevelTriggered else { return }
        loop.execute { [self] in
            if let token { loop.rearm(token, direction) }
        }
    }

    // MARK: Reading

    private func readForListeners(_ number: Int32, _ tick: UInt32) {
        let result = receive(number)
        let didClear = state.withLock { state in
            if case .success(let datagram) = result { state.tell(datagram) }
            return state.finishReading(result, tick: tick)
        }
        if didClear { rearm(.read) }
    }

    /// One datagram into an array of its size.
    func receive(_ number: Int32) -> SystemResult<Datagram> {
        let buffer = Scratch.buffer
        return DatagramCalls.receive(number, into: buffer).map { received in
            Datagram(
                bytes: [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<received.count])), source: received.source,
                isTruncated: received.isTruncated)
        }
    }

    // MARK: Writing

    private func flush(_ number: Int32) {
        guard let (entry, tick) = state.withLock({ $0.write.beginFlush() }) else { return }
        let result = sendOnce(number, entry.bytes, entry.destination)
        let (waiter, failure, didClear): (Waiter?, Failure?, Bool) = state.withLock { state in
            if case .failure(.wouldBlock) = result {
                let didClear = state.write.endFlush(isBlocked: true, tick: tick)
                let givenUp = state.endBlocked(entry.ticket)
                return (givenUp?.waiter, givenUp?.failure, didClear)
            }
            let didClear = state.write.endFlush(isBlocked: false, tick: tick)
            var failure: Failure?
            if case .failure(let error) = result {
                failure = .system(error, .sendTo, sent: 0, remaining: entry.bytes.count)
            }
            state.noteActivity()
            state.tellDrained()
            return (state.endSender(entry.ticket, failure), failure, didClear)
        }
        if didClear { rearm(.write) }
        waiter?.resume(failure)
    }

    /// One sendto(2). An ICMP error for an earlier datagram makes the next call fail (ip(7), IP_RECVERR): it is told
    /// as what it is, and the innocent datagram is sent again.
    func sendOnce(_ number: Int32, _ bytes: [UInt8], _ destination: SocketAddress) -> SystemResult<Void> {
        func attempt() -> SystemResult<Int> {
            bytes.withUnsafeBytes { DatagramCalls.send(number, $0, to: destination) }
        }
        var result = attempt()
        // Several errors may wait, and the queue may have been emptied by the loop between the call and our look at it:
        // so the call is repeated without having found one, too. Bounded, since the error may be this call's own.
        var retries = 0
        while case .failure(let error) = result, error.isFromNetwork, retries < DatagramDriver.retryLimit {
            let wasFound = takeErrors(number)
            guard wasFound || retries == 0 || error == .connectionRefused else { break }
            retries += 1
            result = attempt()
        }
        return result.map { _ in }
    }

    /// Empties the error queue, telling each error with the destination it concerns. Returns whether there was one.
    @discardableResult
    private func takeErrors(_ number: Int32) -> Bool {
        var found = false
        // Bounded: a peer that refuses everything must not keep the loop here.
        for _ in 0..<64 {
            guard case .success(let (error, destination)) = DatagramCalls.receiveError(number) else { break }
            found = true
            if error.rawValue != 0 { report(.system(error, .sendTo), destination) }
        }
        if !found, case .success(.some(let error)) = OptionCalls.takeError(number) {
            found = true
            // Where there is a queue, this is the shadow of an entry that another thread has just taken, and tells.
            if !DatagramCalls.hasErrorQueue { report(.system(error, .receiveMessage), nil) }
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

extension DatagramState {
    /// Records what a read brought. Returns whether readiness was cleared.
    mutating func finishReading(_ result: SystemResult<DatagramDriver.Datagram>, tick: UInt32) -> Bool {
        switch result {
        case .success:
            noteActivity()
            // A count below the limit proves nothing: each call brings one datagram.
            return read.finish(.bytes(1, of: 1), tick: tick)
        case .failure(.wouldBlock):
            return read.finish(.wouldBlock, tick: tick)
        case .failure:
            // An ICMP error that came with the read: the error queue has the details.
            hasErrors = true
            return read.finish(.bytes(1, of: 1), tick: tick)
        }
    }
}
