internal import SocketCore

extension TCPSocketServer {
    /// A server on a socket that listens already, as systemd and launchd hand them to a program, or `detach()` returned it.
    ///
    /// It owns the descriptor from here on, and closes it when it is closed: nobody else may. It becomes nonblocking and
    /// close-on-exec, the first also for other processes that share the socket. What it listens with stays as it is.
    ///
    /// ```swift
    /// let server = try TCPSocketServer(adopting: 3)  // the first of sd_listen_fds(3)
    /// server.on(.connect) { client in client.send("hello") { _ in } }
    /// ```
    ///
    /// - Throws: `.invalidArgument` for the field `descriptor`, whose `message` says why: it is not open, not a socket, not
    ///   a stream socket of IPv4 or IPv6, or not listening. It then stays the caller's, as it was.
    public convenience init(adopting descriptor: Int, group: SocketEventLoopGroup = .shared) throws(SocketError) {
        do throws(Failure) {
            let number = Int32(exactly: descriptor) ?? -1
            self.init(
                driver: try ListenerDriver(group: group.core, adopting: number, makeFace: TCPSocketServer.makeFace))
        } catch {
            throw SocketError(error, .adopt)
        }
    }

    /// Gives the listening socket to the caller, who owns it from here on, and closes the server without it.
    ///
    /// The socket goes on listening: peers wait in its backlog until somebody accepts, another process or a
    /// `TCPSocketServer(adopting:)`. It stays nonblocking and close-on-exec. Accepts that wait end with `.aborted`,
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
