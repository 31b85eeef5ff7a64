internal import SocketCore

extension StreamServer {
    /// The next connection.
    ///
    /// Tries at once, and waits only when nobody is there. Several accepts, and iterations of `connections`, are served in
    /// the order in which they were called. A `timeout` of nil waits without end; zero looks at the backlog and does not
    /// wait. Nothing is accepted ahead: peers that nobody asks for stay in the kernel's backlog (accept(2)).
    ///
    /// The connection is neither read nor watched before it is first used, so no event of it is missed. One that is
    /// dropped is closed.
    ///
    /// ```swift
    /// let client = try await server.accept(timeout: .seconds(30))
    /// try await client.send("hello")
    /// ```
    ///
    /// Connections go one way at a time: a `connect` listener that is added while an accept waits hears of none before
    /// that accept has ended.
    ///
    /// - Throws: `.timedOut`; `.cancelled`; `.aborted` when the server is closed meanwhile; `.closed` after close;
    ///   `.invalidState` before listen, and while a `connect` listener or `serve` takes the connections. Running out of
    ///   descriptors is no failure of an accept: the server tells by `error`, and tries again.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out accept removes only itself; the server goes on listening, and the connection that it
    /// would have got goes to the next who asks.
    public func accept(timeout: Duration? = nil) async throws(SocketError) -> Connection {
        do throws(Failure) {
            return Connection.pulled(try await driver.accept(timeout: timeout))
        } catch {
            throw self.error(error, .accept)
        }
    }

    /// The next connection; as the async form.
    public func accept(
        timeout: Duration? = nil,
        completion: @escaping @Sendable (Result<Connection, SocketError>) -> Void
    ) {
        driver.accept(timeout: timeout) { [self] result in
            completion(result.map(Connection.pulled).mapError { error($0, .accept) })
        }
    }
}

extension StreamServerConnection {
    /// A connection that somebody has pulled, and is to be watched once it is used.
    static func pulled(_ driver: StreamDriver) -> Self {
        defer { driver.startWatchingWhenUsed() }
        return Self(stream: StreamHandle(driver: driver))
    }
}
