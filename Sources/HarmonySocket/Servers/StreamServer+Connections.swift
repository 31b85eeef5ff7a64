internal import SocketCore

extension StreamServer {
    /// Accepts connections and runs `handler` for each, side by side, until the server is closed or the task cancelled.
    ///
    /// A handler runs as a task that prefers its connection's loop, so awaiting the connection costs no thread hop. A
    /// handler that blocks stalls that loop. When a handler returns, its connection is closed, after what it sent. When
    /// it throws, the connection is closed too, and the server's `error` tells; the other connections are not
    /// disturbed.
    ///
    /// ```swift
    /// try await server.listen(NetAddress("127.0.0.1", port: 0))
    /// try await server.serve { client in
    ///     for try await chunk in client.messages { try await client.send(chunk.message) }
    /// }
    /// ```
    ///
    /// Returns when the server is closed and every handler has ended; `shutdown(timeout:)` gives them a limit.
    ///
    /// Accepts and iterations of `connections` that wait already are served first; later ones fail with `.invalidState`.
    ///
    /// - Throws: `.invalidState` before listen, or while a `connect` listener or another serve takes the connections;
    ///   `.closed` after close; `.cancelled` when the task was cancelled.
    ///
    /// ## Cancellation
    /// Stops accepting, and cancels the handlers: their pending calls throw `.cancelled`. The server goes on listening;
    /// what nobody accepts waits in the kernel's backlog.
    public func serve(
        _ handler: @escaping @Sendable (Connection) async throws -> Void
    ) async throws(SocketError) {
        do throws(Failure) {
            try driver.take()
        } catch {
            throw self.error(error, .serve)
        }
        defer { driver.giveBack() }
        let failure: Failure? = await withTaskCancellationHandler {
            await withTaskExecutorPreference(eventLoop) {
                await acceptAndHandle(handler)
            }
        } onCancel: {
            driver.cancelServing()
        }
        if let failure, failure != .closed, failure != .aborted() { throw error(failure, .serve) }
    }

    /// Off the caller's actor, so that the task's preference, the server's loop, decides where this runs.
    @concurrent
    private func acceptAndHandle(
        _ handler: @escaping @Sendable (Connection) async throws -> Void
    ) async -> Failure? {
        await withDiscardingTaskGroup { tasks in
            while true {
                do throws(Failure) {
                    let connection = Connection(stream: StreamHandle(driver: try await driver.accept(isTaker: true)))
                    // Everything in one closure: each async function of its own would add to the memory that an idle
                    // connection holds.
                    tasks.addTask(executorPreference: connection.eventLoop) { [self] in
                        driver.beginServing(connection.stream.driver)
                        do {
                            try await handler(connection)
                        } catch {
                            report(error, of: connection)
                        }
                        driver.endServing(connection.stream.driver)
                        await connection.close()
                    }
                } catch {
                    return error
                }
            }
        }
    }

    private func report(_ error: any Error, of connection: Connection) {
        // Also when the connection is closed already.
        let address = connection.stream.driver.peer
        if let error = error as? SocketError {
            // Closing and cancelling are how serving ends, not something that went wrong.
            if error.kind != .cancelled && error.kind != .closed && error.kind != .aborted {
                driver.report(error.failure, address)
            }
        } else if !(error is CancellationError) {
            driver.report(.handler(String(describing: error)), address)
        }
    }

    /// The connections, as they come. Nothing is accepted ahead: a slow loop leaves peers in the kernel's backlog.
    ///
    /// Ends when the server is closed. A connection that the loop drops is closed. Each step is an `accept`, and follows
    /// its rules: it throws `.invalidState` before listen, and while a `connect` listener or `serve` takes the
    /// connections; several iterations and accepts share them, in order.
    ///
    /// ```swift
    /// for try await client in server.connections {
    ///     client.on(.message) { client.write($0.message) }
    /// }
    /// ```
    ///
    /// ## Cancellation
    /// A cancelled iteration throws `.cancelled`; the server goes on listening.
    public var connections: SocketConnections<Self> { SocketConnections(server: self) }
}

/// The connections of a server, one by one, until it is closed.
public struct SocketConnections<Server: StreamServer>: AsyncSequence, Sendable {
    /// One connection.
    public typealias Element = Server.Connection
    /// What iterating throws.
    public typealias Failure = SocketError

    let server: Server

    /// Starts an iteration. Iterations and accepts of one server share its connections.
    public func makeAsyncIterator() -> Iterator { Iterator(server: server) }

    /// Takes one connection after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let server: Server

        /// The next connection; nil when the server is closed.
        ///
        /// - Throws: `.cancelled`; `.invalidState` before listen, or while a `connect` listener or `serve` takes them.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> Server.Connection? {
            do throws(SocketCore.Failure) {
                return Server.Connection.pulled(try await server.driver.accept())
            } catch .closed {
                return nil
            } catch .aborted {
                return nil
            } catch {
                throw server.error(error, .accept)
            }
        }
    }
}
