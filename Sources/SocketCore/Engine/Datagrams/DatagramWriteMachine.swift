/// Decides when datagrams go out: at once if none is before them, otherwise in order, up to a limit.
package struct DatagramWriteMachine: Sendable {
    /// The answer to somebody who wants to send.
    package enum Admission: Sendable, Equatable {
        case write(tick: UInt32)
        case queue
    }

    /// What became of datagrams that are to be given up.
    package enum Withdrawal: Sendable, Equatable {
        /// They are out of the queue, and will not go out.
        case removed
        /// One is just being written: ask again when `endFlush` has told what became of it.
        case underWay
        /// They have ended.
        case unknown
    }

    /// What one call writes. Mostly that is one datagram, for which no array is made.
    package enum Flush: Sendable {
        case one(DatagramCalls.Outgoing)
        case several([DatagramCalls.Outgoing])
    }

    /// Hears what became of one datagram; nil is success.
    package typealias Completion = @Sendable (Failure?) -> Void

    /// A datagram that waits for room. All of one batch have the batch's ticket.
    package struct Entry: Sendable {
        package let ticket: Ticket
        package let datagram: DatagramCalls.Outgoing
        package let completion: Completion?

        package init(ticket: Ticket, _ datagram: DatagramCalls.Outgoing, completion: Completion? = nil) {
            self.ticket = ticket
            self.datagram = datagram
            self.completion = completion
        }
    }

    private var readiness = Readiness(isReady: true)
    private var isWriting = false
    /// How many, from the first on, are being written.
    private var flushing = 0
    /// Answers are collected: see `hold`.
    private var isHeld = false
    private var queue = Ring<Entry>()
    private var wasAboveMark = false
    /// Bytes that wait for the kernel.
    package private(set) var queuedBytes = 0
    /// Above this many bytes the queue is full: `drain` tells when it has fallen to half of it.
    package var highWaterMark = 256 * 1024

    package init() {}

    /// Whether nothing is queued and nobody writes.
    package var isFlushed: Bool { queue.isEmpty && !isWriting }

    /// Whether the loop can write now.
    package var canFlush: Bool { readiness.isReady && !isWriting && !isHeld && !queue.isEmpty }

    /// How many datagrams wait for the kernel.
    package var queuedCount: Int { queue.count }

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        if !events.isDisjoint(with: [.writable, .hangUp, .error]) { readiness.mark() }
    }

    /// Queues what is sent from now on until `release`: listeners are being told, and their answers go out together.
    package mutating func hold() { isHeld = true }

    /// What was collected may go out.
    package mutating func release() { isHeld = false }

    /// Somebody wants to send.
    package mutating func admit() -> Admission {
        guard readiness.isReady, !isWriting, !isHeld, queue.isEmpty else { return .queue }
        isWriting = true
        return .write(tick: readiness.tick)
    }

    /// A write is over; `isBlocked`: the kernel had no room. Returns whether readiness was cleared.
    package mutating func wrote(isBlocked: Bool, tick: UInt32) -> Bool {
        isWriting = false
        return isBlocked && readiness.clear(since: tick)
    }

    /// Queues a datagram behind the others.
    package mutating func enqueue(_ entry: Entry) {
        queue.append(entry)
        count(entry)
    }

    /// Queues what a direct write left over, before what was queued meanwhile.
    package mutating func enqueueFirst(_ entries: [Entry]) {
        for entry in entries.reversed() {
            queue.prepend(entry)
            count(entry)
        }
    }

    private mutating func count(_ entry: Entry) {
        queuedBytes += entry.datagram.bytes.count
        if queuedBytes > highWaterMark { wasAboveMark = true }
    }

    /// What to write next, at most as many datagrams as one call takes; `endFlush` follows.
    package mutating func beginFlush() -> (flush: Flush, tick: UInt32)? {
        guard canFlush, let first = queue.first else { return nil }
        isWriting = true
        flushing = min(queue.count, DatagramCalls.sendLimit)
        if flushing == 1 { return (.one(first.datagram), readiness.tick) }
        var datagrams: [DatagramCalls.Outgoing] = []
        datagrams.reserveCapacity(flushing)
        for index in 0..<flushing { if let entry = queue[index] { datagrams.append(entry.datagram) } }
        return (.several(datagrams), readiness.tick)
    }

    /// The write that `beginFlush` started is over; `takeFirst` takes out what it has ended. Returns whether readiness was
    /// cleared.
    package mutating func endFlush(isBlocked: Bool, tick: UInt32) -> Bool {
        flushing = 0
        return wrote(isBlocked: isBlocked, tick: tick)
    }

    /// Takes the oldest datagram out of the queue: sent, refused, or not to be sent any more.
    package mutating func takeFirst() -> Entry? {
        guard let entry = queue.popFirst() else { return nil }
        queuedBytes -= entry.datagram.bytes.count
        // An idle socket keeps no memory for a burst that is over.
        queue.shrink()
        return entry
    }

    /// Gives up what is queued under a ticket: cancelled, or out of time.
    package mutating func withdraw(_ ticket: Ticket) -> Withdrawal {
        if (0..<flushing).contains(where: { queue[$0]?.ticket == ticket }) { return .underWay }
        let removed = queue.remove { $0.ticket == ticket }
        for entry in removed { queuedBytes -= entry.datagram.bytes.count }
        return removed.isEmpty ? .unknown : .removed
    }

    /// Whether the queue, once full, has fallen to half of the mark. True once for each time.
    package mutating func takeDrained() -> Bool {
        guard wasAboveMark, queuedBytes <= highWaterMark / 2 else { return false }
        wasAboveMark = false
        return true
    }
}
