internal import SocketCore

/// One accepted connection of a `TCPSocketServer`.
///
/// Neither read nor watched until the server's `connect` listeners have returned, its handler has started, or, when it
/// came from `connections`, it is first used: no event is missed. A connection that nobody keeps is closed.
public final class TCPSocketConnection: StreamServerConnection, InternetSocket {
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
