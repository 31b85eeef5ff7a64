internal import SocketCore

extension StreamServer {
    /// Stops listening, lets the connections come to their end, and cuts off those that have not when time is over.
    ///
    /// The port is free at once. Handlers of `serve` and listeners go on with the connections that they have; those are
    /// not told, so a program whose peers stay for long tells them. After `timeout`, 10 s unless said otherwise, what is
    /// left is reset, and pending calls of it end with `.aborted`. Nil waits without end; zero resets at once. Returns
    /// when no connection is left, its descriptor given back: also the background of a `close()` is over, or cut short.
    ///
    /// ```swift
    /// let count = try await server.shutdown(timeout: .seconds(30))
    /// if count > 0 { print(count, "connections were cut off") }
    /// ```
    ///
    /// Works after `close()` too, and any number of times at once; the first whose time is over cuts off. A handler that
    /// calls it waits for its own connection as well, so it had better close that first.
    ///
    /// - Returns: How many connections were cut off while they were still open. Of several shutdowns each returns the sum.
    /// - Throws: `.cancelled`.
    ///
    /// ## Events
    /// `close`, as soon as the server no longer listens, and before this call returns.
    ///
    /// ## Cancellation
    /// A cancelled shutdown is no longer waited for, and its time-out cuts nobody off; the server is closed all the same.
    @discardableResult
    public func shutdown(timeout: Duration? = .seconds(10)) async throws(SocketError) -> Int {
        do throws(Failure) {
            return try await driver.shutdown(timeout: timeout)
        } catch {
            throw self.error(error, .shutdown)
        }
    }

    /// Stops listening and lets the connections come to their end; as the async form. Never fails.
    public func shutdown(
        timeout: Duration? = .seconds(10), completion: @escaping @Sendable (Result<Int, SocketError>) -> Void
    ) {
        driver.shutdown(timeout: timeout) { completion(.success($0)) }
    }
}
