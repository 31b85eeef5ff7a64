internal import SocketCore

/// A server for peers on this machine, in the style of OpenHarmony: a Unix domain socket (unix(7)).
///
/// A server like `TCPSocketServer`: `accept`, `serve`, `connections`, limits, `shutdown` and events are the same.
///
/// ```swift
/// let server = LocalSocketServer()
/// try await server.listen("/run/editor.socket", permissions: 0o600, removesStaleFile: true)
/// server.on(.connect) { client in
///     client.on(.message) { client.write($0.message) }
/// }
/// ```
public final class LocalSocketServer: StreamServer, LocalDomainSocket {
    /// One accepted connection.
    public typealias Connection = LocalSocketConnection

    /// The engine's part of this server. Of no use outside of the library.
    public let server: ServerHandle

    /// Makes a server that does not listen yet, for clients of the same type. Its connections are spread over the loops
    /// of `group`.
    public init(type: LocalSocketType = .stream, group: SocketEventLoopGroup = .shared) {
        server = ServerHandle(group, localKind: type.kind, for: LocalSocketConnection.self)
    }

    /// A server on a socket that listens already, as systemd and launchd hand them to a program, or `detach()` returned
    /// it. It owns the descriptor from here on; a path that it is bound to is not removed at close.
    ///
    /// - Throws: `.invalidArgument` for the field `descriptor`, whose `message` says why: it is not open, not a socket,
    ///   neither a stream nor a seqpacket socket, not local, or not listening. It then stays the caller's, as it was.
    public init(adopting descriptor: Int, group: SocketEventLoopGroup = .shared) throws(SocketError) {
        do throws(Failure) {
            server = try ServerHandle(adopting: descriptor, group, isLocal: true, for: LocalSocketConnection.self)
        } catch {
            throw SocketError(error, .adopt)
        }
    }

    deinit {
        driver.handleReleased()
    }
}

/// OpenHarmony's name for `LocalSocketServer()`.
public func constructLocalSocketServerInstance() -> LocalSocketServer { LocalSocketServer() }

extension LocalSocketServer {
    /// Binds to `address` and waits for peers on this machine.
    ///
    /// A path becomes a socket file. It is removed when the server closes, unless somebody else's is there by then. What
    /// is at the path already is left alone, and the call fails. But a server that ended without closing leaves its file
    /// behind: `removesStaleFile` removes a socket file that nobody listens on. Of two servers that do so at the same
    /// moment the later one wins. An abstract name needs none of this, and has no permissions either.
    ///
    /// `permissions`, such as `0o600`, say who may connect; nil leaves them to the process (umask(2)). The file is never
    /// more open than they say, not even for a moment. Not every system heeds them: the directory's hold everywhere.
    ///
    /// `backlog` is how many connections the kernel holds until they are accepted; it caps it (listen(2)).
    ///
    /// ```swift
    /// try await LocalSocketServer().listen("/run/editor.socket", permissions: 0o600, removesStaleFile: true)
    /// ```
    ///
    /// - Throws: `.invalidArgument` for an address, backlog or permissions that cannot be, such as a path that is too
    ///   long; `.addressInUse` when a server, a file, a directory or anything else is at the path; `.permissionDenied`;
    ///   `.alreadyBound` when it listens already; `.closed` after close; other answers of the system (bind(2)).
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func listen(
        _ address: LocalAddress, backlog: Int = 511, permissions: Int? = nil, removesStaleFile: Bool = false
    ) async throws(SocketError) {
        try listenNow(address, backlog, permissions, removesStaleFile)
        await driver.deliverPending()
    }

    /// Binds and waits for peers; as the async form.
    public func listen(
        _ address: LocalAddress, backlog: Int = 511, permissions: Int? = nil, removesStaleFile: Bool = false,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in
            try listenNow(address, backlog, permissions, removesStaleFile)
        }
        driver.complete { completion(result) }
    }

    private func listenNow(
        _ address: LocalAddress, _ backlog: Int, _ permissions: Int?, _ removesStaleFile: Bool
    ) throws(SocketError) {
        do throws(Failure) {
            let literal = try address.literal()
            let wishes = try PathOptions(permissions, removesStaleFile)
            guard backlog > 0 else { throw .invalidArgument(.init("backlog", "\(backlog) is not above zero")) }
            try driver.listen(on: literal, backlog: backlog, wishes)
        } catch {
            throw SocketError(error, .listen, address.description)
        }
    }
}

/// One accepted connection of a `LocalSocketServer`.
///
/// Neither read nor watched until the server's `connect` listeners have returned, its handler has started, or, when it
/// came from `connections`, it is first used: no event is missed. A connection that nobody keeps is closed.
public final class LocalSocketConnection: StreamServerConnection, LocalDomainSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    public let stream: StreamHandle

    /// Tells the connections of this process apart: 1 for the first of all servers, and so on.
    public let clientId: Int

    /// For the server. Of no use outside of the library.
    public init(stream: StreamHandle) {
        self.stream = stream
        clientId = ClientIds.next()
    }

    deinit {
        stream.driver.handleReleased()
    }
}
