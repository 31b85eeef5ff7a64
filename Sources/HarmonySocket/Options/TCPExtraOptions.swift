internal import SocketCore

/// Options of a TCP socket, as OpenHarmony's TCPExtraOptions. A field that is nil is left as it is.
///
/// ```swift
/// try await tcp.setExtraOptions(TCPExtraOptions(keepAlive: true, tcpNoDelay: true))
/// ```
public struct TCPExtraOptions: Sendable, Hashable, Codable {
    /// Probe a silent peer (SO_KEEPALIVE in socket(7)). Off by default; the system says when and how often.
    public var keepAlive: Bool?

    /// Leave urgent data in the stream (SO_OOBINLINE). Off by default.
    public var oobInline: Bool?

    /// Send small writes at once instead of gathering them (TCP_NODELAY in tcp(7)). Off by default.
    public var tcpNoDelay: Bool?

    /// What close() waits for. Off by default: close() flushes to the kernel and does not wait for the peer.
    public var socketLinger: SocketLinger?

    /// Bytes that the kernel buffers on receipt (SO_RCVBUF), 0 to 2,147,483,647. Linux doubles the value and caps it
    /// (`net.core.rmem_max`); what is read back is what the kernel uses.
    public var receiveBufferSize: Int?

    /// Bytes that the kernel buffers for sending (SO_SNDBUF); doubled and capped like `receiveBufferSize`.
    public var sendBufferSize: Int?

    /// Take an address that a past connection still holds (SO_REUSEADDR). On by default for servers, off for others.
    public var reuseAddress: Bool?

    /// How long nothing may be sent or received: then `timeout` is emitted and the socket closes with `.timedOut`.
    /// Zero is never, the default. Not negative.
    public var socketTimeout: Duration?

    /// Makes options; fields that are not named stay as they are.
    public init(
        keepAlive: Bool? = nil, oobInline: Bool? = nil, tcpNoDelay: Bool? = nil, socketLinger: SocketLinger? = nil,
        receiveBufferSize: Int? = nil, sendBufferSize: Int? = nil, reuseAddress: Bool? = nil,
        socketTimeout: Duration? = nil
    ) {
        self.keepAlive = keepAlive
        self.oobInline = oobInline
        self.tcpNoDelay = tcpNoDelay
        self.socketLinger = socketLinger
        self.receiveBufferSize = receiveBufferSize
        self.sendBufferSize = sendBufferSize
        self.reuseAddress = reuseAddress
        self.socketTimeout = socketTimeout
    }
}

extension TCPExtraOptions {
    /// Refuses what cannot be, before anything is applied.
    func check() throws(Failure) {
        try OptionCheck.size(receiveBufferSize, "receiveBufferSize")
        try OptionCheck.size(sendBufferSize, "sendBufferSize")
        try OptionCheck.timeout(socketTimeout, "socketTimeout")
        if let linger = socketLinger?.linger, linger < .zero || linger > .milliseconds(65_535) {
            throw .invalidArgument(.init("socketLinger", "\(linger) is not between 0 and 65535 ms"))
        }
    }

    /// The fields that the kernel keeps.
    var kernelOptions: KernelOptions {
        var options = KernelOptions()
        options.keepAlive = keepAlive
        options.outOfBandInline = oobInline
        options.noDelay = tcpNoDelay
        options.receiveBuffer = receiveBufferSize
        options.sendBuffer = sendBufferSize
        options.reuseAddress = reuseAddress
        return options
    }

    /// Puts the fields that we keep ourselves into `settings`.
    func apply(to settings: inout StreamSettings) {
        if let socketLinger { settings.linger = socketLinger.on ? socketLinger.linger : nil }
        if let socketTimeout { settings.idleTimeout = socketTimeout == .zero ? nil : socketTimeout }
    }

    init(_ kernel: KernelOptions, _ settings: StreamSettings) {
        self.init(
            keepAlive: kernel.keepAlive, oobInline: kernel.outOfBandInline, tcpNoDelay: kernel.noDelay,
            socketLinger: SocketLinger(on: settings.linger != nil, linger: settings.linger ?? .zero),
            receiveBufferSize: kernel.receiveBuffer, sendBufferSize: kernel.sendBuffer,
            reuseAddress: kernel.reuseAddress, socketTimeout: settings.idleTimeout ?? .zero)
    }
}

/// Checks that TCP and UDP options share.
enum OptionCheck {
    /// A size in bytes, if there is one.
    static func size(_ value: Int?, _ field: String) throws(Failure) {
        guard let value, value < 0 || value > Int(Int32.max) else { return }
        throw .invalidArgument(.init(field, "\(value) is not between 0 and \(Int32.max) bytes"))
    }

    /// A time-out, if there is one.
    static func timeout(_ value: Duration?, _ field: String) throws(Failure) {
        guard let value, value < .zero else { return }
        throw .invalidArgument(.init(field, "\(value) is negative"))
    }
}
