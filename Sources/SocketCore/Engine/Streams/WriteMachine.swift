/// Decides what goes out of a stream socket, and when: at once if nothing is before it, otherwise in order.
package struct WriteMachine: Sendable {
    /// The answer to somebody who wants to send.
    package enum Admission: Sendable, Equatable {
        /// Write now, and report with `wrote`; the tick goes with it.
        case write(tick: UInt32)
        /// Something is before it, or the kernel has no room: `enqueue` the bytes.
        case queue
        /// Our direction has been ended.
        case finished
    }

    /// What became of a send that is to be given up.
    package enum Withdrawal: Sendable, Equatable {
        /// None of its bytes had gone out; none will.
        case removed(remaining: Int)
        /// Some had: the rest stays queued, so that the stream stays whole.
        case detached(sent: Int, remaining: Int)
        /// A write that carries its first bytes is under way: ask again when `endFlush` has told what became of it.
        case underWay
        /// It has ended.
        case unknown
    }

    /// A send whose last byte was taken, or that was dropped.
    package struct Ended: Sendable, Equatable {
        package let ticket: Ticket
        package let sent: Int
        package let remaining: Int
    }

    /// What the loop is to write.
    package enum Batch: Sendable {
        /// This many bytes were copied into the buffer.
        case copied(Int, tick: UInt32)
        /// This many bytes of what is sent from where it is: a large chunk, an urgent byte, a file, a pipe.
        case piece(Content, offset: Int, count: Int, tick: UInt32)
    }

    /// What the bytes of a send are in.
    package enum Content: Sendable {
        case bytes([UInt8])
        /// One byte of urgent data.
        case urgent(UInt8)
        /// Descriptors that travel with the first byte.
        case accompanied([UInt8], PassedDescriptors)
        case file(SentFile)
        case pipe(Pipe)
    }

    /// What is left of a send: `count` bytes of the content, from `offset` on, behind `sent` others.
    package struct Remainder: Sendable {
        package let content: Content
        /// The bytes were taken out of another stream, so a send that is given up leaves them here all the same.
        package let isTaken: Bool
        package private(set) var offset: Int
        package private(set) var count: Int
        package private(set) var sent: Int

        package init(_ content: Content, offset: Int, count: Int, sent: Int, isTaken: Bool = false) {
            self.content = content
            self.offset = offset
            self.count = count
            self.sent = sent
            self.isTaken = isTaken
        }

        /// The bytes from `offset` on, behind `sentBefore` that the array does not hold.
        package init(bytes: [UInt8], offset: Int = 0, sentBefore: Int = 0) {
            self.init(.bytes(bytes), offset: offset, count: bytes.count - offset, sent: sentBefore + offset)
        }

        fileprivate mutating func advance(by written: Int) {
            offset += written
            count -= written
            sent += written
        }
    }

    private struct Chunk: Sendable {
        let ticket: Ticket
        var rest: Remainder
        var isBegun: Bool

        /// The bytes of the program that it is made of, if it is.
        var bytes: [UInt8]? {
            if case .bytes(let bytes) = rest.content { bytes } else { nil }
        }
    }

    /// From this size on a chunk is sent from where it is; smaller ones are gathered into one call by copying.
    private static let gatherLimit = 16 * 1024
    /// What the loop may write before others have their turn, and in one call, in bytes.
    package static let turnAllowance = 256 * 1024

    // In the order that leaves no gaps: there is one of these for every connection.
    private var readiness = Readiness(isReady: false)
    private var isWriting = false
    /// `takeDrained` will have something to tell.
    package private(set) var needsDrain = false
    /// Each send is a message of its own, and is not gathered with others.
    package var keepsBounds = false
    /// finish() was called, or the socket is being closed: no more sends.
    package private(set) var isFinishing = false
    /// Our direction has been shut down.
    package private(set) var hasFinished = false
    /// `takeRoom` may have something to tell.
    package private(set) var hasMissedRoom = false
    /// Our end is told to the peer in so many words, before shutdown(2).
    package var tellsEnd = false
    /// There was no room for that.
    private var isEndDelayed = false
    // A record's plaintext at most.
    private var shortBegunCount: UInt16 = 0
    /// Bytes that wait for the kernel.
    package private(set) var queuedBytes = 0
    private var queue: [Chunk] = []
    private var shortHead: Int32 = 0
    private var allowance = Int32(WriteMachine.turnAllowance)
    /// Above this many bytes the queue is full: `drain` tells when it has fallen to half of it.
    package var highWaterMark = 64 * 1024

    package init() {}

    /// How many bytes at the head of the queue have begun to go out, as part of a record, though they do not count as sent.
    package private(set) var begunCount: Int {
        get { Int(shortBegunCount) }
        set { shortBegunCount = UInt16(clamping: newValue) }
    }

    /// Where the queue begins: before that are places of what has gone.
    private var head: Int {
        get { Int(shortHead) }
        set { shortHead = Int32(truncatingIfNeeded: newValue) }
    }

    /// Whether nothing is queued and nobody writes.
    package var isFlushed: Bool { queuedBytes == 0 && !isWriting }

    /// Whether there is nothing to be done.
    package var isAtRest: Bool { queuedBytes == 0 && !isFinishing && !hasMissedRoom }

    /// Whether the kernel would take something of the queue.
    package var wantsFlush: Bool { queuedBytes > 0 && readiness.isReady && !isWriting }

    /// Whether the loop can write now: the kernel would take something, and the turn's allowance is not used up.
    package var canFlush: Bool { wantsFlush && allowance > 0 }

    /// What the loop writes from here on counts for another turn.
    package mutating func beginTurn() { allowance = Int32(WriteMachine.turnAllowance) }

    /// The poller reported something.
    package mutating func ready(_ events: PollEvents) {
        if !events.isDisjoint(with: [.writable, .hangUp, .error]) { readiness.mark() }
    }

    /// A new connection has room.
    package mutating func open() { readiness.mark() }

    /// Somebody wants to send.
    package mutating func admit() -> Admission {
        if isFinishing { return .finished }
        guard readiness.isReady, isFlushed else { return .queue }
        isWriting = true
        return .write(tick: readiness.tick)
    }

    /// A direct write, admitted by `admit`, is over: `count` bytes of `total` were taken. Returns whether readiness
    /// was cleared. Unless all were taken, `enqueue` follows before anything else can be admitted.
    package mutating func wrote(_ count: Int, of total: Int, tick: UInt32, begun: Int = 0) -> Bool {
        isWriting = false
        begunCount = begun
        return count < total && readiness.clear(since: tick)
    }

    /// Somebody who does not queue had more than there was room for: `takeRoom` tells when there is some.
    package mutating func missRoom() { hasMissedRoom = true }

    /// Whether there is room again for somebody who missed it. True once for each time.
    package mutating func takeRoom() -> Bool {
        guard hasMissedRoom, readiness.isReady, isFlushed else { return false }
        hasMissedRoom = false
        return true
    }

    /// Queues what is left of a send. Behind a direct write's remainder others may wait; it goes before them.
    package mutating func enqueue(_ rest: Remainder, ticket: Ticket, atFront: Bool = false) {
        let chunk = Chunk(ticket: ticket, rest: rest, isBegun: rest.sent > 0)
        if atFront { queue.insert(chunk, at: head) } else { queue.append(chunk) }
        queuedBytes += rest.count
        if queuedBytes > highWaterMark { needsDrain = true }
    }

    /// What the loop can write now: the queue's head, either a piece of a large chunk or several small ones copied into
    /// `buffer`.
    package mutating func beginFlush(into buffer: UnsafeMutableRawBufferPointer) -> Batch? {
        guard canFlush else { return nil }
        isWriting = true
        let first = queue[head]
        queue[head].isBegun = true
        if first.bytes == nil || first.rest.count >= WriteMachine.gatherLimit || keepsBounds {
            let count = min(first.rest.count, WriteMachine.turnAllowance)
            return .piece(first.rest.content, offset: first.rest.offset, count: count, tick: readiness.tick)
        }
        var filled = 0
        var index = head
        while index < queue.count, let bytes = queue[index].bytes {
            let rest = queue[index].rest
            guard filled + rest.count <= buffer.count else { break }
            bytes.withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyBytes(from: bytes[rest.offset...])
            }
            queue[index].isBegun = true
            filled += rest.count
            index += 1
        }
        return .copied(filled, tick: readiness.tick)
    }

    /// A write of the loop is over: `count` bytes of `total` were taken. Returns the sends that have ended with it,
    /// and whether readiness was cleared.
    package mutating func endFlush(
        _ count: Int, of total: Int, tick: UInt32, begun: Int = 0
    ) -> (ended: [Ended], didClear: Bool) {
        isWriting = false
        begunCount = begun
        queuedBytes -= count
        allowance -= Int32(clamping: count)
        var left = count
        var ended: [Ended] = []
        while head < queue.count {
            let size = queue[head].rest.count
            guard left >= size else {
                queue[head].rest.advance(by: left)
                break
            }
            left -= size
            ended.append(Ended(ticket: queue[head].ticket, sent: queue[head].rest.sent + size, remaining: 0))
            head += 1
        }
        // What was offered and not taken has not begun after all, and can still be withdrawn whole.
        var index = head
        while index < queue.count, queue[index].isBegun {
            queue[index].isBegun = queue[index].rest.sent > 0
            index += 1
        }
        compact()
        return (ended, count < total && readiness.clear(since: tick))
    }

    /// Whether the queue, once full, has fallen to half of the mark. True once for each time.
    package mutating func takeDrained() -> Bool {
        guard needsDrain, queuedBytes <= highWaterMark / 2 else { return false }
        needsDrain = false
        return true
    }

    /// Gives up a queued send: cancelled, or out of time.
    package mutating func withdraw(_ ticket: Ticket) -> Withdrawal {
        guard let index = queue[head...].firstIndex(where: { $0.ticket == ticket }) else { return .unknown }
        let chunk = queue[index]
        let remaining = chunk.rest.count
        let begun = begunCount == 0 ? 0 : countBegun(ofChunkAt: index)
        guard !chunk.isBegun, !chunk.rest.isTaken, begun == 0 else {
            if isWriting, chunk.rest.sent == 0, !chunk.rest.isTaken, begun == 0 { return .underWay }
            return .detached(sent: chunk.rest.sent + begun, remaining: remaining - begun)
        }
        queue.remove(at: index)
        queuedBytes -= remaining
        return .removed(remaining: remaining)
    }

    /// How many bytes of a chunk are part of the record that has begun to go out.
    private func countBegun(ofChunkAt index: Int) -> Int {
        let before = queue[head..<index].reduce(0) { $0 + $1.rest.count }
        return min(max(begunCount - before, 0), queue[index].rest.count)
    }

    /// Drops the queue's head: what it was to send is not there.
    package mutating func dropHead() -> Ended? {
        guard head < queue.count else { return nil }
        let chunk = queue[head]
        head += 1
        queuedBytes -= chunk.rest.count
        compact()
        return Ended(ticket: chunk.ticket, sent: chunk.rest.sent, remaining: chunk.rest.count)
    }

    /// Drops the queue: the connection is gone.
    package mutating func dropAll() -> [Ended] {
        let ended = queue[head...].map {
            Ended(ticket: $0.ticket, sent: $0.rest.sent, remaining: $0.rest.count)
        }
        queue = []
        head = 0
        queuedBytes = 0
        begunCount = 0
        needsDrain = false
        return ended
    }

    /// No more sends; the queue still goes out.
    package mutating func beginFinishing() { isFinishing = true }

    /// Whether it is time for shutdown(2).
    package var mustShutDown: Bool {
        isFinishing && !hasFinished && isFlushed && !(isEndDelayed && !readiness.isReady)
    }

    /// Whether nothing that belongs before the end of the connection is left.
    package var isOver: Bool { isFlushed && (hasFinished || !tellsEnd) }

    /// shutdown(2) was called.
    package mutating func didShutDown() { hasFinished = true }

    /// Not yet, because the kernel had no room for the end that comes before it: when it has. On the loop, which hears of
    /// room, so that nothing is missed.
    package mutating func delayShutDown() {
        hasFinished = false
        isEndDelayed = true
        _ = readiness.clear(since: readiness.tick)
    }

    private mutating func compact() {
        if head == queue.count {
            queue.removeAll(keepingCapacity: queue.capacity <= 16)
            head = 0
        } else if head >= 64, head * 2 >= queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }
}
