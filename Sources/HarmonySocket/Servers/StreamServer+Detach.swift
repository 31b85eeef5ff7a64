internal import SocketCore

extension StreamServer {
    /// Gives the listening socket to the caller, who owns it from here on, and closes the server without it.
    ///
    /// The socket goes on listening: peers wait in its backlog until somebody accepts, another process or a
    /// server that adopts it. It stays nonblocking and close-on-exec. Accepts that wait end with `.aborted`,
    /// `serve` and `connections` end as they do after `close()`, and connections stay.
    ///
    /// - Returns: The kernel's number of the socket.
    /// - Throws: `.invalidState` before listen; `.closed` after close, or another detach.
    ///
    /// ## Events
    /// `close`.
    ///
    /// ## Cancellation
    /// Not cancellable: it does not wait for anybody.
    public func detach() async throws(SocketError) -> Int {
        do throws(Failure) {
            return Int(try await driver.detach())
        } catch {
            throw self.error(error, .detach)
        }
    }

    /// Gives the listening socket to the caller; as the async form.
    public func detach(completion: @escaping @Sendable (Result<Int, SocketError>) -> Void) {
        driver.detach { [self] result in
            completion(result.map { Int($0) }.mapError { error($0, .detach) })
        }
    }
}
