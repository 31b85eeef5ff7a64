internal import SocketCore

/// A connection that left its socket object with `detach()`.
public struct DetachedStream: Sendable, Hashable {
    /// The kernel's number for the socket. Whoever has it owns it, and closes it.
    public let descriptor: Int
    /// What the socket had read and not handed out: it comes before what the descriptor still has. Mostly empty.
    public let unread: [UInt8]
}

extension StreamSocket {
    /// Gives the connection to the caller, who owns its descriptor from here on, and closes the socket without it: the peer
    /// notices nothing.
    ///
    /// For other code that wants a descriptor, another process, or another loop. The descriptor stays nonblocking and
    /// close-on-exec, and its options stay as they are. What the socket had read ahead, as the beginning of a message of its
    /// framing, comes along.
    ///
    /// ```swift
    /// let line = try await connection.receive(until: "\n")
    /// let detached = try await connection.detach()
    /// let elsewhere = SocketEventLoopGroup(count: 1)
    /// let moved = try TCPSocket(adopting: detached.descriptor, unread: detached.unread, group: elsewhere)
    /// try await moved.send(line ?? [])
    /// ```
    ///
    /// Message listeners hear nothing any more, from the moment that a listener of this socket, or a task on its loop,
    /// calls it; when another thread does, what arrives meanwhile may still go to them.
    ///
    /// - Throws: `.invalidState` while a send, also of a file, a receive, `finish` or a relay is under way: what they would
    ///   leave is half a message; `.notConnected` before connect; `.closed` after close, or another detach. The socket then
    ///   stays as it was.
    ///
    /// ## Events
    /// `close`.
    ///
    /// ## Cancellation
    /// Not cancellable: it does not wait for the peer.
    public func detach() async throws(SocketError) -> DetachedStream {
        do throws(Failure) {
            return DetachedStream(try await stream.driver.detach())
        } catch {
            throw stream.error(error, .detach)
        }
    }

    /// Gives the connection to the caller; as the async form.
    public func detach(completion: @escaping @Sendable (Result<DetachedStream, SocketError>) -> Void) {
        stream.driver.detach { [stream] result in
            completion(result.map { DetachedStream($0) }.mapError { stream.error($0, .detach) })
        }
    }
}

extension DetachedStream {
    fileprivate init(_ detached: StreamDriver.Detached) {
        self.init(descriptor: Int(detached.number), unread: detached.unread)
    }
}
