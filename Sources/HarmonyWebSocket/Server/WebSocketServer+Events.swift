public import HarmonySocket
internal import SocketCore

/// The name of an event of a `WebSocketServer` whose listeners receive a `Payload`.
public struct WebSocketServerEvent<Payload>: Sendable {
    typealias Binding = @Sendable (@escaping @Sendable (Payload) -> Void) -> @Sendable (ServerHost.Occurrence) -> Void

    let kind: ServerHost.Occurrence.Kind
    let bind: Binding

    init(_ kind: ServerHost.Occurrence.Kind, bind: @escaping Binding) {
        self.kind = kind
        self.bind = bind
    }
}

extension WebSocketServerEvent where Payload == WebSocketConnection {
    /// A client has connected. Nothing of it is read before the listeners have returned, so this is the place to add some
    /// to the connection.
    public static var connect: WebSocketServerEvent {
        WebSocketServerEvent(.connect) { listener in
            { if case .connect(let connection) = $0 { listener(connection) } }
        }
    }
}

extension WebSocketServerEvent where Payload == WebSocketMessage {
    /// A message came. The listeners of a connection, and pulling, do without it while this event has a listener.
    public static var messageReceive: WebSocketServerEvent {
        WebSocketServerEvent(.messageReceive) { listener in
            { if case .messageReceive(let message) = $0 { listener(message) } }
        }
    }
}

extension WebSocketServerEvent where Payload == WebSocketConnectionEnd {
    /// A connection has ended.
    public static var close: WebSocketServerEvent {
        WebSocketServerEvent(.close) { listener in
            { if case .close(let end) = $0 { listener(end) } }
        }
    }
}

extension WebSocketServerEvent where Payload == WebSocketError {
    /// A handshake made no sense, accepting failed, or a handler of `serve` threw.
    public static var error: WebSocketServerEvent {
        WebSocketServerEvent(.error) { listener in
            { if case .error(let error) = $0 { listener(error) } }
        }
    }
}

extension WebSocketServer {
    /// Adds a listener, behind those that the event has already.
    ///
    /// Clients are accepted while a listener of `connect` or `messageReceive` exists, or `serve` runs. Listeners run one at
    /// a time, on the server's loop, or where `deliver(on:)` says. `off` takes what this call returns.
    @discardableResult
    public func on<Payload>(
        _ event: WebSocketServerEvent<Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        host.add(event.kind, once: false, event.bind(listener))
    }

    /// Adds a listener for the next such event only.
    @discardableResult
    public func once<Payload>(
        _ event: WebSocketServerEvent<Payload>, _ listener: @escaping @Sendable (Payload) -> Void
    ) -> SocketListener {
        host.add(event.kind, once: true, event.bind(listener))
    }

    /// Removes one listener; it hears nothing from the next event on.
    public func off(_ listener: SocketListener) {
        guard listener.socket == ObjectIdentifier(host) else { return }
        host.remove { $0.ticket == listener.ticket }
    }

    /// Removes all listeners of an event.
    public func off<Payload>(_ event: WebSocketServerEvent<Payload>) { host.remove { $0.kind == event.kind } }

    /// Chooses where the server's listeners and completion handlers run, and with them those of `messageReceive`. Called
    /// before the first listener is added.
    public func deliver(on delivery: SocketDelivery) { host.state.withLock { $0.delivery = delivery.context } }
}

extension ServerHost {
    func add(_ kind: Occurrence.Kind, once: Bool, _ body: @escaping @Sendable (Occurrence) -> Void) -> SocketListener {
        let (ticket, connections) = state.withLock { state in
            state.lastTicket += 1
            let ticket = Ticket(number: state.lastTicket)
            let isFirst = !state.listeners.contains { $0.kind == kind }
            // A server that has ended has told its last: keeping the listener would keep what it captures.
            if !state.hasEnded {
                state.listeners.append(Listener(ticket: ticket, kind: kind, isOnce: once, body: body))
            }
            // Those who connected before are heard too.
            return (ticket, kind == .messageReceive && isFirst ? state.connections.values.map(\.connection) : [])
        }
        for connection in connections { listen(to: connection) }
        listenBelowIfWanted()
        return SocketListener(ticket: ticket, socket: ObjectIdentifier(self))
    }

    func remove(where isIncluded: (Listener) -> Bool) {
        let before = state.withLock { state in
            let before = state.listeners
            state.listeners.removeAll(where: isIncluded)
            return before
        }
        withExtendedLifetime(before) {}
        leaveMessagesIfUnheard()
        closeIfAbandoned()
    }

    /// Takes the connections of the server below, once there are both listeners and a server.
    func listenBelowIfWanted() {
        let below: (any StreamServer)? = state.withLock { state in
            guard let below = state.below, !state.hasListenersBelow,
                state.listeners.contains(where: { $0.kind == .connect || $0.kind == .messageReceive })
            else { return nil }
            state.hasListenersBelow = true
            return below
        }
        if let below { listen(below) }
    }

    private func listen<Server: StreamServer>(_ server: Server) {
        server.on(.connect) { [self] stream in
            Task(executorPreference: stream.eventLoop) { [self] in await greet(stream) }
        }
    }

    @concurrent
    private func greet<Stream: StreamServerConnection>(_ stream: Stream) async {
        guard let connection = await open(stream) else { return }
        if hasListener(.messageReceive) { listen(to: connection) }
        run { [self] in
            tellNow(.connect(connection))
            connection.driver.startReading()
        }
    }

    func check(_ connection: WebSocketConnection) throws(WebSocketError) {
        let isOurs = state.withLock { $0.connections[ObjectIdentifier(connection.driver)] != nil }
        if !isOurs { throw WebSocketError(.unknownConnection) }
    }

    func report(_ error: any Error, of connection: WebSocketConnection) {
        switch error {
        case is CancellationError: break
        case let error as WebSocketError:
            // Closing and cancelling are how serving ends, not something that went wrong.
            if error.kind != .cancelled && error.kind != .closed { tell(.error(error)) }
        default: tell(.error(WebSocketError(.handler(String(describing: error)))))
        }
    }

    func broadcast(_ data: WebSocketData, to connections: [WebSocketConnection]) -> Int {
        let config = state.withLock { $0.config }
        let reached = connections.filter { $0.readyState == .open && $0.bufferedAmount <= config?.broadcastLimit ?? 0 }
        let windows = Set(reached.compactMap { connection in connection.driver.withState { $0.windowBits } })
        let message = OutgoingMessage(data, windows: windows, config?.compression)
        for connection in reached {
            connection.driver.post(bytes: data.bytes.count) { [driver = connection.driver] in
                driver.send(message, timeout: nil) { _ in }
            }
        }
        return reached.count
    }
}
