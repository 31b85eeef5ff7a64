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
///     client.on(.message) { client.send($0.message) { _ in } }
/// }
/// ```
public final class TCPSocketServer: Sendable {
    let driver: ListenerDriver

    /// Makes a server that does not listen yet. Its connections are spread over the loops of `group`.
    public init(group: SocketEventLoopGroup = .shared) {
        driver = ListenerDriver(group: group.core, makeFace: TCPSocketServer.makeFace)
    }

    init(driver: ListenerDriver) { self.driver = driver }

    /// The public object of a connection that goes to listeners.
    static let makeFace: @Sendable (StreamDriver) -> any AnyObject & Sendable = { TCPSocketConnection(driver: $0) }

    deinit {
        driver.handleReleased()
    }

    func error(_ failure: Failure, _ operation: SocketOperation) -> SocketError {
        SocketError(failure, operation, driver.localAddress?.description)
    }
}

/// OpenHarmony's name for `TCPSocketServer()`.
public func constructTCPSocketServerInstance() -> TCPSocketServer { TCPSocketServer() }

// MARK: State

extension TCPSocketServer {
    /// The state at this moment: bound while it listens, never connected. Any thread, any time.
    public var state: SocketStateBase { SocketStateBase(driver.snapshot) }

    /// The state at this moment.
    public func getState() async -> SocketStateBase { state }

    /// The state at this moment; the handler is called in the server's order of events.
    public func getState(completion: @escaping @Sendable (Result<SocketStateBase, SocketError>) -> Void) {
        driver.complete { [state] in completion(.success(state)) }
    }

    /// The address it listens on, with the port that the system chose; nil before `listen`. Stays after close.
    public var localAddress: NetAddress? { driver.localAddress.map(NetAddress.init) }

    /// The address it listens on.
    ///
    /// - Throws: `.closed` after close; `.invalidState` before listen.
    public func getLocalAddress() async throws(SocketError) -> NetAddress { try findLocalAddress() }

    /// The address it listens on; the handler is called in the server's order of events.
    public func getLocalAddress(completion: @escaping @Sendable (Result<NetAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try findLocalAddress() }
        driver.complete { completion(result) }
    }

    private func findLocalAddress() throws(SocketError) -> NetAddress {
        if state.isClose { throw error(.closed, .getAddress) }
        guard let localAddress else { throw error(.invalidState(.notBound), .getAddress) }
        return localAddress
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
