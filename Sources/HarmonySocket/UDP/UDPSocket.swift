internal import SocketCore

/// A UDP socket, in the style of OpenHarmony.
///
/// ```swift
/// try await udp.bind(NetAddress("127.0.0.1", port: 0))
/// udp.on(.message) { print($0.text ?? "", $0.remoteInfo) }
/// try await udp.send(UDPSendOptions(data: "hello", address: NetAddress("127.0.0.1", port: 7007)))
/// ```
///
/// Any thread may call anything at any time. A socket with a listener, or with a call under way, stays alive until it
/// is closed; without either it closes when its last reference goes. For groups there is `MulticastSocket`.
public class UDPSocket: @unchecked Sendable {
    // Unchecked because a class that another one of this module inherits from, MulticastSocket, cannot be checked.
    final let driver: DatagramDriver

    /// Makes a socket without an address, on a loop of `group`.
    public init(group: SocketEventLoopGroup = .shared) {
        driver = DatagramDriver(group: group.core)
    }

    deinit {
        driver.handleReleased()
    }

    func error(_ failure: Failure, _ operation: SocketOperation, _ address: String? = nil) -> SocketError {
        SocketError(failure, operation, address ?? (driver.peerAddress ?? driver.localAddress)?.description)
    }

    /// The loop that the socket belongs to.
    public var eventLoop: SocketEventLoop { SocketEventLoop.face(of: driver.loop) }
}

/// OpenHarmony's name for `UDPSocket()`.
public func constructUDPSocketInstance() -> UDPSocket { UDPSocket() }

// MARK: Binding and closing

extension UDPSocket {
    /// Gives the socket its address, and starts to listen.
    ///
    /// The port you ask for is the port you get; port 0 lets the system choose (bind(2)). Names are not looked up, but
    /// for `localhost`.
    ///
    /// - Throws: `.invalidArgument` for an address that cannot be; `.addressInUse`; `.addressNotAvailable`;
    ///   `.permissionDenied`; `.alreadyBound`, also after a first send; `.closed`.
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func bind(_ address: NetAddress) async throws(SocketError) {
        try bindNow(address)
        await driver.deliverPending()
    }

    /// Gives the socket its address; as the async form.
    public func bind(_ address: NetAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try bindNow(address) }
        driver.complete { completion(result) }
    }

    private func bindNow(_ address: NetAddress) throws(SocketError) {
        do throws(Failure) {
            try driver.bind(to: try address.literal())
        } catch {
            throw self.error(error, .bind, address.description)
        }
    }

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
}

// MARK: State

extension UDPSocket {
    /// The state at this moment. Any thread, any time.
    public var state: SocketStateBase { SocketStateBase(driver.snapshot) }

    /// The state at this moment.
    public func getState() async -> SocketStateBase { state }

    /// The state at this moment; the handler is called in the socket's order of events.
    public func getState(completion: @escaping @Sendable (Result<SocketStateBase, SocketError>) -> Void) {
        driver.complete { [state] in completion(.success(state)) }
    }

    /// Our address, with the port that the system chose; nil before bind and the first send. Stays after close.
    public var localAddress: NetAddress? { driver.localAddress.map(NetAddress.init) }

    /// Our address.
    ///
    /// - Throws: `.closed` after close; `.invalidState` before bind and the first send.
    public func getLocalAddress() async throws(SocketError) -> NetAddress { try findLocalAddress() }

    /// Our address; the handler is called in the socket's order of events.
    public func getLocalAddress(completion: @escaping @Sendable (Result<NetAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try findLocalAddress() }
        driver.complete { completion(result) }
    }

    private func findLocalAddress() throws(SocketError) -> NetAddress {
        if state.isClose { throw error(.closed, .getAddress) }
        guard let localAddress else { throw error(.invalidState(.notBound), .getAddress) }
        return localAddress
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
