internal import SocketCore

/// What arrived, and from whom, as OpenHarmony's SocketMessageInfo.
public struct SocketMessageInfo: Sendable, Hashable {
    /// The bytes: of a stream whatever arrived, of a datagram socket one datagram.
    public let message: [UInt8]

    /// The sender.
    public let remoteInfo: SocketRemoteInfo

    /// The datagram was larger than what can be received, 65,536 bytes, and its rest is gone. Never true of a stream.
    public let isTruncated: Bool

    init(_ message: [UInt8], from source: SocketAddress, isTruncated: Bool = false) {
        self.message = message
        self.isTruncated = isTruncated
        remoteInfo = SocketRemoteInfo(source, size: message.count)
    }

    /// The bytes as text; nil unless they are whole UTF-8. A chunk of a stream may end within a character.
    public var text: String? { text(.utf8) }

    /// The bytes as text in an encoding; nil unless they are whole.
    public func text(_ encoding: SocketEncoding) -> String? { encoding.decode(message) }
}

/// How a socket ended, the payload of `close`.
public struct SocketCloseInfo: Sendable, Hashable {
    /// The error that ended the socket; nil when one of the two sides closed it, also by our own `reset()`.
    public let error: SocketError?

    /// Whether an error ended the socket.
    public var hadError: Bool { error != nil }
}
