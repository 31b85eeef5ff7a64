public import HarmonySocket
internal import SocketCore

/// A WebSocket server (RFC 6455), in the style of OpenHarmony.
///
/// Connections go one way at a time: to listeners of the server's events, or to `serve`. Nothing is accepted before one of
/// them is there.
///
/// ```swift
/// let server = WebSocketServer()
/// server.on(.connect) { client in print(client.clientIP, client.request.path) }
/// server.on(.messageReceive) { message in message.clientConnection.send(message.data) { _ in } }
/// try await server.start(WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 7007))
/// ```
public final class WebSocketServer: Sendable {
    let host: ServerHost
    private let group: SocketEventLoopGroup

    /// Makes a server that does not listen yet. Its connections are spread over the loops of `group`.
    public init(group: SocketEventLoopGroup = .shared) {
        self.group = group
        host = ServerHost(loop: group.core.next())
    }

    deinit { host.handleReleased() }

    /// Listens on an address and port.
    ///
    /// - Throws: `.invalidArgument` for a field that cannot be; `.alreadyConnected` when it was started before; `.socket`
    ///   with what listening said, such as `.addressInUse`.
    public func start(_ config: WebSocketServerConfig) async throws(WebSocketError) {
        try config.check()
        let server = TCPSocketServer(group: group)
        server.maxConnections = config.maxConcurrentClientsNumber
        do throws(SocketError) {
            try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
            try await server.listen(NetAddress(config.serverIP, port: config.serverPort))
        } catch {
            throw WebSocketError(.socket(error))
        }
        try await begin(server, config)
    }

    /// Listens; as the async form.
    public func start(
        _ config: WebSocketServerConfig, completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        Task(executorPreference: eventLoop) { [self] in
            do throws(WebSocketError) {
                try await start(config)
                host.run { completion(.success(())) }
            } catch {
                host.run { completion(.failure(error)) }
            }
        }
    }

    /// Serves the connections of a server of streams that listens already, of any kind, such as a `LocalSocketServer`, or a
    /// `TLSSocketServer` for `wss://`. It is the WebSocket server's from here on. Address, port and number of connections of
    /// the `config` do not count.
    ///
    /// ```swift
    /// let local = LocalSocketServer()
    /// try await local.listen("/run/editor.socket", removesStaleFile: true)
    /// let server = WebSocketServer()
    /// try await server.start(on: local)
    /// ```
    ///
    /// - Throws: as `start`.
    public func start(
        on server: some StreamServer, _ config: WebSocketServerConfig = WebSocketServerConfig(serverPort: 0)
    ) async throws(WebSocketError) {
        try config.check()
        try await begin(server, config)
    }

    /// Serves the connections of a server of streams that listens already; as the async form.
    public func start(
        on server: some StreamServer, _ config: WebSocketServerConfig = WebSocketServerConfig(serverPort: 0),
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        Task(executorPreference: eventLoop) { [self] in
            do throws(WebSocketError) {
                try await start(on: server, config)
                host.run { completion(.success(())) }
            } catch {
                host.run { completion(.failure(error)) }
            }
        }
    }

    private func begin<Server: StreamServer>(
        _ server: Server, _ config: WebSocketServerConfig
    ) async throws(WebSocketError) {
        let isFirst = host.state.withLock { state in
            guard state.below == nil, state.config == nil else { return false }
            state.below = server
            state.config = config
            return true
        }
        guard isFirst else {
            await server.close()
            throw WebSocketError(.alreadyConnected)
        }
        server.on(.error) { [host] error in host.tell(.error(WebSocketError(.socket(error)))) }
        host.listenBelowIfWanted()
    }

    /// Stops listening, and closes all connections with the code 1001 (going away). Returns when they have ended; each has
    /// the close time-out for that. Then the server lets go of all listeners.
    ///
    /// ## Events
    /// `close` of each connection.
    ///
    /// ## Cancellation
    /// Not cancellable: it has a time limit of its own.
    public func stop() async {
        let (below, connections) = host.state.withLock { state in
            defer { state.below = nil }
            state.isStopped = true
            return (state.below, state.connections.values.map(\.connection))
        }
        await below?.close()
        await withTaskGroup { tasks in
            for connection in connections {
                tasks.addTask { await connection.driver.close(ClosingMachine.Frame(code: .goingAway)) }
            }
        }
        // Behind what is still to be told of them.
        _ = await Waiter.wait { [host] waiter in host.run { waiter.resume() } }
        host.end()
    }

    /// Stops listening, and closes all connections; as the async form. Never fails.
    public func stop(completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void) {
        Task(executorPreference: eventLoop) { [self] in
            await stop()
            host.run { completion(.success(())) }
        }
    }

    /// The address and port that it listens on; nil before `start` and after `stop`, and of local sockets.
    public var localAddress: NetAddress? {
        (host.state.withLock { $0.below } as? any InternetSocket)?.localAddress
    }

    /// The loop on which the server accepts, and its listeners run.
    public var eventLoop: SocketEventLoop { SocketEventLoop.face(of: host.loop) }

    // MARK: Connections

    /// The connections that are open now, in the order in which they came.
    public func listAllConnections() -> [WebSocketConnection] {
        host.state.withLock { $0.connections.values.map(\.connection) }.sorted { $0.clientId < $1.clientId }
    }

    /// Sends a message on a connection; as its own `send`.
    ///
    /// - Throws: `.notConnected` when the connection is not one of this server's, or has ended; what `send` of a connection
    ///   throws otherwise.
    public func send(_ data: WebSocketData, to connection: WebSocketConnection) async throws(WebSocketError) {
        try host.check(connection)
        try await connection.send(data)
    }

    /// Sends a message on a connection; as the async form. The handler runs where the connection's listeners do.
    public func send(
        _ data: WebSocketData, to connection: WebSocketConnection,
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        do throws(WebSocketError) {
            try host.check(connection)
            connection.send(data, completion: completion)
        } catch {
            connection.driver.complete { completion(.failure(error)) }
        }
    }

    /// Closes a connection; as its own `close`.
    ///
    /// - Throws: `.notConnected` when the connection is not one of this server's, or has ended; `.invalidArgument` for
    ///   options that cannot be.
    public func close(
        _ connection: WebSocketConnection, _ options: WebSocketCloseOptions = WebSocketCloseOptions()
    ) async throws(WebSocketError) {
        try host.check(connection)
        try await connection.close(options)
    }

    /// Closes a connection; as the async form. The handler runs where the connection's listeners do.
    public func close(
        _ connection: WebSocketConnection, _ options: WebSocketCloseOptions = WebSocketCloseOptions(),
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        do throws(WebSocketError) {
            try host.check(connection)
            connection.close(options, completion: completion)
        } catch {
            connection.driver.complete { completion(.failure(error)) }
        }
    }

    /// Sends a message to all connections, or to those that `isIncluded` says, and returns for how many it was queued.
    ///
    /// It is encoded once, and compressed once for all clients with the same window. Does not wait: a client that does not
    /// read keeps its messages in its own queue, and is passed over when there are more than `broadcastLimit` bytes.
    ///
    /// ```swift
    /// let count = webSocketServer.broadcast(.text("hello, everybody")) { $0.protocol == "chat" }
    /// ```
    @discardableResult
    public func broadcast(
        _ data: WebSocketData, to isIncluded: (WebSocketConnection) -> Bool = { _ in true }
    ) -> Int {
        host.broadcast(data, to: listAllConnections().filter(isIncluded))
    }

    /// Accepts connections and runs `handler` for each, side by side, until the server is stopped or the task cancelled.
    ///
    /// A handler runs as a task that prefers its connection's loop, so awaiting the connection costs no thread hop. When it
    /// returns, its connection is closed with the code 1000. When it throws, it is closed with 1011 (internal server
    /// error), and the server's `error` tells; the other connections are not disturbed.
    ///
    /// ```swift
    /// try await webSocketServer.serve { client in
    ///     for try await message in client.messages { try await client.send(message) }
    /// }
    /// ```
    ///
    /// - Throws: `.invalidState` before `start`, and while listeners of `connect` or `messageReceive` take the
    ///   connections; `.cancelled`.
    ///
    /// ## Cancellation
    /// Stops accepting, and cancels the handlers.
    public func serve(
        _ handler: @escaping @Sendable (WebSocketConnection) async throws -> Void
    ) async throws(WebSocketError) {
        guard let below = host.state.withLock({ $0.below }) else {
            throw WebSocketError(.invalidState("the server was not started"))
        }
        do throws(SocketError) {
            try await serve(below, handler)
        } catch {
            throw error.kind == .invalidState
                ? WebSocketError(.invalidState("connections go to the listeners, or to serve"))
                : WebSocketError(.socket(error))
        }
    }

    private func serve<Server: StreamServer>(
        _ server: Server, _ handler: @escaping @Sendable (WebSocketConnection) async throws -> Void
    ) async throws(SocketError) {
        let serving = Serving()
        let result: Result<Void, SocketError> = await withTaskCancellationHandler {
            do throws(SocketError) {
                try await server.serve { [host] stream in
                    guard
                        let connection = await host.aside(on: stream.eventLoop, { await host.open(stream) })
                    else { return }
                    serving.begin(connection.driver)
                    defer { serving.end(connection.driver) }
                    connection.driver.startReading()
                    do {
                        try await handler(connection)
                        await connection.close()
                    } catch {
                        host.report(error, of: connection)
                        await connection.driver.close(ClosingMachine.Frame(code: .internalServerError))
                    }
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        } onCancel: {
            serving.cancel()
        }
        try result.get()
    }
}

/// OpenHarmony's name for `WebSocketServer()`.
public func createWebSocketServer() -> WebSocketServer { WebSocketServer() }
