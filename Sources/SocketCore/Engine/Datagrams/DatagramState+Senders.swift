// Those who wait until the kernel has taken what they sent.
extension DatagramState {
    /// The caller of one datagram or a batch, of which some is queued.
    struct Sender: Sendable {
        let ticket: Ticket
        /// Bytes that have gone out, and that have not.
        var sent: Int
        var remaining: Int
        /// Datagrams whose end is not known yet.
        var left: Int
        var waiting: Waiting<Waiter>?
        /// The first refusal.
        var failure: Failure?
        /// Given up while one was being written: how it ends, should the kernel not have taken all.
        var givenUp: Failure?

        init(ticket: Ticket, sent: Int = 0, remaining: Int, left: Int, failure: Failure? = nil) {
            self.ticket = ticket
            self.sent = sent
            self.remaining = remaining
            self.left = left
            self.failure = failure
        }

        /// How it ends, when it has.
        var result: Failure? { failure?.with(sent: sent, remaining: remaining) }
    }

    /// Queues one datagram, whose end `completion` hears, or else whoever waits for the ticket.
    mutating func enqueue(
        _ datagram: DatagramCalls.Outgoing, _ completion: DatagramWriteMachine.Completion?, isFirst: Bool = false
    ) -> Ticket {
        let ticket = nextTicket()
        let entry = DatagramWriteMachine.Entry(ticket: ticket, datagram, completion: completion)
        if isFirst { write.enqueueFirst([entry]) } else { write.enqueue(entry) }
        if completion == nil { senders.append(Sender(ticket: ticket, remaining: datagram.bytes.count, left: 1)) }
        return ticket
    }

    /// Queues the rest of a batch. `sender` tells how far it has come.
    mutating func enqueue(_ datagrams: ArraySlice<DatagramCalls.Outgoing>, _ sender: Sender, isFirst: Bool) {
        let entries = datagrams.map { DatagramWriteMachine.Entry(ticket: sender.ticket, $0) }
        if isFirst { write.enqueueFirst(entries) } else { for entry in entries { write.enqueue(entry) } }
        senders.append(sender)
    }

    /// Records what a flush brought: `count` datagrams have gone out, and `error` is why the next one has not. Returns who
    /// is done waiting, and whether readiness was cleared.
    mutating func endFlush(_ count: Int, _ error: SystemError?, tick: UInt32) -> ([(Waiter, Failure?)], Bool) {
        let isBlocked = error == .wouldBlock
        if isBlocked { noteBlocked() }
        let didClear = write.endFlush(isBlocked: isBlocked, tick: tick)
        var ended = end(count, .sent)
        if let error, !isBlocked { ended += end(1, .refused(error)) }
        for sender in senders {
            // Given up meanwhile: what the kernel has not taken is not sent any more.
            guard let givenUp = sender.givenUp, let waiting = sender.waiting,
                let failure = withdraw(sender.ticket, givenUp)
            else { continue }
            ended.append((waiting.waiter, failure))
        }
        noteActivity()
        tellDrained()
        return (ended, didClear)
    }

    /// Ends the first datagrams of the queue. Returns who is done waiting.
    mutating func end(_ count: Int, _ fate: Fate) -> [(Waiter, Failure?)] {
        var ended: [(Waiter, Failure?)] = []
        var heard: [(DatagramWriteMachine.Completion, Failure?)] = []
        for _ in 0..<count {
            guard let entry = write.takeFirst() else { break }
            let size = entry.datagram.bytes.count
            let failure = fate.failure(size)
            if failure == nil { counts.bytesSent += UInt64(size) }
            guard let completion = entry.completion else {
                if let waiter = endDatagram(entry.ticket, size, failure) { ended.append(waiter) }
                continue
            }
            if count == 1, failure == nil {
                outbox.append(.sentDatagram(completion))
            } else {
                heard.reserveCapacity(count)
                heard.append((completion, failure))
            }
        }
        // One delivery for all: they have ended together.
        if !heard.isEmpty {
            outbox.append(.call { [heard] in for (completion, failure) in heard { completion(failure) } })
        }
        return ended
    }

    /// What became of datagrams that left the queue.
    enum Fate: Sendable {
        case sent
        case refused(SystemError)
        /// The socket was closed.
        case aborted

        fileprivate func failure(_ size: Int) -> Failure? {
            switch self {
            case .sent: nil
            case .refused(let error): .system(error, .sendTo, sent: 0, remaining: size)
            case .aborted: .aborted(sent: 0, remaining: size)
            }
        }
    }

    /// One datagram of a sender has ended. Returns who waits for it, if it was the last; or keeps the result for one about
    /// to wait.
    private mutating func endDatagram(_ ticket: Ticket, _ size: Int, _ failure: Failure?) -> (Waiter, Failure?)? {
        guard let index = senders.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        senders[index].left -= 1
        if let failure {
            senders[index].failure = senders[index].failure ?? failure
        } else {
            senders[index].sent += size
            senders[index].remaining -= size
        }
        guard senders[index].left == 0, let waiting = senders[index].waiting else { return nil }
        return (waiting.waiter, senders.remove(at: index).result)
    }

    /// Gives up what is queued of a sender: how its caller's wait ends. Nil when it has ended meanwhile, or is just being
    /// written; then its own end, or `endFlush`, is what its caller hears.
    mutating func withdraw(_ ticket: Ticket, _ failure: Failure) -> Failure? {
        guard let index = senders.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        switch write.withdraw(ticket) {
        case .removed:
            tellDrained()
            let sender = senders.remove(at: index)
            return failure.with(sent: sender.sent, remaining: sender.remaining)
        case .underWay:
            senders[index].givenUp = failure
            return nil
        case .unknown: return nil
        }
    }

    /// The queue has become shorter, sent or given up.
    mutating func tellDrained() {
        if write.takeDrained() { outbox.emit(.drain) }
    }
}
