internal import SocketCore

/// Options of a local socket, as OpenHarmony's ExtraOptionsBase. Nil leaves a field as it is.
public struct ExtraOptionsBase: Sendable, Hashable, Codable {
    /// Bytes that the kernel holds until they are received. The kernel may cap it, and Linux doubles it (socket(7));
    /// a local socket's sender waits for its own `sendBufferSize`, so this one says little.
    public var receiveBufferSize: Int?

    /// Bytes that the kernel takes before the peer has received them. The kernel may cap it, and Linux doubles it.
    public var sendBufferSize: Int?

    /// Without effect on a local socket (socket(7)); a stale file is removed with `removesStaleFile` of `listen`.
    public var reuseAddress: Bool?

    /// Nothing sent or received for so long emits `timeout` and closes; zero is any time. Of a server: for the
    /// connections that it accepts from then on.
    public var socketTimeout: Duration?

    /// Makes options; what is not given stays as it is.
    public init(
        receiveBufferSize: Int? = nil, sendBufferSize: Int? = nil, reuseAddress: Bool? = nil,
        socketTimeout: Duration? = nil
    ) {
        self.receiveBufferSize = receiveBufferSize
        self.sendBufferSize = sendBufferSize
        self.reuseAddress = reuseAddress
        self.socketTimeout = socketTimeout
    }
}

extension ExtraOptionsBase {
    private static let fields: [OptionField<ExtraOptionsBase>] = [
        .number(\.receiveBufferSize, .receiveBufferSize, 0...Int32.max, " bytes"),
        .number(\.sendBufferSize, .sendBufferSize, 0...Int32.max, " bytes"),
        .flag(\.reuseAddress, .reuseAddress),
    ]

    func checked() throws(Failure) -> KernelOptions {
        let options = try KernelOptions(self, ExtraOptionsBase.fields)
        try OptionCheck.timeout(socketTimeout, "socketTimeout")
        return options
    }

    init(_ kernel: KernelOptions, idleTimeout: Duration?) {
        self.init(socketTimeout: idleTimeout ?? .zero)
        kernel.fill(&self, ExtraOptionsBase.fields)
    }
}
