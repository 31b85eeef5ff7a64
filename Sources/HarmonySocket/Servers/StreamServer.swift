package import SocketCore

/// What all servers can do that accept connections: hand them out, limit them, end.
///
/// `TCPSocketServer` and `LocalSocketServer` are such servers. Connections go one way at a time: to listeners of
/// `connect`, to `serve`, or to those who pull them with `accept` and `connections`.
public protocol StreamServer: KernelSocket {
    /// What it accepts.
    associatedtype Connection: StreamServerConnection

    /// The engine's part of this server. Of no use outside of the library.
    var server: ServerHandle { get }
}

/// A stream socket that a server accepted.
public protocol StreamServerConnection: StreamSocket {
    /// Tells the connections of this process apart: 1 for the first of all servers, and so on.
    var clientId: Int { get }

    /// For the server. Of no use outside of the library.
    init(stream: StreamHandle)
}

/// The engine's part of a server. Opaque.
public struct ServerHandle: Sendable {
    package let driver: ListenerDriver

    /// A server that does not listen yet. `localKind`: of a local one, what its connections are.
    package init<Connection: StreamServerConnection>(
        _ group: SocketEventLoopGroup, localKind: SocketCalls.Kind? = nil, for type: Connection.Type
    ) {
        driver = ListenerDriver(group: group.core, localKind: localKind) {
            Connection(stream: StreamHandle(driver: $0))
        }
    }

    /// A server on a socket that listens already.
    init<Connection: StreamServerConnection>(
        adopting descriptor: Int, _ group: SocketEventLoopGroup, isLocal: Bool = false, for type: Connection.Type
    ) throws(Failure) {
        driver = try ListenerDriver(
            group: group.core, adopting: Int32(exactly: descriptor) ?? -1, isLocal: isLocal
        ) { Connection(stream: StreamHandle(driver: $0)) }
    }
}

extension StreamServer {
    package var driver: ListenerDriver { server.driver }

    package func error(_ failure: Failure, _ operation: SocketOperation) -> SocketError {
        SocketError(failure, operation, driver.localAddress?.description)
    }
}

// MARK: State

extension StreamServer {
    /// The state at this moment: bound while it listens, never connected. Any thread, any time.
    public var state: SocketStateBase { SocketStateBase(driver.snapshot) }

    /// The state at this moment.
    public func getState() async -> SocketStateBase { state }

    /// The state at this moment; the handler is called in the server's order of events.
    public func getState(completion: @escaping @Sendable (Result<SocketStateBase, SocketError>) -> Void) {
        driver.complete { [state] in completion(.success(state)) }
    }

    /// The kernel's number for the listening socket; -1 before there is one and after close.
    public func getSocketFd() async -> Int { descriptorNumber }

    /// The kernel's number for the listening socket, or -1; the handler is called in the server's order of events.
    public func getSocketFd(completion: @escaping @Sendable (Result<Int, SocketError>) -> Void) {
        driver.complete { [descriptorNumber] in completion(.success(descriptorNumber)) }
    }

    private var descriptorNumber: Int { driver.descriptorNumber.map(Int.init) ?? -1 }

    /// The last error that no call could report.
    public var lastError: SocketError? {
        driver.lastError.map { SocketError(told: $0, .accept, driver.localAddress?.description) }
    }

    /// The loop on which the server accepts, and its listeners run.
    public var eventLoop: SocketEventLoop { SocketEventLoop.face(of: driver.loop) }
}
