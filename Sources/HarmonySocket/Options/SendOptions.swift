internal import SocketCore

/// What to send: text or bytes.
public enum SocketData: Sendable, Hashable {
    /// Text, encoded when it is sent.
    case text(String)
    /// Bytes as they are.
    case bytes([UInt8])
}

/// What to send on a stream, as OpenHarmony's TCPSendOptions.
public struct TCPSendOptions: Sendable, Hashable {
    /// The text or the bytes.
    public var data: SocketData

    /// How text becomes bytes. Text that the encoding cannot express is refused.
    public var encoding: SocketEncoding

    /// Sends text, as UTF-8 unless said otherwise.
    public init(data: String, encoding: SocketEncoding = .utf8) {
        self.data = .text(data)
        self.encoding = encoding
    }

    /// Sends bytes.
    public init(data: [UInt8]) {
        self.data = .bytes(data)
        encoding = .utf8
    }
}

/// What to send in a datagram, and where to, as OpenHarmony's UDPSendOptions.
public struct UDPSendOptions: Sendable, Hashable {
    /// The text (sent as UTF-8) or the bytes.
    public var data: SocketData

    /// The receiver: an IP literal or `localhost`, with a port other than 0.
    public var address: NetAddress

    /// Sends text, as UTF-8.
    public init(data: String, address: NetAddress) {
        self.data = .text(data)
        self.address = address
    }

    /// Sends bytes.
    public init(data: [UInt8], address: NetAddress) {
        self.data = .bytes(data)
        self.address = address
    }
}

/// Where to connect, as OpenHarmony's TCPConnectOptions.
public struct TCPConnectOptions: Sendable, Hashable {
    /// The peer: an IP literal or a host name, with a port other than 0.
    public var address: NetAddress

    /// How long connecting may take in all, look-up included; 5 s by default, nil is without end. Not negative.
    public var timeout: Duration?

    /// Makes options for a connect.
    public init(address: NetAddress, timeout: Duration? = .seconds(5)) {
        self.address = address
        self.timeout = timeout
    }
}

extension SocketData {
    /// The bytes, with text in `encoding`.
    func encoded(_ encoding: SocketEncoding) throws(Failure) -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .text(let text):
            guard let bytes = encoding.encode(text) else {
                throw .invalidArgument(.init("encoding", "\(encoding.rawValue) cannot express the text"))
            }
            return bytes
        }
    }
}
