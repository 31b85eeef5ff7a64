internal import SocketCore

extension StreamServer {
    /// Stops listening and frees the address: the port, or the path, which is removed. Connections that were accepted stay; those in the backlog are refused.
    ///
    /// Those who wait for a connection are told: `connections` ends, and `serve` returns when its handlers have ended. A
    /// second close does nothing.
    ///
    /// ## Events
    /// `close`, after this call's completion.
    ///
    /// ## Cancellation
    /// Not cancellable: it does not wait for anybody.
    public func close() async { await driver.close() }

    /// Stops listening; as the async form. Never fails.
    public func close(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        driver.close { completion(.success(())) }
    }
}
