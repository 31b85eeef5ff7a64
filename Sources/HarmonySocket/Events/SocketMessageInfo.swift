internal import SocketCore

/// What arrived, and from whom, as OpenHarmony's SocketMessageInfo.
public struct SocketMessageInfo: Sendable, Hashable {
    /// The bytes: of a stream whatever arrived, of a datagram socket one datagram.
    public let message: [UInt8]

    /// The sender.
    public let remoteInfo: SocketRemoteInfo

    // Of datagrams only, and nil for most of them.
    private let details: DatagramDetails?

    init(_ message: [UInt8], from source: SocketAddress, details: DatagramDetails? = nil) {
        self.message = message
        self.details = details
        remoteInfo = SocketRemoteInfo(source, size: message.count)
    }

    /// The datagram was larger than what was received, 65,536 bytes unless `receive(upTo:)` said less, and its rest is gone.
    /// Never true of a stream.
    public var isTruncated: Bool { details?.isTruncated ?? false }

    /// The IP address that the datagram was sent to: one of ours, a group or a broadcast address. Nil unless the socket has
    /// the option `receivePacketInfo`.
    public var destination: String? { details?.destination?.host }

    /// The name of the network interface that the datagram came in by, as `eth0`. Nil unless the socket has the option
    /// `receivePacketInfo`.
    public var interface: String? {
        guard let index = details?.interface, index != 0 else { return nil }
        return InterfaceCalls.name(of: index)
    }

    /// The type of service of IPv4, or the traffic class of IPv6, that the datagram carried. Nil unless the socket has the
    /// option `receiveTypeOfService`.
    public var typeOfService: Int? { details?.trafficClass.map(Int.init) }

    /// What routers have to say about congestion: the lower two bits of `typeOfService`. Nil like that.
    public var ecn: SocketECN? { typeOfService.flatMap { SocketECN(rawValue: $0 & 3) } }

    /// The bytes as text; nil unless they are whole UTF-8. A chunk of a stream may end within a character.
    public var text: String? { text(.utf8) }

    /// The bytes as text in an encoding; nil unless they are whole.
    public func text(_ encoding: SocketEncoding) -> String? { encoding.decode(message) }
}

/// Explicit congestion notification, with the numbers of RFC 3168.
public enum SocketECN: Int, Sendable, Hashable, Codable, CaseIterable {
    /// The sender does not take part.
    case notCapable = 0
    /// The sender takes part, and marks its packets ECT(1).
    case capable1 = 1
    /// The sender takes part, and marks its packets ECT(0).
    case capable0 = 2
    /// A router on the way was congested.
    case congestionExperienced = 3
}

/// How a socket ended, the payload of `close`.
public struct SocketCloseInfo: Sendable, Hashable {
    /// The error that ended the socket; nil when one of the two sides closed it, also by our own `reset()`.
    public let error: SocketError?

    /// Whether an error ended the socket.
    public var hadError: Bool { error != nil }
}
