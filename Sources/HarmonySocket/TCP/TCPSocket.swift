package import SocketCore

/// A TCP client socket, in the style of OpenHarmony.
///
/// Three styles on one object:
///
/// ```swift
/// tcp.on(.message) { print($0.text ?? "") }                        // listeners
/// try await tcp.connect(to: NetAddress("127.0.0.1", port: 7007))   // async
/// tcp.send("hello") { result in print(result) }                    // completion handlers
/// await tcp.close()
/// ```
///
/// A socket connects once. After close every call fails with `.closed`, and a new object is made.
public final class TCPSocket: StreamSocket, InternetSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    public let stream: StreamHandle

    /// Who knows the addresses of host names.
    public let resolver: any SocketResolver

    /// Makes a socket without an address, on a loop of `group`. `resolver` is asked for the addresses of the host that
    /// it connects to.
    public init(group: SocketEventLoopGroup = .shared, resolver: any SocketResolver = SystemResolver()) {
        self.resolver = resolver
        stream = StreamHandle(driver: StreamDriver(group: group.core))
    }

    /// A socket without an address on a loop of `group` that is known beforehand.
    package init(group: SocketEventLoopGroup, loop: EventLoop, resolver: any SocketResolver) {
        self.resolver = resolver
        stream = StreamHandle(driver: StreamDriver(group: group.core, loop: loop))
    }

    /// A socket that is connected already.
    init(driver: StreamDriver) {
        resolver = SystemResolver()
        stream = StreamHandle(driver: driver)
    }

    deinit {
        stream.driver.handleReleased()
    }
}

/// OpenHarmony's name for `TCPSocket()`.
public func constructTCPSocketInstance() -> TCPSocket { TCPSocket() }
