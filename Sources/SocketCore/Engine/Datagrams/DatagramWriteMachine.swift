/// Decides when datagrams go out: at once if none is before them, otherwise in order, up to a limit.
package struct DatagramWriteMachine: Sendable {
    /// The answer to somebody who wants to send.
    package enum Admission: Sendable, Equatable {
        case write(tick: UInt32)
        case queue
    }

    /// What became of a datagram that is to be given up.
    package enum Withdrawal: Sendable, Equatable {
        /// It is out of the queue, and will not go out.
        case removed
        /// It is just being written: ask again when `endFlush` has told what became of it.
        case underWay
        /// It has ended.
        case unknown
    }

    /// A datagram that waits for room.
    package struct Entry: Sendable {
        package let ticket: Ticket
        package let bytes: [UInt8]
        package let destination: SocketAddress
    }

    private var readiness = Readiness(isReady: true)
    private var isWriting = false
    /// What is being written is the queue's first.
    private var isFlushing = false
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
    package var canFlush: Bool { readiness.isReady && !isWriting && !queue.isEmpty }

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        if !events.isDisjoint(with: [.writable, .hangUp, .error]) { readiness.mark() }
    }

    /// Somebody wants to send.
    package mutating func admit() -> Admission {
        guard readiness.isReady, !isWriting, queue.isEmpty else { return .queue }
        isWriting = true
        return .write(tick: readiness.tick)
    }

    /// A write is over; `isBlocked`: the kernel had no room. Returns whether readiness was cleared.
    package mutating func wrote(isBlocked: Bool, tick: UInt32) -> Bool {
        isWriting = false
        return isBlocked && readiness.clear(since: tick)
    }

    /// Queues a datagram.
    package mutating func enqueue(_ entry: Entry) {
        queue.append(entry)
        queuedBytes += entry.bytes.count
        if queuedBytes > highWaterMark { wasAboveMark = true }
    }

    /// The datagram to write next; `endFlush` follows.
    package mutating func beginFlush() -> (entry: Entry, tick: UInt32)? {
        guard canFlush, let first = queue.first else { return nil }
        isWriting = true
        isFlushing = true
        return (first, readiness.tick)
    }

    /// The write that `beginFlush` started is over. Unless it was blocked, its datagram leaves the queue.
    package mutating func endFlush(isBlocked: Bool, tick: UInt32) -> Bool {
        isFlushing = false
        if !isBlocked, let entry = queue.popFirst() { queuedBytes -= entry.bytes.count }
        return wrote(isBlocked: isBlocked, tick: tick)
    }

    /// Gives up a queued datagram: cancelled, or out of time.
    package mutating func withdraw(_ ticket: Ticket) -> Withdrawal {
        if isFlushing, queue.first?.ticket == ticket { return .underWay }
        guard let entry = queue.removeFirst(where: { $0.ticket == ticket }) else { return .unknown }
        queuedBytes -= entry.bytes.count
        return .removed
    }

    /// Whether the queue, once full, has fallen to half of the mark. True once for each time.
    package mutating func takeDrained() -> Bool {
        guard wasAboveMark, queuedBytes <= highWaterMark / 2 else { return false }
        wasAboveMark = false
        return true
    }

    /// Drops the queue.
    package mutating func dropAll() -> [Entry] {
        var dropped: [Entry] = []
        while let entry = queue.popFirst() { dropped.append(entry) }
        queuedBytes = 0
        wasAboveMark = false
        return dropped
    }
}
