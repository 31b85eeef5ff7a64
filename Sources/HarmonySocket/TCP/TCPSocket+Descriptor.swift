internal import SocketCore

extension TCPSocket {
    /// A socket on a connection that stands already: inherited, or made by other code.
    ///
    /// It owns the descriptor from here on, and closes it when it is closed: nobody else may. It becomes nonblocking and
    /// close-on-exec, the first also for other processes that share the socket. It is neither read nor watched before it
    /// is first used, and input that has arrived waits in the kernel.
    ///
    /// ```swift
    /// let inherited = try TCPSocket(adopting: 3)
    /// try await inherited.send("hello")
    /// ```
    ///
    /// `unread` is what was read of the connection before and is still to be received here, as `detach()` returns it: it
    /// comes before everything else.
    ///
    /// - Throws: `.invalidArgument` for the field `descriptor`, whose `message` says why: it is not open, not a socket, not
    ///   a stream socket of IPv4 or IPv6, or not connected. It then stays the caller's, as it was.
    public convenience init(
        adopting descriptor: Int, unread: [UInt8] = [], group: SocketEventLoopGroup = .shared
    ) throws(SocketError) {
        let number = Int32(exactly: descriptor) ?? -1
        do throws(Failure) {
            self.init(driver: try StreamDriver(group: group.core, adopting: number, unread: unread))
        } catch {
            throw SocketError(error, .adopt)
        }
    }
}
