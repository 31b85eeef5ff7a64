internal import HarmonySocket
internal import SocketCore

/// What a server keeps: its connections, its listeners, and what is still to be told to them.
final class ServerHost: LoopClient, Sendable {
    enum Occurrence: Sendable {
        case connect(WebSocketConnection)
        case messageReceive(WebSocketMessage)
        case close(WebSocketConnectionEnd)
        case error(WebSocketError)

        enum Kind: Sendable { case connect, messageReceive, close, error }

        var kind: Kind {
            switch self {
            case .connect: .connect
            case .messageReceive: .messageReceive
            case .close: .close
            case .error: .error
            }
        }
    }

    struct Listener: Sendable {
        let ticket: Ticket
        let kind: Occurrence.Kind
        let isOnce: Bool
        let body: @Sendable (Occurrence) -> Void
    }

    /// A connection, with the listeners that the server itself has there: they keep nobody alive.
    struct Member: Sendable {
        let connection: WebSocketConnection
        /// Of its end.
        let ending: SocketListener
        /// Of its messages, while `messageReceive` has listeners.
        var messages: SocketListener?
        /// There is such a one, or it is about to be added.
        var isHeard = false
    }

    struct State: Sendable {
        var config: WebSocketServerConfig?
        var below: (any StreamServer)?
        var hasListenersBelow = false
        var isStopped = false
        /// Stopped, and everything has been told.
        var hasEnded = false
        /// The program still has the object.
        var hasHandle = true
        var connections: [ObjectIdentifier: Member] = [:]
        var clients: [String: Int] = [:]
        var listeners: [Listener] = []
        var queue = EventQueue()
        var delivery = DeliveryContext.loop
        var lastTicket: UInt64 = 0
    }

    let loop: EventLoop
    let state = Lock(State())
    nonisolated(unsafe) var isLeftOver = false
    private static let deliveryBudget = 32

    init(loop: EventLoop) { self.loop = loop }

    func hasListener(_ kind: Occurrence.Kind) -> Bool {
        state.withLock { $0.listeners.contains { $0.kind == kind } }
    }

    // MARK: Telling

    /// Has an event told, behind those that came before it.
    func tell(_ occurrence: Occurrence) { run { [self] in tellNow(occurrence) } }

    /// Tells an event: the caller is where listeners run, and alone there.
    func tellNow(_ occurrence: Occurrence) {
        let kind = occurrence.kind
        let heard = state.withLock { state in
            let heard = state.listeners.filter { $0.kind == kind }
            state.listeners.removeAll { $0.kind == kind && $0.isOnce }
            return heard
        }
        for listener in heard { listener.body(occurrence) }
        guard heard.contains(where: \.isOnce) else { return }
        leaveMessagesIfUnheard()
        closeIfAbandoned()
    }

    /// Runs something where listeners run, one at a time, in order.
    func run(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.queue.append(body) }
        loop.schedule(self)
    }

    func turn() {
        var allowance = ServerHost.deliveryBudget
        while true {
            let (delivery, context): (EventQueue.Delivery?, DeliveryContext) = state.withLock { state in
                (allowance > 0 ? state.queue.begin() : nil, state.delivery)
            }
            guard let delivery else { break }
            allowance -= 1
            switch context {
            case .loop:
                delivery.perform()
                state.withLock { $0.queue.end() }
            case .executor(let run):
                run { [self] in
                    delivery.perform()
                    state.withLock { $0.queue.end() }
                    loop.schedule(self)
                }
                return
            }
        }
        if allowance == 0 { loop.yieldTurn(self) }
    }

    // MARK: Connections

    /// Counts a client in, unless it has as many connections as it may.
    func admit(_ host: String) -> Bool {
        state.withLock { state in
            let count = state.clients[host, default: 0]
            if let most = state.config?.maxConnectionsForOneClient, count >= most { return false }
            state.clients[host] = count + 1
            return true
        }
    }

    func dismiss(_ host: String) {
        state.withLock { state in
            let count = state.clients[host, default: 0] - 1
            state.clients[host] = count > 0 ? count : nil
        }
    }

    /// False when the server was stopped meanwhile. `listener`: the server's own.
    func add(_ connection: WebSocketConnection, _ listener: SocketListener) -> Bool {
        state.withLock { state in
            if state.isStopped { return false }
            state.connections[ObjectIdentifier(connection.driver)] = Member(
                connection: connection, ending: listener)
            return true
        }
    }

    /// Takes a connection out that has ended; nil when it is not there any more.
    func remove(_ key: ObjectIdentifier) -> WebSocketConnection? {
        state.withLock { $0.connections.removeValue(forKey: key)?.connection }
    }

    /// Has the messages of a connection told by `messageReceive`.
    func listen(to connection: WebSocketConnection) {
        let driver = connection.driver
        let isFirst = state.withLock { state in
            guard state.connections[ObjectIdentifier(driver)]?.isHeard == false else { return false }
            state.connections[ObjectIdentifier(driver)]?.isHeard = true
            return true
        }
        guard isFirst else { return }
        if !(driver.loop === loop && state.withLock({ $0.delivery.isLoop })) {
            // Each delivery of the connection waits in the server's queue, and the next message waits for it.
            driver.withState { $0.delivery = .executor { [self] work in run(work) } }
        }
        let listener = connection.on(.message) { [self, weak connection] data in
            guard let connection else { return }
            tellNow(.messageReceive(WebSocketMessage(clientConnection: connection, data: data)))
        }
        state.withLock { $0.connections[ObjectIdentifier(driver)]?.messages = listener }
        leaveMessagesIfUnheard()
    }

    /// When `messageReceive` has no listeners any more, messages are for those who pull them, or listen at the connection.
    func leaveMessagesIfUnheard() {
        let left = state.withLock { state in
            var left: [(connection: WebSocketConnection, listener: SocketListener)] = []
            if state.listeners.contains(where: { $0.kind == .messageReceive }) { return left }
            for (key, member) in state.connections {
                // One that is about to be added is looked at again when it has been.
                guard let listener = member.messages else { continue }
                state.connections[key]?.messages = nil
                state.connections[key]?.isHeard = false
                left.append((member.connection, listener))
            }
            return left
        }
        for (connection, listener) in left { connection.off(listener) }
    }

    // MARK: Ending

    /// The program let go of the server.
    func handleReleased() {
        state.withLock { $0.hasHandle = false }
        closeIfAbandoned()
    }

    /// Nobody listens and nobody has the server: it ends, and leaves its connections to those who have or hear them.
    func closeIfAbandoned() {
        let (below, members): ((any StreamServer)?, [Member]) = state.withLock { state in
            guard !state.hasHandle, state.listeners.isEmpty, !state.isStopped else { return (nil, []) }
            defer {
                state.below = nil
                state.connections = [:]
            }
            state.isStopped = true
            return (state.below, Array(state.connections.values))
        }
        below?.close { _ in }
        for member in members {
            member.connection.off(member.ending)
            if let messages = member.messages { member.connection.off(messages) }
        }
    }

    /// The server was stopped, and has told everything: dropping the listeners breaks the cycles that their captures make.
    func end() {
        let listeners = state.withLock { state in
            defer { state.listeners = [] }
            state.hasEnded = true
            return state.listeners
        }
        withExtendedLifetime(listeners) {}
    }
}
