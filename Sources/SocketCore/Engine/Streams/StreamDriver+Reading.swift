// Bytes from the kernel on the loop: for handlers and listeners, or to see whether anything is left.
extension StreamDriver {
    /// The first waiting task has the turn, and reads for itself.
    func resumeReader() {
        let waiter: Waiter? = withState { state in
            guard case .task(let waiter)? = state.readers.popFirst()?.waiter else {
                state.read.relinquish()
                return nil
            }
            return waiter
        }
        countRead(0)
        waiter?.resume()
    }

    /// One read for the handler that waits first. Returns the next step.
    func readForHandler(_ number: Int32, _ tick: UInt32) -> StreamState.Step {
        let arrival = arrive(number, upTo: Scratch.size)
        let received = arrival.result
        let result: Result<[UInt8]?, Failure>
        switch received {
        case .success(0): result = .success(nil)
        case .success: result = .success(arrival.bytes)
        case .failure(let error): result = .failure(failure(error, .receive))
        }
        countRead((try? received.get()) ?? 0)
        let (didClear, reader): (Bool, StreamState.Reader?) = withState { state in
            let didClear = state.finishReading(received, limit: arrival.limit, tick: tick)
            if case .failure(let error) = received {
                if error == .wouldBlock { return (didClear, nil) }
                state.wasFailureReported = true
            }
            guard let reader = state.readers.popFirst(where: \.isHandler) else {
                // It has been told meanwhile that the socket is closed.
                if case .success(let bytes?) = result { state.putAhead(bytes) }
                return (didClear, nil)
            }
            if case .success(1...) = received { state.counts.messagesReceived += 1 }
            if state.outbox.isIdle, state.isDeliveredOnLoop {
                state.outbox.beginDirectDelivery()
                return (didClear, reader.waiter)
            }
            if case .handler(let completion) = reader.waiter {
                state.outbox.append(.call { [self] in completion.call(self, result) })
            }
            return (didClear, nil)
        }
        if didClear { rearm(.read) }
        guard case .handler(let completion) = reader else { return withState { $0.step(mayRead: mayRead) } }
        completion.call(self, result)
        return deliver(isOver: true)
    }

    /// The first who waits is a handler with a request of its own, or has bytes that were read ahead.
    func pullForHandler() {
        let reader: Waiting<StreamState.Reader>? = withState { state in
            let reader = state.readers.popFirst()
            if reader == nil { state.read.relinquish() }
            return reader
        }
        guard let reader else { return }
        countRead(0)
        switch reader.waiter {
        case .task(let waiter): waiter.resume()
        case .handler(let completion):
            var request = ReadRequest.chunk
            pull(&request, for: reader, completion)
        case .request(let pending): pull(&pending.request, for: reader, pending.completion)
        }
    }

    private func pull(
        _ request: inout ReadRequest, for reader: Waiting<StreamState.Reader>, _ completion: ReceiveCompletion
    ) {
        switch tryReceive(&request, isNext: true, isEager: false) {
        case .bytes(let bytes, _): complete(completion, .success(bytes))
        case .filled: break
        case .ended: complete(completion, .success(nil))
        case .failed(let failure): complete(completion, .failure(failure))
        case .wait(let hasTurn):
            if let failure = enqueue(reader, hasTurn: hasTurn) { complete(completion, .failure(failure)) }
        }
    }

    /// One read for the message listeners: nothing was read ahead, and there is no framing. Returns the next step.
    func readForListeners(_ number: Int32, _ tick: UInt32) -> StreamState.Step {
        let arrival = arrive(number, upTo: Scratch.size)
        countRead(arrival.bytes.count)
        if arrival.bytes.isEmpty {
            let (didClear, step) = withState { state in
                let didClear = state.finishReading(arrival.result, limit: arrival.limit, tick: tick)
                return (didClear, state.step(mayRead: mayRead))
            }
            if didClear { rearm(.read) }
            return step
        }
        let (didClear, isOnLoop, listeners): (Bool, Bool, [Listener]?) = withState { state in
            let didClear = state.finishReading(arrival.result, limit: arrival.limit, tick: tick)
            guard let listeners = state.beginTelling() else {
                // Those who wanted it are gone, or something is to be told before it.
                state.putAhead(arrival.bytes)
                return (didClear, false, nil)
            }
            return (didClear, state.isDeliveredOnLoop, listeners)
        }
        if didClear { rearm(.read) }
        guard let listeners else { return withState { $0.step(mayRead: mayRead) } }
        return tell(listeners, .message(arrival.bytes, from: peer), isOnLoop: isOnLoop)
    }

    /// The same when there are listeners who only look at the bytes. Returns the next step.
    func lendToListeners(_ number: Int32, _ tick: UInt32) -> StreamState.Step {
        let buffer = Scratch.lent
        let result = receive(number, into: buffer)
        let bytes = buffer[..<((try? result.get()) ?? 0)]
        countRead(bytes.count)
        let (didClear, telling) = withState { state in
            let didClear = state.finishReading(result, limit: buffer.count, tick: tick)
            if bytes.isEmpty { return (didClear, nil as StreamState.Telling?) }
            let telling = state.beginLending()
            if telling == nil { state.putAhead(Array(bytes)) }
            return (didClear, telling)
        }
        if didClear { rearm(.read) }
        guard let telling else { return withState { $0.step(mayRead: mayRead) } }
        return tell(telling, lending: UnsafeRawBufferPointer(rebasing: bytes))
    }

    /// The next message for the listeners, of what was read ahead and what the kernel has. Returns the next step.
    func cutForListeners(_ number: Int32) -> StreamState.Step {
        let (admitted, framer, existing) = withState { ($0.read.turn(), $0.framer, $0.ahead) }
        let ahead = existing ?? ReadAhead()
        var turn = admitted
        var request = ReadRequest.chunk
        while true {
            do throws(Failure) {
                let cut = try ahead.cut(&request, hasEnded: turn.hasEnded, framer)
                if let cut { return tell(cut, of: ahead, framer) }
            } catch {
                let failure = error
                return withState { state in
                    state.endTurn(ahead, isUntried: false)
                    state.life.close(.failed(failure))
                    return state.step(mayRead: mayRead)
                }
            }
            if turn.hasEnded { ahead.drop(ahead.count) }
            guard turn.mayReceive, mayRead else { break }
            let buffer = Scratch.buffer
            let result = receive(number, into: buffer)
            let count = (try? result.get()) ?? 0
            countRead(count)
            ahead.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            let (didClear, next) = withState { state in
                state.read.keep(ahead.count, isUntried: false)
                let didClear = state.finishReading(result, limit: buffer.count, tick: turn.tick, keepsTurn: true)
                return (didClear, state.read.turn())
            }
            if didClear { rearm(.read) }
            if case .failure = result { break }
            turn = next
        }
        return withState { state in
            // Not looked at to the end when the turn's budget was used up.
            state.endTurn(ahead, isUntried: false)
            return state.step(mayRead: mayRead)
        }
    }

    private func tell(_ cut: ReadRequest.Cut, of ahead: ReadAhead, _ framer: Framer?) -> StreamState.Step {
        let bytes = ahead.copy(cut.bytes)
        countRead(cut.used, atLeast: StreamDriver.leastMessageCost)
        let telling: StreamState.Telling? = withState { state in
            // With another framing it is another message.
            let telling = state.framer === framer ? state.beginLending() : nil
            if telling != nil { ahead.drop(cut.used) }
            state.endTurn(ahead, isUntried: true)
            return telling
        }
        guard let telling else { return withState { $0.step(mayRead: mayRead) } }
        if telling.lends { return bytes.withUnsafeBytes { tell(telling, lending: $0) } }
        return tell(telling.listeners, .message(bytes, from: peer), isOnLoop: telling.isOnLoop)
    }

    /// Tells of bytes: first those who only look at them, here on the loop.
    private func tell(_ telling: StreamState.Telling, lending bytes: UnsafeRawBufferPointer) -> StreamState.Step {
        telling.listeners.tell(.bytes(BorrowedBytes(bytes)))
        guard telling.copies else { return deliver(isOver: true) }
        return tell(telling.listeners, .message(Array(bytes), from: peer), isOnLoop: telling.isOnLoop)
    }

    /// Tells of a message that never was in the outbox. Returns the next step.
    private func tell(_ listeners: [Listener], _ event: EngineEvent, isOnLoop: Bool) -> StreamState.Step {
        if isOnLoop {
            listeners.tell(event)
            return deliver(isOver: true)
        }
        handOver(Outbox.Delivery(item: .event(event), listeners: listeners))
        return withState { $0.step(mayRead: mayRead) }
    }

    /// Looks, without taking anything, whether the peer's direction is over.
    func probe(_ number: Int32, _ tick: UInt32) {
        if withState({ $0.read.hasEnded }) { return probeBehindEnd(number) }
        let result = peek(number)
        let didClear = withState { state in
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
        withState { state in
            state.read.relinquish()
            if let error { state.life.close(.failed(.system(error, .receive))) }
        }
    }

    /// Throws input away.
    func discard(_ number: Int32, _ tick: UInt32) {
        let buffer = Scratch.buffer
        let result = StreamCalls.receive(number, into: buffer)
        countRead((try? result.get()) ?? 0)
        let didClear = withState { state in
            let outcome = ReadMachine.Outcome(result, limit: buffer.count)
            let didClear = state.read.finish(outcome, tick: tick)
            if case .bytes(let count, _) = outcome { state.rare.discarded += count }
            if outcome == .failed {
                state.failDiscarding()
            } else if state.rare.discarded > state.shared.values.discardLimit {
                state.giveUpDiscarding()
            }
            return didClear
        }
        if didClear { rearm(.read) }
    }
}

extension StreamState {
    /// Those who are about to be told of a message.
    struct Telling {
        let listeners: [Listener]
        let isOnLoop: Bool
        /// Some only look at the bytes; others want an array.
        let lends: Bool
        let copies: Bool
    }

    /// Starts to tell the message listeners; nil when they are gone, paused, or busy, or some only look at the bytes, and
    /// then nothing may be taken for them. `endDelivery` follows.
    fileprivate mutating func beginTelling() -> [Listener]? {
        guard !isPaused, outbox.isIdle, outbox.hasListener(.message), !outbox.hasListener(.bytes) else { return nil }
        counts.messagesReceived += 1
        return outbox.beginTelling(.message)
    }

    /// The same, also for those who only look at the bytes.
    fileprivate mutating func beginLending() -> Telling? {
        guard wantsMessages, outbox.isIdle else { return nil }
        counts.messagesReceived += 1
        let (lends, copies) = (outbox.hasListener(.bytes), outbox.hasListener(.message))
        return Telling(
            listeners: outbox.beginTelling(.message), isOnLoop: isDeliveredOnLoop, lends: lends, copies: copies)
    }

    /// Keeps what one read has brought, and those whom it was for do not want any more.
    fileprivate mutating func putAhead(_ bytes: [UInt8]) {
        let ahead = ReadAhead()
        bytes.withUnsafeBytes { ahead.append($0) }
        put(ahead, isUntried: true)
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
