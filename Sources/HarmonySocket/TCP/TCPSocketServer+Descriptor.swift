internal import SocketCore

extension TCPSocketServer {
    /// A server on a socket that listens already, as systemd and launchd hand them to a program, or `detach()` returned it.
    ///
    /// It owns the descriptor from here on, and closes it when it is closed: nobody else may. It becomes nonblocking and
    /// close-on-exec, the first also for other processes that share the socket. What it listens with stays as it is.
    ///
    /// ```swift
    /// let server = try TCPSocketServer(adopting: 3)  // the first of sd_listen_fds(3)
    /// server.on(.connect) { client in client.write("hello") }
    /// ```
    ///
    /// - Throws: `.invalidArgument` for the field `descriptor`, whose `message` says why: it is not open, not a socket, not
    ///   a stream socket of IPv4 or IPv6, or not listening. It then stays the caller's, as it was.
    public convenience init(adopting descriptor: Int, group: SocketEventLoopGroup = .shared) throws(SocketError) {
        do throws(Failure) {
            self.init(server: try ServerHandle(adopting: descriptor, group, for: TCPSocketConnection.self))
        } catch {
            throw SocketError(error, .adopt)
        }
    }
}
