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

    /// Makes options; fields that are not named stay as they are.
    public init(
        broadcast: Bool? = nil, receiveBufferSize: Int? = nil, sendBufferSize: Int? = nil, reuseAddress: Bool? = nil,
        socketTimeout: Duration? = nil, multicastTTL: Int? = nil, multicastLoopback: Bool? = nil,
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
