internal import HarmonySocket
internal import SocketCore

/// Where a client's stream comes from. The one place that knows which streams there are: `wss://` gets its TLS stream here.
enum Transport {
    /// A connected stream on `loop`. `begin` is told of it before it connects, so that it can be ended meanwhile.
    static func connect(
        _ url: WebSocketURL, group: SocketEventLoopGroup, loop: EventLoop, timeout: Duration?,
        resolver: any SocketResolver, begin: (any StreamSocket) -> Void
    ) async throws(WebSocketError) -> any StreamSocket {
        guard !url.isSecure else {
            throw WebSocketError(.notSupported("wss:// needs TLS, which this build does not have"))
        }
        let socket = TCPSocket(group: group, loop: loop, resolver: resolver)
        begin(socket)
        do throws(SocketError) {
            try await socket.connect(to: url.address, timeout: timeout)
            // A message is whole when it is sent: there is nothing to wait for.
            try await socket.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
        } catch {
            throw WebSocketError(.socket(error))
        }
        return socket
    }
}
