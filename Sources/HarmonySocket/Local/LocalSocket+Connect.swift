internal import SocketCore

/// Where to connect, as OpenHarmony's LocalConnectOptions.
public struct LocalConnectOptions: Sendable, Hashable {
    /// The server: a path or an abstract name.
    public var address: LocalAddress

    /// How long connecting may take; 5 s by default, nil is without end. Not negative.
    public var timeout: Duration?

    /// Makes options.
    public init(address: LocalAddress, timeout: Duration? = .seconds(5)) {
        self.address = address
        self.timeout = timeout
    }
}

/// What to send, as OpenHarmony's LocalSendOptions: the same as on any other stream.
public typealias LocalSendOptions = TCPSendOptions

/// What came, as OpenHarmony's LocalSocketMessageInfo: the same as on any other stream.
public typealias LocalSocketMessageInfo = SocketMessageInfo

extension SocketMessageInfo {
    /// The sender's address as text: of a local socket its path, or nothing. OpenHarmony's field of a local message.
    public var address: String { remoteInfo.address }

    /// How many bytes the message has. OpenHarmony's field of a local message.
    public var size: Int { remoteInfo.size }
}

extension LocalSocket {
    /// Gives the socket an address of its own before it connects, so that its server sees who comes. Optional.
    ///
    /// A path becomes a socket file, which is removed when the socket closes. See `LocalSocketServer.listen` for
    /// `permissions` and `removesStaleFile`.
    ///
    /// - Throws: `.invalidArgument` for an address that cannot be, such as a path that is too long; `.addressInUse` when
    ///   there is anything at the path; `.permissionDenied`; `.alreadyBound`; `.alreadyConnected`; `.closed`; other
    ///   answers of the system (bind(2)), as for a directory that does not exist.
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func bind(
        _ address: LocalAddress, permissions: Int? = nil, removesStaleFile: Bool = false
    ) async throws(SocketError) {
        try bindNow(address, permissions, removesStaleFile)
        await stream.driver.emit(.listening)
    }

    /// Gives the socket an address of its own; as the async form.
    public func bind(
        _ address: LocalAddress, permissions: Int? = nil, removesStaleFile: Bool = false,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try bindNow(address, permissions, removesStaleFile) }
        if case .success = result { stream.driver.post(.listening) }
        stream.driver.complete { completion(result) }
    }

    private func bindNow(
        _ address: LocalAddress, _ permissions: Int?, _ removesStaleFile: Bool
    ) throws(SocketError) {
        do throws(Failure) {
            let wishes = try PathOptions(permissions, removesStaleFile)
            try stream.driver.bind(to: try address.literal(), wishes)
        } catch {
            throw SocketError(error, .bind, address.description)
        }
    }

    /// Connects to a server on this machine.
    ///
    /// A server whose backlog is full is asked again until there is room, or time is over.
    ///
    /// ```swift
    /// try await local.connect(LocalConnectOptions(address: "/run/editor.socket", timeout: .seconds(1)))
    /// ```
    ///
    /// - Throws: `.connectionRefused` when nobody listens at the path; `.permissionDenied`; `.timedOut`; `.cancelled`;
    ///   `.aborted` when the socket is closed meanwhile; other answers of the system (connect(2)), as `ENOENT` for a path
    ///   where nothing is, and `EPROTOTYPE` for a server of the other `LocalSocketType`. These close the socket. A connect
    ///   that does not fit changes nothing: `.invalidArgument`, `.alreadyConnected`, `.closed`.
    ///
    /// ## Events
    /// `connect`, before this call returns; `close` when it fails.
    ///
    /// ## Cancellation
    /// A cancelled or timed-out connect closes the socket at once.
    public func connect(_ options: LocalConnectOptions) async throws(SocketError) {
        do throws(Failure) {
            let target = ConnectTarget.address(try options.address.literal())
            try OptionCheck.timeout(options.timeout, "timeout")
            try await stream.driver.connect(to: target, timeout: options.timeout)
        } catch {
            throw SocketError(error, .connect, options.address.description)
        }
    }

    /// Connects to a server on this machine, within 5 s unless said otherwise; nil waits without end.
    public func connect(to address: LocalAddress, timeout: Duration? = .seconds(5)) async throws(SocketError) {
        try await connect(LocalConnectOptions(address: address, timeout: timeout))
    }

    /// Connects; as the async form.
    public func connect(
        _ options: LocalConnectOptions, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let address = options.address.description
        do throws(Failure) {
            let target = ConnectTarget.address(try options.address.literal())
            try OptionCheck.timeout(options.timeout, "timeout")
            stream.driver.connect(to: target, timeout: options.timeout) { result in
                completion(result.mapError { SocketError($0, .connect, address) })
            }
        } catch {
            stream.driver.complete { completion(.failure(SocketError(error, .connect, address))) }
        }
    }

    /// Connects, within 5 s unless said otherwise; as the async form.
    public func connect(
        to address: LocalAddress, timeout: Duration? = .seconds(5),
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        connect(LocalConnectOptions(address: address, timeout: timeout), completion: completion)
    }
}

extension SocketEvent where Socket == LocalSocket, Payload == Void {
    /// bind() succeeded.
    public static var listening: SocketEvent { SocketEvent(.listening) }

    /// connect() succeeded.
    public static var connect: SocketEvent { SocketEvent(.connect) }
}

extension PathOptions {
    init(_ permissions: Int?, _ removesStaleFile: Bool) throws(Failure) {
        if let permissions, !(0...0o777).contains(permissions) {
            throw .invalidArgument(.init("permissions", "\(String(permissions, radix: 8)) is not between 0 and 777"))
        }
        self.init(replacesStale: removesStaleFile, mode: permissions.map(UInt32.init))
    }
}
