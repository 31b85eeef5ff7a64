public import HarmonySocket
package import SocketCore

/// A client socket whose connection is secure (TLS 1.2 and 1.3), in the style of OpenHarmony.
///
/// A stream socket like `TCPSocket`: sends, receives, framings, pumps, relays, files and events are the same, and so are the
/// three styles.
///
/// ```swift
/// let tls = TLSSocket()
/// tls.on(.message) { print($0.text ?? "") }
/// try await tls.connect(TLSConnectOptions(address: NetAddress("example.org", port: 443)))
/// try await tls.send("GET / HTTP/1.0\r\nHost: example.org\r\n\r\n")
/// ```
///
/// The peer's certificate is checked: that it is trusted, in its time, and for the host that was asked for. A connection
/// that ends without TLS having said so, as when somebody cuts it, fails with `.truncated`. A socket connects once.
public final class TLSSocket: SecureSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    public let stream: StreamHandle

    /// Who knows the addresses of host names.
    public let resolver: any SocketResolver

    /// The socket whose connection is to become secure; nil when that has begun, or there is none.
    let plain: Lock<(any StreamSocket)?>

    /// Makes a socket without an address, on a loop of `group`. `resolver` is asked for the addresses of the host that
    /// it connects to.
    public init(group: SocketEventLoopGroup = .shared, resolver: any SocketResolver = SystemResolver()) {
        self.resolver = resolver
        stream = StreamHandle(driver: StreamDriver(group: group.core))
        plain = Lock(nil)
    }

    /// A socket without an address on a loop of `group` that is known beforehand.
    package init(group: SocketEventLoopGroup, loop: EventLoop, resolver: any SocketResolver) {
        self.resolver = resolver
        stream = StreamHandle(driver: StreamDriver(group: group.core, loop: loop))
        plain = Lock(nil)
    }

    init(takingOver socket: any StreamSocket) {
        resolver = SystemResolver()
        stream = StreamHandle(driver: StreamDriver(over: socket.stream.driver))
        plain = Lock(socket)
    }

    deinit {
        stream.driver.handleReleased()
    }
}

/// OpenHarmony's name for `TLSSocket()`.
public func constructTLSSocketInstance() -> TLSSocket { TLSSocket() }

extension SocketEvent where Socket == TLSSocket, Payload == Void {
    /// bind() succeeded.
    public static var listening: SocketEvent { SocketEvent(.listening) }

    /// connect() succeeded: the connection is secure.
    public static var connect: SocketEvent { SocketEvent(.connect) }
}

extension TLSSocket {
    /// A session that a later connection to the same server can resume; nil while the server has given none.
    ///
    /// With TLS 1.3 it comes after the handshake, with the first bytes that are received. Ask again later for a newer one.
    public var session: TLSSession? { connection?.session }

    /// Gives the socket a local address, before it connects; as `TCPSocket.bind`.
    public func bind(_ address: NetAddress) async throws(SocketError) { try await stream.bind(address) }

    /// Gives the socket a local address; as the async form.
    public func bind(_ address: NetAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        stream.bind(address, completion: completion)
    }
}
