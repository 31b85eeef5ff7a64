internal import SocketCore

/// Options of a UDP socket, as OpenHarmony's UDPExtraOptions. A field that is nil is left as it is.
public struct UDPExtraOptions: Sendable, Hashable, Codable {
    /// Allow sending to a broadcast address (SO_BROADCAST). Off by default.
    public var broadcast: Bool?

    /// Bytes that the kernel buffers on receipt (SO_RCVBUF), 0 to 2,147,483,647. Linux doubles the value and caps it.
    public var receiveBufferSize: Int?

    /// Bytes that the kernel buffers for sending (SO_SNDBUF); doubled and capped like `receiveBufferSize`.
    public var sendBufferSize: Int?

    /// Share an address with other sockets that do so too (SO_REUSEADDR). Off by default.
    public var reuseAddress: Bool?

    /// How long nothing may be sent or received: then `timeout` is emitted, again and again; the socket stays open.
    /// Zero is never, the default. Not negative.
    public var socketTimeout: Duration?

    /// How many networks a datagram to a group may pass (IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS): 0 to 255; 0 stays on this
    /// machine, 1, the default, on its network.
    public var multicastTTL: Int?

    /// Whether this machine's own members of a group hear what the socket sends to it (IP_MULTICAST_LOOP,
    /// IPV6_MULTICAST_LOOP). On by default.
    public var multicastLoopback: Bool?

    /// The name of the interface over which datagrams to groups leave (IP_MULTICAST_IF, IPV6_MULTICAST_IF); empty, the
    /// default, is the one of the system's route to the group. Of an IPv4 socket that it was not set for, nil is read.
    public var multicastInterface: String?

    /// Share a port with other sockets of the same user that ask for it too: the system spreads senders over them
    /// (SO_REUSEPORT). Set before bind. Off by default.
    public var reusePort: Bool?

    /// Whether an IPv6 socket is for IPv6 alone, or for IPv4 addresses too (IPV6_V6ONLY). Set before bind. IPv4 peers of a
    /// socket that is bound to `::` show as `::ffff:192.0.2.1`; they are sent to in either form.
    public var ipv6Only: Bool?

    /// The type of service of IPv4 or the traffic class of IPv6 that datagrams carry, 0 to 255 (IP_TOS, IPV6_TCLASS): the
    /// upper six bits are the DSCP, the lower two the ECN.
    public var typeOfService: Int?

    /// The network interface, as `eth0`, that all datagrams go through, whatever the routes say; empty is any, the default.
    /// Set before bind. As of `TCPExtraOptions`.
    public var interface: String?

    /// How many routers a datagram may pass, 1 to 255 (IP_TTL, IPV6_UNICAST_HOPS); not those to groups. 64 by default on most
    /// systems.
    public var timeToLive: Int?

    /// Say where each datagram was sent to, and by which interface it came: `destination` and `interface` of
    /// `SocketMessageInfo` (IP_PKTINFO, IPV6_RECVPKTINFO). Off by default: it costs something for each datagram.
    public var receivePacketInfo: Bool?

    /// Say what type of service each datagram carried: `typeOfService` and `ecn` of `SocketMessageInfo` (IP_RECVTOS,
    /// IPV6_RECVTCLASS). Off by default: it costs something for each datagram.
    public var receiveTypeOfService: Bool?

    /// Makes options; fields that are not named stay as they are.
    public init(
        broadcast: Bool? = nil, receiveBufferSize: Int? = nil, sendBufferSize: Int? = nil, reuseAddress: Bool? = nil,
        socketTimeout: Duration? = nil, reusePort: Bool? = nil, ipv6Only: Bool? = nil, typeOfService: Int? = nil,
        interface: String? = nil, timeToLive: Int? = nil, receivePacketInfo: Bool? = nil,
        receiveTypeOfService: Bool? = nil, multicastTTL: Int? = nil, multicastLoopback: Bool? = nil,
        multicastInterface: String? = nil
    ) {
        self.broadcast = broadcast
        self.receiveBufferSize = receiveBufferSize
        self.sendBufferSize = sendBufferSize
        self.reuseAddress = reuseAddress
        self.socketTimeout = socketTimeout
        self.multicastTTL = multicastTTL
        self.multicastLoopback = multicastLoopback
        self.multicastInterface = multicastInterface
        self.reusePort = reusePort
        self.ipv6Only = ipv6Only
        self.typeOfService = typeOfService
        self.interface = interface
        self.timeToLive = timeToLive
        self.receivePacketInfo = receivePacketInfo
        self.receiveTypeOfService = receiveTypeOfService
    }
}

extension UDPExtraOptions {
    private static let fields: [OptionField<UDPExtraOptions>] = [
        .flag(\.broadcast, .broadcast),
        .number(\.receiveBufferSize, .receiveBufferSize, 0...Int32.max, " bytes"),
        .number(\.sendBufferSize, .sendBufferSize, 0...Int32.max, " bytes"),
        .flag(\.reuseAddress, .reuseAddress),
        .number(\.multicastTTL, .multicastTTL, 0...255),
        .flag(\.multicastLoopback, .multicastLoopback),
        .interface(\.multicastInterface, .multicastInterface),
        .flag(\.reusePort, .reusePort),
        .flag(\.ipv6Only, .ipv6Only),
        .number(\.typeOfService, .typeOfService, 0...255),
        .interface(\.interface, .interface),
        .number(\.timeToLive, .timeToLive, 1...255),
        .flag(\.receivePacketInfo, .receivePacketInfo),
        .flag(\.receiveTypeOfService, .receiveTypeOfService),
    ]

    /// Refuses what cannot be, before anything is applied. Returns the fields that the kernel keeps.
    func checked() throws(Failure) -> KernelOptions {
        let options = try KernelOptions(self, UDPExtraOptions.fields)
        try OptionCheck.timeout(socketTimeout, "socketTimeout")
        return options
    }

    init(_ kernel: KernelOptions, idleTimeout: Duration?) {
        self.init(socketTimeout: idleTimeout ?? .zero)
        kernel.fill(&self, UDPExtraOptions.fields)
    }
}
