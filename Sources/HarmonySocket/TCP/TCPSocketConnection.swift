internal import SocketCore
internal import Synchronization

/// One accepted connection of a `TCPSocketServer`.
///
/// Neither read nor watched until the server's `connect` listeners have returned, its handler has started, or, when it
/// came from `connections`, it is first used: no event is missed. A connection that nobody keeps is closed.
public final class TCPSocketConnection: StreamSocket {
    private static let lastClientId = Atomic<Int>(0)

    /// The engine's part of this socket. Of no use outside of the library.
    public let stream: StreamHandle

    /// Tells the connections of this process apart: 1 for the first of all servers, and so on.
    public let clientId: Int

    init(driver: StreamDriver) {
        stream = StreamHandle(driver: driver)
        clientId = TCPSocketConnection.lastClientId.wrappingAdd(1, ordering: .relaxed).newValue
    }

    deinit {
        stream.driver.handleReleased()
    }
}
