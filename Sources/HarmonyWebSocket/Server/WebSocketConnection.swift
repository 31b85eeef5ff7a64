internal import HarmonySocket
internal import SocketCore

/// One connection of a `WebSocketServer`: the same calls and events as a `WebSocket`, but for those of connecting.
public final class WebSocketConnection: WebSocketEndpoint {
    /// The engine's part. Of no use outside of the library.
    public let webSocket: WebSocketHandle
    /// What the client asked for.
    public let request: WebSocketRequest
    /// Tells the connections of this process apart: that of the stream below.
    public let clientId: Int

    init(driver: WebSocketDriver, _ request: WebSocketRequest, clientId: Int) {
        webSocket = WebSocketHandle(driver: driver)
        self.request = request
        self.clientId = clientId
    }

    deinit { driver.handleReleased() }

    /// The client's IP address; empty of a local socket.
    public var clientIP: String { request.remoteAddress?.address ?? "" }

    /// The client's port; 0 of a local socket.
    public var clientPort: Int { request.remoteAddress?.port ?? 0 }
}

/// A message that came to a server, and from whom: the payload of `messageReceive`, as OpenHarmony's WebSocketMessage.
public struct WebSocketMessage: Sendable {
    /// Who sent it.
    public let clientConnection: WebSocketConnection
    /// What was sent.
    public let data: WebSocketData
}

/// A connection of a server that has ended, and how: the payload of the server's `close`.
public struct WebSocketConnectionEnd: Sendable {
    /// The connection.
    public let clientConnection: WebSocketConnection
    /// How it ended.
    public let info: WebSocketCloseInfo
}
