internal import SocketCore

/// A client of a local server, in the style of OpenHarmony: a Unix domain socket (unix(7)).
///
/// A stream socket like `TCPSocket`: sends, receives, framings, pumps, relays, files and events are the same.
///
/// ```swift
/// let local = LocalSocket()
/// local.on(.message) { print($0.text ?? "") }                  // listeners
/// try await local.connect(to: "/run/editor.socket")            // async
/// local.send("hello") { result in print(result) }              // completion handlers
/// await local.close()
/// ```
///
/// What only local sockets have: messages with bounds (`LocalSocketType.seqpacket`), the peer's credentials, open
/// descriptors that travel with a message, and pairs. A socket connects once; after close a new object is made.
public final class LocalSocket: StreamSocket, LocalDomainSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    public let stream: StreamHandle

    /// Makes a socket without an address, on a loop of `group`.
    public convenience init(type: LocalSocketType = .stream, group: SocketEventLoopGroup = .shared) {
        self.init(driver: StreamDriver(group: group.core, local: LocalStream(type.kind)))
    }

    private init(driver: StreamDriver) { stream = StreamHandle(driver: driver) }

    deinit {
        stream.driver.handleReleased()
    }
}

/// OpenHarmony's name for `LocalSocket()`.
public func constructLocalSocketInstance() -> LocalSocket { LocalSocket() }

// MARK: Sockets that stand already

extension LocalSocket {
    /// Two sockets that are connected to each other (socketpair(2)): between tasks, or with a child process that inherits
    /// the descriptor of one.
    ///
    /// ```swift
    /// let (ours, theirs) = try LocalSocket.pair()
    /// try await ours.send("hello")
    /// print(try await theirs.receive()?.text ?? "")
    /// ```
    ///
    /// - Throws: `.tooManyOpenFiles`; `.notSupported` for a type that the system does not have.
    public static func pair(
        type: LocalSocketType = .stream, group: SocketEventLoopGroup = .shared
    ) throws(SocketError) -> (LocalSocket, LocalSocket) {
        do throws(Failure) {
            let (first, second) = try StreamDriver.localPair(type.kind, group: group.core)
            return (LocalSocket(driver: first), LocalSocket(driver: second))
        } catch {
            throw SocketError(error, .makePair)
        }
    }

    /// A socket on a connection that stands already: inherited, received in a message, or made by other code.
    ///
    /// It owns the descriptor from here on, and closes it when it is closed: nobody else may. It becomes nonblocking and
    /// close-on-exec, the first also for other processes that share the socket. Nothing is read before it is used.
    ///
    /// `unread` is what was read of the connection before, as `detach()` returns it: it comes before everything else.
    ///
    /// - Throws: `.invalidArgument` for the field `descriptor`, whose `message` says why: it is not open, not a socket,
    ///   neither a stream nor a seqpacket socket, not local, or not connected. It then stays the caller's, as it was.
    public convenience init(
        adopting descriptor: Int, unread: [UInt8] = [], group: SocketEventLoopGroup = .shared
    ) throws(SocketError) {
        let number = Int32(exactly: descriptor) ?? -1
        do throws(Failure) {
            self.init(driver: try StreamDriver(group: group.core, adopting: number, isLocal: true, unread: unread))
        } catch {
            throw SocketError(error, .adopt)
        }
    }
}
