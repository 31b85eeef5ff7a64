/// Something that happened to a socket, before the faces have given it its public type.
package enum EngineEvent: Sendable {
    /// Bytes of a stream, or one datagram.
    case message([UInt8], from: SocketAddress, details: DatagramDetails? = nil)
    /// The same bytes for those who only look at them, during the call.
    case bytes(BorrowedBytes)
    case listening
    case connect
    /// A listener accepted a connection; `face` is its public object.
    case accepted(StreamDriver, face: any AnyObject & Sendable)
    /// The peer ended its direction, and all its data was read.
    case end
    /// The last event of a socket, with the error that ended it, if one did.
    case close(Failure?)
    /// A failure that no pending call could report, and the address it concerns.
    case error(Failure, SocketAddress?)
    case drain
    case timeout
    /// Urgent data; nil when it is in the stream.
    case urgent(UInt8?)
    /// A peer came to a listener that has as many connections as it may.
    case overload(open: Int, limit: Int, isRefused: Bool)

    /// Which `on(...)` it belongs to.
    package var kind: EventKind {
        switch self {
        case .message: .message
        case .bytes: .bytes
        case .listening: .listening
        case .connect, .accepted: .connect
        case .end: .end
        case .close: .close
        case .error: .error
        case .drain: .drain
        case .timeout: .timeout
        case .urgent: .urgent
        case .overload: .overload
        }
    }
}

/// Bytes that are there as long as the call that hands them over.
package struct BorrowedBytes: @unchecked Sendable {
    // Sendable because it does not leave the thread that made it: see `Outbox.tell`.
    package let bytes: UnsafeRawBufferPointer

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }
}

/// The names of events.
package enum EventKind: UInt8, Sendable, Hashable, CaseIterable {
    case message, bytes, listening, connect, end, close, error, drain, timeout, urgent, overload
}

/// One registered listener.
package struct Listener: Sendable {
    // The ticket's number, and behind it the kind and whether it is for once: in one word, since each of thousands of
    // connections may have some of these.
    private let label: UInt64
    package let body: @Sendable (EngineEvent) -> Void

    package var ticket: Ticket { Ticket(number: label >> 8) }
    package var isOnce: Bool { label & 0x80 != 0 }
    fileprivate var kindNumber: UInt8 { UInt8(truncatingIfNeeded: label) & 0x7f }

    /// Whether it is for events of this kind.
    package func hears(_ kind: EventKind) -> Bool { kindNumber == kind.rawValue }

    package init(
        ticket: Ticket, kind: EventKind, isOnce: Bool, body: @escaping @Sendable (EngineEvent) -> Void
    ) {
        label = ticket.number << 8 | (isOnce ? 0x80 : 0) | UInt64(kind.rawValue)
        self.body = body
    }
}

/// The listeners of one socket, and what is still to be told to them, in the order in which it happened.
///
/// Completions stand in the same queue as events, so that "connect" comes before the completion of its own call and
/// "close" last of all. Guarded by the socket's lock; deliveries happen outside of it, one at a time.
package struct Outbox: Sendable {
    /// Something to tell. Small, because it is moved about a lot.
    package enum Item: Sendable {
        indirect case event(EngineEvent)
        case call(@Sendable () -> Void)
        /// The completion of a send that succeeded, the most frequent of all: `StreamDriver` calls it.
        case sent(SendCompletion)
        /// The same of a datagram.
        case sentDatagram(DatagramWriteMachine.Completion)
        /// The completion of a receive that failed: `StreamDriver` calls it.
        indirect case notReceived(ReceiveCompletion, Failure)
        /// The same of datagrams: `DatagramDriver` calls it.
        indirect case notReceivedDatagrams(DatagramsCompletion, Failure)
        /// The place of one that has been told.
        case told
    }

    /// An item with those who are to hear it.
    package struct Delivery: Sendable {
        package let item: Item
        package let listeners: [Listener]

        /// Tells it. Never under a lock.
        package consuming func perform() {
            switch item {
            case .call(let body): body()
            case .sentDatagram(let completion): completion(nil)
            case .event(let event): listeners.tell(event)
            case .sent, .notReceived, .notReceivedDatagrams, .told: break
            }
        }
    }

    // In the order that leaves no gaps: there is one of these for every socket.
    package private(set) var listeners: [Listener] = []
    private var first: Item?
    private var hasOnce = false
    private var kinds: UInt16 = 0
    private var restStart: Int32 = 0
    /// What is behind `first`, from `restStart` on; before that, places of what has been told.
    private var rest: [Item] = []
    /// A delivery is under way.
    package private(set) var isDelivering = false
    // Of what a peer can cause without end. Messages are not read before the others are told, so they need no limit.
    private var waitingErrors: UInt8 = 0
    private var waitingUrgent: UInt8 = 0
    /// How many errors, and how many urgent bytes, wait at most for listeners that are slow; others are not told.
    package static let noticeLimit: UInt8 = 64

    package init() {}

    /// Whether nothing waits to be told.
    package var isEmpty: Bool { first == nil }

    /// Whether an event could be told at once.
    package var isIdle: Bool { !isDelivering && first == nil }

    /// Whether `beginDelivery` has something.
    package var canDeliver: Bool { !isDelivering && first != nil }

    /// Whether anybody listens to `kind`.
    @inline(__always)
    package func hasListener(_ kind: EventKind) -> Bool { kinds & (1 << kind.rawValue) != 0 }

    /// Whether anybody listens to what arrives.
    @inline(__always)
    package var hasMessageListener: Bool {
        kinds & (1 << EventKind.message.rawValue | 1 << EventKind.bytes.rawValue) != 0
    }

    /// Adds a listener behind the others.
    package mutating func add(_ listener: Listener) {
        listeners.append(listener)
        kinds |= 1 << listener.kindNumber
        if listener.isOnce { hasOnce = true }
    }

    /// Removes listeners; from the next delivery on they hear nothing. Returns what there was before, for the caller to
    /// let go of outside of the lock: what a closure captures may, when it ends, call back into the socket.
    package mutating func remove(where isIncluded: (Listener) -> Bool) -> [Listener] {
        let before = listeners
        listeners.removeAll(where: isIncluded)
        kinds = listeners.reduce(0) { $0 | 1 << $1.kindNumber }
        hasOnce = listeners.contains(where: \.isOnce)
        return before
    }

    /// Queues an event, if anybody listens.
    package mutating func emit(_ event: EngineEvent) {
        guard hasListener(event.kind) else { return }
        switch event {
        case .error:
            guard waitingErrors < Outbox.noticeLimit else { return }
            waitingErrors += 1
        case .urgent:
            guard waitingUrgent < Outbox.noticeLimit else { return }
            waitingUrgent += 1
        default: break
        }
        append(.event(event))
    }

    /// Queues the last event. It is delivered even if nobody listens to it, since its delivery lets the others go.
    package mutating func emitClose(_ failure: Failure?) {
        if listeners.isEmpty { return }
        append(failure.map { .event(.close($0)) } ?? Outbox.orderlyClose)
    }

    // One for all: each would be an object.
    private static let orderlyClose = Item.event(.close(nil))

    /// Queues a completion.
    package mutating func append(_ item: Item) {
        if first == nil { first = item } else { rest.append(item) }
    }

    /// Starts the next delivery, which `endDelivery` ends. Nil when there is nothing, or one is under way.
    package mutating func beginDelivery() -> Delivery? {
        guard !isDelivering, let item = first.take() else { return nil }
        if !rest.isEmpty { first = takeFirstOfRest() }
        isDelivering = true
        guard case .event(let event) = item else { return Delivery(item: item, listeners: []) }
        switch event {
        case .error: waitingErrors -= 1
        case .urgent: waitingUrgent -= 1
        default: break
        }
        return Delivery(item: item, listeners: hear(event.kind))
    }

    /// Moves the others up now and then only: thousands of completions may wait.
    private mutating func takeFirstOfRest() -> Item {
        let start = Int(restStart)
        let item = rest[start]
        restStart += 1
        if start + 1 == rest.count {
            rest.removeAll(keepingCapacity: rest.capacity <= 16)
            restStart = 0
        } else if start >= 32, start * 2 >= rest.count {
            rest.removeFirst(start + 1)
            restStart = 0
        } else {
            // What it holds is let go of with its delivery.
            rest[start] = .told
        }
        return item
    }

    /// Starts the delivery of something that never was in the queue (`isIdle` must hold).
    package mutating func beginDirectDelivery() { isDelivering = true }

    /// Starts the delivery of an event that never was in the queue (`isIdle` must hold). Returns those who hear it.
    package mutating func beginTelling(_ kind: EventKind) -> [Listener] {
        isDelivering = true
        return hear(kind)
    }

    /// Those who hear an event of this kind now. One who wanted to hear it once is gone afterwards.
    package mutating func hear(_ kind: EventKind) -> [Listener] {
        let heard = listeners
        if kind == .close {
            // The last event: dropping the listeners here breaks the cycles that their captures make.
            listeners = []
            kinds = 0
        } else if hasOnce {
            _ = remove { $0.isOnce && $0.hears(kind) }
        }
        return heard
    }

    /// The delivery under way has ended.
    package mutating func endDelivery() { isDelivering = false }
}

extension [Listener] {
    /// Tells those of them who listen to events of this kind. Never under a lock.
    package func tell(_ event: EngineEvent) {
        let kind = event.kind
        withUnsafeBufferPointer { listeners in
            for index in listeners.indices where listeners[index].hears(kind) { listeners[index].body(event) }
        }
    }
}

/// Where listeners and completions run.
package enum DeliveryContext: Sendable {
    /// On the socket's loop.
    case loop
    /// Through an executor of the program: one delivery at a time is handed to it.
    case executor(@Sendable (@escaping @Sendable () -> Void) -> Void)

    /// Whether deliveries are made on the loop.
    package var isLoop: Bool {
        if case .loop = self { true } else { false }
    }
}
