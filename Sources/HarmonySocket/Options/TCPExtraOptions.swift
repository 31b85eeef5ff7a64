internal import SocketCore

/// Options of a TCP socket, as OpenHarmony's TCPExtraOptions and more. A field that is nil is left as it is.
///
/// ```swift
/// try await tcp.setExtraOptions(TCPExtraOptions(keepAlive: true, tcpNoDelay: true, keepAliveIdle: .seconds(30)))
/// ```
///
/// The connections that a server accepts inherit its options. Where no default is named, it is the system's: an option
/// that was read says what it is.
public struct TCPExtraOptions: Sendable, Hashable, Codable {
    /// Probe a silent peer (SO_KEEPALIVE in socket(7)). Off by default.
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

    /// With `keepAlive`: how long a peer is silent before the first probe, 1 to 32,767 s; a part of a second counts as one
    /// (TCP_KEEPIDLE). The `delay` of chrome.socket and the `initialDelay` of Node.
    public var keepAliveIdle: Duration?

    /// With `keepAlive`: how long between two probes, 1 to 32,767 s; a part of a second counts as one (TCP_KEEPINTVL).
    public var keepAliveInterval: Duration?

    /// With `keepAlive`: how many probes go unanswered before the connection fails with `.timedOut`, 1 to 127
    /// (TCP_KEEPCNT).
    public var keepAliveCount: Int?

    /// Acknowledge at once instead of waiting a moment for data that the answer could ride on (TCP_QUICKACK). Linux
    /// only. Not sticky: the kernel goes back to waiting, or not, as the traffic suggests, so it is for one exchange.
    public var tcpQuickAck: Bool?

    /// How long sent data may stay unacknowledged before the connection fails with `.timedOut`, 0 to 2,147,483,647 ms;
    /// a part of a millisecond counts as one. Zero is the system's default (TCP_USER_TIMEOUT). Linux only.
    public var userTimeout: Duration?

    /// The type of service of IPv4 or the traffic class of IPv6 that packets carry, 0 to 255 (IP_TOS, IPV6_TCLASS). The
    /// upper six bits are the DSCP; the lower two belong to TCP itself, and Linux leaves them as they are.
    public var typeOfService: Int?

    /// Whether an IPv6 socket is for IPv6 alone, or for IPv4 addresses too (IPV6_V6ONLY). Set before bind, connect or
    /// listen; an IPv4 socket does not have it, and one that is bound to a single IPv6 address is for IPv6 alone anyway.
    public var ipv6Only: Bool?

    /// The network interface, as `eth0`, that all packets go through, whatever the routes say; empty is any, the default.
    /// Set before bind, connect or listen. A privilege on Linux before 5.7 (SO_BINDTOIFINDEX; IP_BOUND_IF on Apple
    /// systems). Linux before 5.0 does not have it.
    public var interface: String?

    /// Share a port with other sockets of the same user that ask for it too (SO_REUSEPORT). Linux spreads connections over
    /// the servers, of this process or others; Apple systems need not. Set before bind, connect or listen. Off by
    /// default.
    public var reusePort: Bool?

    /// Of a server only: how many connections that brought data with their first packet may wait for the end of their
    /// handshake (TCP_FASTOPEN, RFC 7413), 0 to 65,535. Zero, the default, is none. Linux only, where
    /// `net.ipv4.tcp_fastopen` allows it. Such data may arrive twice.
    ///
    /// There is no such option for connecting: with it a connect would succeed before the peer has answered, so nothing
    /// could be told of a peer that refuses, and no other address would be tried.
    public var tcpFastOpenQueue: Int?

    /// Makes options; fields that are not named stay as they are.
    public init(
        keepAlive: Bool? = nil, oobInline: Bool? = nil, tcpNoDelay: Bool? = nil, socketLinger: SocketLinger? = nil,
        receiveBufferSize: Int? = nil, sendBufferSize: Int? = nil, reuseAddress: Bool? = nil,
        socketTimeout: Duration? = nil, keepAliveIdle: Duration? = nil, keepAliveInterval: Duration? = nil,
        keepAliveCount: Int? = nil, tcpQuickAck: Bool? = nil, userTimeout: Duration? = nil, typeOfService: Int? = nil,
        ipv6Only: Bool? = nil, interface: String? = nil, reusePort: Bool? = nil, tcpFastOpenQueue: Int? = nil
    ) {
        self.keepAlive = keepAlive
        self.oobInline = oobInline
        self.tcpNoDelay = tcpNoDelay
        self.socketLinger = socketLinger
        self.receiveBufferSize = receiveBufferSize
        self.sendBufferSize = sendBufferSize
        self.reuseAddress = reuseAddress
        self.socketTimeout = socketTimeout
        self.keepAliveIdle = keepAliveIdle
        self.keepAliveInterval = keepAliveInterval
        self.keepAliveCount = keepAliveCount
        self.tcpQuickAck = tcpQuickAck
        self.userTimeout = userTimeout
        self.typeOfService = typeOfService
        self.ipv6Only = ipv6Only
        self.interface = interface
        self.reusePort = reusePort
        self.tcpFastOpenQueue = tcpFastOpenQueue
    }
}

extension TCPExtraOptions: CustomStringConvertible {
    /// The fields that are not nil: `tcpNoDelay: true, keepAliveIdle: 33.0 s`.
    public var description: String { setFields(of: self) }
}

extension TCPExtraOptions {
    /// What has these options: only a server has all of them.
    enum Owner {
        case connection, server

        fileprivate var fields: [OptionField<TCPExtraOptions>] {
            self == .server ? TCPExtraOptions.fields + [TCPExtraOptions.queue] : TCPExtraOptions.fields
        }
    }

    private static let fields: [OptionField<TCPExtraOptions>] = [
        .flag(\.keepAlive, .keepAlive),
        .time(\.keepAliveIdle, .keepAliveIdle, .seconds(1), 1...32_767),
        .time(\.keepAliveInterval, .keepAliveInterval, .seconds(1), 1...32_767),
        .number(\.keepAliveCount, .keepAliveCount, 1...127),
        .flag(\.oobInline, .oobInline),
        .flag(\.tcpNoDelay, .tcpNoDelay),
        .flag(\.tcpQuickAck, .tcpQuickAck),
        .time(\.userTimeout, .userTimeout, .milliseconds(1), 0...Int32.max),
        .number(\.receiveBufferSize, .receiveBufferSize, 0...Int32.max, " bytes"),
        .number(\.sendBufferSize, .sendBufferSize, 0...Int32.max, " bytes"),
        .flag(\.reuseAddress, .reuseAddress),
        .flag(\.reusePort, .reusePort),
        .number(\.typeOfService, .typeOfService, 0...255),
        .flag(\.ipv6Only, .ipv6Only),
        .interface(\.interface, .interface),
    ]

    private static let queue = OptionField.number(\TCPExtraOptions.tcpFastOpenQueue, .tcpFastOpenQueue, 0...65_535)

    /// Refuses what cannot be, before anything is applied. Returns the fields that the kernel keeps.
    func checked(for owner: Owner) throws(Failure) -> KernelOptions {
        let options = try KernelOptions(self, owner.fields)
        try OptionCheck.timeout(socketTimeout, "socketTimeout")
        if let linger = socketLinger?.linger, linger < .zero || linger > .milliseconds(65_535) {
            throw .invalidArgument(.init("socketLinger", "\(linger) is not between 0 and 65535 ms"))
        }
        if owner == .connection, tcpFastOpenQueue != nil {
            throw .invalidArgument(.init("tcpFastOpenQueue", "only a server has one"))
        }
        return options
    }

    /// Puts the fields that we keep ourselves into `settings`.
    func apply(to settings: inout StreamSettings) {
        if let socketLinger { settings.linger = socketLinger.on ? socketLinger.linger : nil }
        if let socketTimeout { settings.idleTimeout = socketTimeout == .zero ? nil : socketTimeout }
    }

    init(_ kernel: KernelOptions, _ settings: StreamSettings, of owner: Owner) {
        self.init(
            socketLinger: SocketLinger(on: settings.linger != nil, linger: settings.linger ?? .zero),
            socketTimeout: settings.idleTimeout ?? .zero)
        kernel.fill(&self, owner.fields)
    }
}
