internal import SocketCore

/// A TCP server, in the style of OpenHarmony.
///
/// Connections go one way at a time: to listeners of `connect`, to `serve`, or to those who pull them with `accept` and
/// `connections`. While a `connect` listener exists, or `serve` runs, pulling fails with `.invalidState`; a listener that
/// is added while a pull waits takes effect when that has ended. Any thread may call anything at any time. A listening server with a listener, or with a call under way, stays alive until it is closed; without
/// either it closes when its last reference goes.
///
/// ```swift
/// try await server.listen(NetAddress("127.0.0.1", port: 0))
/// server.on(.connect) { client in
///     client.on(.message) { client.write($0.message) }
/// }
/// ```
public final class TCPSocketServer: StreamServer, InternetSocket {
    /// One accepted connection.
    public typealias Connection = TCPSocketConnection

    /// The engine's part of this server. Of no use outside of the library.
    public let server: ServerHandle

    /// Makes a server that does not listen yet. Its connections are spread over the loops of `group`.
    public convenience init(group: SocketEventLoopGroup = .shared) {
        self.init(server: ServerHandle(group, for: TCPSocketConnection.self))
    }

    init(server: ServerHandle) { self.server = server }

    deinit {
        driver.handleReleased()
    }
}

/// OpenHarmony's name for `TCPSocketServer()`.
public func constructTCPSocketServerInstance() -> TCPSocketServer { TCPSocketServer() }
