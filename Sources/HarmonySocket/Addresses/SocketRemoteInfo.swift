internal import SocketCore

/// Where a message came from, as OpenHarmony's SocketRemoteInfo.
///
/// Holds bytes; `address` makes its text when asked.
public struct SocketRemoteInfo: Sendable {
    private let core: SocketAddress

    /// How many bytes the message has.
    public let size: Int

    init(_ core: SocketAddress, size: Int) {
        self.core = core
        self.size = size
    }

    /// The sender's IP address as text; of a local socket its path, or `@` and its abstract name, or nothing.
    public var address: String { core.host }

    /// IPv4, IPv6 or local.
    public var family: AddressFamily { AddressFamily(core.family) }

    /// The sender's port; 0 of a local socket.
    public var port: Int { Int(core.port) }

    /// The address to answer to. No text is made or parsed when it is sent to.
    public var netAddress: NetAddress { NetAddress(core) }

    var socketAddress: SocketAddress { core }
}

extension SocketRemoteInfo: Hashable {
    /// The same sender and size.
    public static func == (left: SocketRemoteInfo, right: SocketRemoteInfo) -> Bool {
        left.core == right.core && left.size == right.size
    }

    /// Hashes sender and size.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(core)
        hasher.combine(size)
    }
}

extension SocketRemoteInfo: CustomStringConvertible {
    /// `127.0.0.1:80`, and the size.
    public var description: String { "\(core) (\(size) bytes)" }
}
