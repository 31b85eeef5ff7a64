internal import SocketCore

/// The listeners of one WebSocket, and what is still to be told to them, in the order in which it happened: what `Outbox`
/// is to a stream. Guarded by the WebSocket's lock; deliveries happen outside of it, one at a time.
struct EventQueue: Sendable {
    struct Listener: Sendable {
        let ticket: Ticket
        let kind: Occurrence.Kind
        let isOnce: Bool
        let body: @Sendable (Occurrence) -> Void
    }

    enum Item: Sendable {
        case event(Occurrence)
        case call(@Sendable () -> Void)
        /// The completion of a send that has succeeded: nearly all of them, so without a closure around it.
        case sent(@Sendable (Result<Void, WebSocketError>) -> Void)
    }

    /// An item with those who are to hear it.
    struct Delivery: Sendable {
        let item: Item
        let listeners: [Listener]

        /// Tells it. Never under a lock.
        func perform() {
            switch item {
            case .call(let body): body()
            case .sent(let body): body(.success(()))
            case .event(let occurrence): listeners.tell(occurrence)
            }
        }
    }

    private(set) var listeners: [Listener] = []
    private var kinds: UInt16 = 0
    private var hasOnce = false
    // Mostly one waits, or none: so the first is kept without an array.
    private var first: Item?
    private var rest: [Item] = []
    /// Where what still waits begins in `rest`.
    private var restStart = 0
    /// A delivery is under way.
    private(set) var isDelivering = false

    /// How much waits to be told.
    var count: Int { first == nil ? 0 : 1 + rest.count - restStart }
    /// Whether an event could be told at once.
    var isIdle: Bool { !isDelivering && first == nil }

    func hasListener(_ kind: Occurrence.Kind) -> Bool { kinds & 1 << kind.rawValue != 0 }

    mutating func add(_ listener: Listener) {
        listeners.append(listener)
        kinds |= 1 << listener.kind.rawValue
        if listener.isOnce { hasOnce = true }
    }

    /// Removes listeners. Returns what there was before, for the caller to let go of outside of the lock.
    mutating func remove(where isIncluded: (Listener) -> Bool) -> [Listener] {
        let before = listeners
        listeners.removeAll(where: isIncluded)
        kinds = listeners.reduce(0) { $0 | 1 << $1.kind.rawValue }
        hasOnce = listeners.contains(where: \.isOnce)
        return before
    }

    /// Queues an event, if anybody listens.
    mutating func emit(_ occurrence: Occurrence) {
        if hasListener(occurrence.kind) { append(.event(occurrence)) }
    }

    /// Queues the last event. It is delivered even if nobody listens to it, since its delivery lets the others go.
    mutating func emitClose(_ info: WebSocketCloseInfo) {
        if !listeners.isEmpty { append(.event(.close(info))) }
    }

    /// Queues a completion.
    mutating func append(_ body: @escaping @Sendable () -> Void) { append(.call(body)) }

    /// Queues the completion of a send that has succeeded.
    mutating func appendSent(_ body: @escaping @Sendable (Result<Void, WebSocketError>) -> Void) {
        append(.sent(body))
    }

    private mutating func append(_ item: Item) {
        if first == nil { first = item } else { rest.append(item) }
    }

    /// Starts the next delivery, which `end` ends. Nil when there is nothing, or one is under way.
    mutating func begin() -> Delivery? {
        guard !isDelivering, let item = first.take() else { return nil }
        if !rest.isEmpty { first = takeFirstOfRest() }
        isDelivering = true
        guard case .event(let occurrence) = item else { return Delivery(item: item, listeners: []) }
        return Delivery(item: item, listeners: hear(occurrence.kind))
    }

    /// Moves the others up now and then only: many completions may wait.
    private mutating func takeFirstOfRest() -> Item {
        let item = rest[restStart]
        restStart += 1
        if restStart == rest.count {
            rest.removeAll(keepingCapacity: rest.capacity <= 16)
            restStart = 0
        } else if restStart >= 32, restStart * 2 >= rest.count {
            rest.removeFirst(restStart)
            restStart = 0
        }
        return item
    }

    /// Starts to tell something that never was in the queue (`isIdle` must hold), and that no listener hears.
    mutating func beginDirectTelling() { isDelivering = true }

    /// Starts to tell of an event that never was in the queue (`isIdle` must hold). Returns those who hear it.
    mutating func beginTelling(_ kind: Occurrence.Kind) -> [Listener] {
        isDelivering = true
        return hear(kind)
    }

    /// The delivery under way has ended.
    mutating func end() { isDelivering = false }

    private mutating func hear(_ kind: Occurrence.Kind) -> [Listener] {
        let heard = listeners
        if kind == .close {
            // The last event: dropping the listeners here breaks the cycles that their captures make.
            listeners = []
            kinds = 0
        } else if hasOnce {
            _ = remove { $0.isOnce && $0.kind == kind }
        }
        return heard
    }
}

extension [EventQueue.Listener] {
    /// Tells those of them who listen to events of this kind. Never under a lock.
    func tell(_ occurrence: Occurrence) {
        let kind = occurrence.kind
        for listener in self where listener.kind == kind { listener.body(occurrence) }
    }
}
