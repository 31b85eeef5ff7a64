internal import HarmonySocket
internal import SocketCore

/// What the lock of a WebSocket guards: everything that calls from any thread look at.
struct WebSocketState: Sendable {
    // What every message touches comes first.
    var readyState = WebSocketReadyState.invalid
    /// The program has closed it.
    var isClosedByUs = false
    /// The program still has the object.
    var hasHandle = true
    var isPaused = false
    /// Somebody who waited was told to take it.
    var isInboxPromised = false
    /// Nothing more will come.
    var hasEnded = false
    /// Reading has stopped, because nobody took what was read.
    var isStalled = false
    /// The task that serves the connection was cancelled.
    var isServingCancelled = false
    var queue = EventQueue()
    /// The message that came and was not taken yet. No second one is read before it is.
    var inbox: WebSocketData?
    var readers: [Reader] = []
    /// Calls from other threads, for the loop to make, in their order.
    var mail: [@Sendable () -> Void] = []
    /// How many bytes of messages are in there.
    var mailedBytes = 0
    var delivery = DeliveryContext.loop
    private var lastTicket: UInt64 = 0

    var url = ""
    var openInfo: WebSocketOpenInfo?
    /// Of a server's connection with compression: how far back what is sent may refer.
    var windowBits: Int?
    var closeInfo: WebSocketCloseInfo?
    var lastError: WebSocketError?
    /// The stream below, as long as there is a connection.
    var stream: StreamDriver?
    /// Those who wait for the end.
    var closers: [Waiter] = []

    /// Somebody who waits for a message.
    struct Reader: Sendable {
        let ticket: Ticket
        let waiter: Waiter
        let deadline: Instant
        /// Its task is the one that serves the connection: cancelled with it, without a handler of its own.
        let isServing: Bool
    }

    /// How many events may wait for listeners that are slow before nothing more is read.
    static let mostWaiting = 16

    mutating func nextTicket() -> Ticket {
        lastTicket += 1
        return Ticket(number: lastTicket)
    }

    /// Whether messages go to listeners.
    var hasMessageListener: Bool { queue.hasListener(.message) || queue.hasListener(.dataEnd) }

    /// Whether more may be read: somebody takes it, or there is room for one message.
    var wantsMore: Bool {
        if readyState != .open { return true }
        if queue.count >= WebSocketState.mostWaiting { return false }
        if hasMessageListener { return !isPaused && inbox == nil && (delivery.isLoop || queue.isIdle) }
        return inbox == nil
    }

    /// What becomes of a message that came.
    enum Taking {
        /// The listeners are told at once, and then `endTelling` is called.
        case tell([EventQueue.Listener])
        /// It waits; this reader is told.
        case wake(Waiter)
        case wait
    }

    /// Takes in a message. Nobody wants it any more once we have closed.
    mutating func take(_ data: WebSocketData) -> Taking {
        guard readyState == .open else { return .wait }
        if hasMessageListener, readers.isEmpty, inbox == nil {
            if queue.isIdle, delivery.isLoop, !isPaused {
                return .tell(queue.beginTelling(.message))
            }
            queueMessage(data)
            return .wait
        }
        inbox = data
        if readers.isEmpty { return .wait }
        let reader = readers.removeFirst()
        isInboxPromised = true
        return .wake(reader.waiter)
    }

    /// Starts to tell something here and now, if nothing is before it and it is told on the loop.
    mutating func beginDirectTelling() -> Bool {
        guard queue.isIdle, delivery.isLoop else { return false }
        queue.beginDirectTelling()
        return true
    }

    /// Something that listeners were told, on the loop.
    enum EndedTelling {
        case nothing
        case delivery
        /// A message, which never was in the queue.
        case message
    }

    /// The listeners have been told.
    mutating func end(_ telling: EndedTelling) {
        switch telling {
        case .nothing: break
        case .delivery: queue.end()
        case .message:
            queue.end()
            queue.emit(.dataEnd)
        }
    }

    /// Whether the next message may be read. If not, reading has stopped.
    mutating func mayRead(endsTelling telling: EndedTelling) -> Bool {
        end(telling)
        isStalled = !wantsMore
        return !isStalled
    }

    /// A message that nobody took goes to the listeners who came meanwhile.
    mutating func offerInboxToListeners() {
        guard hasMessageListener, !isPaused, !isInboxPromised, readers.isEmpty, let data = inbox.take() else { return }
        queueMessage(data)
    }

    private mutating func queueMessage(_ data: WebSocketData) {
        queue.emit(.message(data))
        queue.emit(.dataEnd)
    }

    /// Takes out the readers for whom `isIncluded` holds, in order.
    mutating func takeReaders(where isIncluded: (Reader) -> Bool) -> [Waiter] {
        if readers.isEmpty { return [] }
        defer { readers.removeAll(where: isIncluded) }
        return readers.filter(isIncluded).map(\.waiter)
    }

    /// The connection is over, and is not made again. Returns the readers, who are to be woken.
    mutating func end(_ info: WebSocketCloseInfo) -> [Waiter] {
        readyState = .closed
        closeInfo = info
        hasEnded = true
        stream = nil
        if isClosedByUs { inbox = nil }
        let waiting = takeReaders { _ in true }
        if let error = info.error, !isClosedByUs {
            lastError = error
            if waiting.isEmpty { queue.emit(.error(error)) }
        }
        for closer in closers { queue.append { closer.resume() } }
        closers = []
        queue.emitClose(info)
        return waiting
    }
}
