package import SocketCore

/// What all stream sockets can do: send, receive, tell of events, end.
///
/// `TCPSocket`, `LocalSocket`, their connections, and the sockets of HarmonyTLS are stream sockets. One object serves all
/// three styles at once: async calls, calls with a completion handler, and listeners.
///
/// Any thread may call anything at any time. A socket with a listener, or with a call under way, stays alive until it
/// closes; without either it closes when its last reference goes.
public protocol StreamSocket: KernelSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    var stream: StreamHandle { get }
}

/// The engine's part of a stream socket. Opaque.
public struct StreamHandle: Sendable {
    package let driver: StreamDriver

    /// For other products.
    package init(driver: StreamDriver) { self.driver = driver }

    /// The failure of an operation on this socket, with the peer's address.
    package func error(_ failure: Failure, _ operation: SocketOperation) -> SocketError {
        SocketError(failure, operation, driver.peerAddress?.description)
    }

    /// A completion handler of the engine that calls the program's.
    func completion(
        _ operation: SocketOperation, _ body: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) -> @Sendable (Result<Void, Failure>) -> Void {
        { [self] result in body(result.mapError { error($0, operation) }) }
    }

    /// A completion handler of the engine's sends that calls the program's.
    static func sendCompletion(
        _ body: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) -> SendCompletion {
        SendCompletion(keeping: SendHandler(call: body)) { completion, driver, failure in
            let handler = completion.handler(as: SendHandler.self)
            if let failure {
                handler.call(.failure(StreamHandle(driver: driver).error(failure, .send)))
            } else {
                handler.call(.success(()))
            }
        }
    }

    private struct SendHandler: Sendable { let call: @Sendable (Result<Void, SocketError>) -> Void }
}

// MARK: State

extension StreamSocket {
    /// The state at this moment. Any thread, any time.
    public var state: SocketStateBase { SocketStateBase(stream.driver.snapshot) }

    /// The state at this moment.
    public func getState() async -> SocketStateBase { state }

    /// The state at this moment; the handler is called in the socket's order of events.
    public func getState(completion: @escaping @Sendable (Result<SocketStateBase, SocketError>) -> Void) {
        stream.driver.complete { [state] in completion(.success(state)) }
    }

    /// Whether a send would be accepted: connected, and our direction not ended.
    public var canSend: Bool { stream.driver.canSend }

    /// Whether there may be more to receive: connected, and the peer's direction not read to its end.
    public var canReceive: Bool { stream.driver.canReceive }

    /// The kernel's number for the socket; -1 before there is one and after close. The socket keeps owning it.
    public func getSocketFd() async -> Int { descriptorNumber }

    /// The kernel's number for the socket, or -1; the handler is called in the socket's order of events.
    public func getSocketFd(completion: @escaping @Sendable (Result<Int, SocketError>) -> Void) {
        stream.driver.complete { [descriptorNumber] in completion(.success(descriptorNumber)) }
    }

    private var descriptorNumber: Int { stream.driver.descriptorNumber.map(Int.init) ?? -1 }

    /// The error that ended the socket, or the last one that nobody was told of.
    public var lastError: SocketError? { stream.driver.lastError.map { SocketError(told: $0, .receive, nil) } }

    /// Bytes of sends that the kernel has not taken yet.
    public var bufferedAmount: Int { stream.driver.bufferedAmount }

    /// Bytes above which the send queue counts as full, 64 KiB by default. When it has been above and falls to half
    /// of it, `drain` is emitted. Nothing stops a program from queuing more. Negative values count as 0.
    public var highWaterMark: Int {
        get { stream.driver.highWaterMark }
        set { stream.driver.highWaterMark = max(0, newValue) }
    }

    /// Whether the send queue has been above `highWaterMark`, and `drain` is still to come: time to stop sending, or reading
    /// what would be answered. A listener or completion that asks cannot miss the event; elsewhere it may come before the
    /// program listens to it.
    ///
    /// ```swift
    /// tcp.write("much")
    /// if tcp.needsDrain { tcp.once(.drain) { print("go on") } }
    /// ```
    public var needsDrain: Bool { stream.driver.needsDrain }

    /// The loop that the socket belongs to: where its listeners run, and an executor for tasks that use it much.
    public var eventLoop: SocketEventLoop { SocketEventLoop.face(of: stream.driver.loop) }
}
