internal import SocketCore

/// What all datagram sockets can do: receive, tell of events, close.
///
/// `UDPSocket`, `MulticastSocket` and `LocalDatagramSocket` are datagram sockets.
public protocol DatagramSocket: KernelSocket {
    /// The engine's part of this socket. Of no use outside of the library.
    var datagrams: DatagramHandle { get }
}

/// The engine's part of a datagram socket. Opaque.
public struct DatagramHandle: Sendable {
    let driver: DatagramDriver

    func error(_ failure: Failure, _ operation: SocketOperation, _ address: String? = nil) -> SocketError {
        SocketError(failure, operation, address ?? (driver.peerAddress ?? driver.localAddress)?.description)
    }

    static func wish(_ limit: Int) throws(Failure) -> DatagramDriver.Wish {
        guard limit > 0 else { throw .invalidArgument(.init("limit", "\(limit) is less than 1")) }
        return .batch(limit)
    }

    /// What an iteration takes next; nil when the socket is closed.
    func next(
        _ wish: DatagramDriver.Wish, isolation actor: isolated (any Actor)? = #isolation
    ) async throws(SocketError) -> [Datagram]? {
        do throws(Failure) {
            return try await driver.receive(wish, timeout: nil)
        } catch .closed {
            return nil
        } catch .aborted {
            return nil
        } catch {
            throw self.error(error, .receive)
        }
    }
}

extension DatagramSocket {
    var driver: DatagramDriver { datagrams.driver }

    func error(_ failure: Failure, _ operation: SocketOperation, _ address: String? = nil) -> SocketError {
        datagrams.error(failure, operation, address)
    }

    /// The engine's part of this socket, whatever its kind. Of no use outside of the library.
    public var kernel: KernelHandle { KernelHandle(driver: driver, socketType: driver.isLocal ? .local : .udp) }

    /// The loop that the socket belongs to.
    public var eventLoop: SocketEventLoop { SocketEventLoop.face(of: driver.loop) }

    /// Sends what is queued, and closes. A receive that is pending ends with `.aborted`. A second close does nothing.
    ///
    /// What cannot be sent within `closeTimeout` ends with `.aborted`.
    ///
    /// ## Events
    /// `close`, after this call's completion.
    ///
    /// ## Cancellation
    /// Not cancellable: it has a time limit of its own.
    public func close() async { await driver.close() }

    /// Sends what is queued, and closes; as the async form. Never fails.
    public func close(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        driver.close { completion(.success(())) }
    }

    /// How long close() may take to send what is queued; 5 s by default. Negative values count as zero.
    public var closeTimeout: Duration {
        get { driver.closeTimeout }
        set { driver.closeTimeout = max(.zero, newValue) }
    }

    /// Undoes `connect`: the socket sends to, and receives from, anybody again, at the port that it had. Does nothing to a
    /// socket that is not connected. Does not wait.
    ///
    /// - Throws: `.closed` after close; `.addressInUse` when, on a system that gives the port up meanwhile, somebody was
    ///   quicker.
    public func disconnect() async throws(SocketError) { try disconnectNow() }

    /// Undoes `connect`; as the async form.
    public func disconnect(completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try disconnectNow() }
        driver.complete { completion(result) }
    }

    private func disconnectNow() throws(SocketError) {
        do throws(Failure) {
            try driver.disconnect()
        } catch {
            throw self.error(error, .connect)
        }
    }
}

// MARK: State

extension DatagramSocket {
    /// The state at this moment. Any thread, any time.
    public var state: SocketStateBase { SocketStateBase(driver.snapshot) }

    /// The state at this moment.
    public func getState() async -> SocketStateBase { state }

    /// The state at this moment; the handler is called in the socket's order of events.
    public func getState(completion: @escaping @Sendable (Result<SocketStateBase, SocketError>) -> Void) {
        driver.complete { [state] in completion(.success(state)) }
    }

    /// The kernel's number for the socket; -1 before there is one and after close. The socket keeps owning it.
    public func getSocketFd() async -> Int { descriptorNumber }

    /// The kernel's number for the socket, or -1; the handler is called in the socket's order of events.
    public func getSocketFd(completion: @escaping @Sendable (Result<Int, SocketError>) -> Void) {
        driver.complete { [descriptorNumber] in completion(.success(descriptorNumber)) }
    }

    private var descriptorNumber: Int { driver.descriptorNumber.map(Int.init) ?? -1 }

    /// The last error that no call could report.
    public var lastError: SocketError? {
        driver.lastError.map { SocketError(told: $0, .receive, driver.localAddress?.description) }
    }

    /// Bytes of datagrams that the kernel has not taken yet.
    public var bufferedAmount: Int { driver.bufferedAmount }

    /// Bytes above which the send queue counts as full, 256 KiB by default. When it has been above and falls to half
    /// of it, `drain` is emitted. What stops a program from queuing more is `sendQueueLimit`. Negative values count as 0.
    public var highWaterMark: Int {
        get { driver.highWaterMark }
        set { driver.highWaterMark = max(0, newValue) }
    }

    /// Datagrams that the kernel has not taken yet.
    public var bufferedCount: Int { driver.bufferedCount }

    /// Bytes above which nothing more is queued: a send that would have to wait fails with `.queueFull` at once. Nil, the
    /// default, is without limit. Negative values count as 0.
    public var sendQueueLimit: Int? {
        get { driver.sendQueueLimit }
        set { driver.sendQueueLimit = newValue.map { max(0, $0) } }
    }

    /// What has gone through the socket so far, also after close: bytes, and datagrams as messages. Any thread, any time.
    ///
    /// ```swift
    /// print(udp.statistics.messagesReceived, "datagrams")
    /// ```
    public var statistics: SocketStatistics { SocketStatistics(driver.counts) }
}
