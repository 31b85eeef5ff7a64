/// How much memory a peer may make us spend. A peer that exceeds a limit is told with the close code, before anything is
/// allocated for what is too much.
///
/// ```swift
/// var options = WebSocketOptions()
/// options.limits.maxMessageSize = 64 * 1024
/// ```
public struct WebSocketLimits: Sendable, Hashable, Codable {
    /// How many bytes the payload of one frame may have, compressed or not (close code 1009); 16 MiB unless said otherwise.
    public var maxFrameSize: Int
    /// How many bytes a whole message may have, decompressed (close code 1009); 16 MiB unless said otherwise.
    public var maxMessageSize: Int
    /// How many fragments a message may have (close code 1008); 16,384 unless said otherwise.
    public var maxFragments: Int
    /// How many bytes the head of the handshake may have; 16 KiB unless said otherwise.
    public var maxHeaderSize: Int

    /// Limits; those that are not given have their defaults.
    public init(
        maxFrameSize: Int = 16 << 20, maxMessageSize: Int = 16 << 20, maxFragments: Int = 16_384,
        maxHeaderSize: Int = 16_384
    ) {
        self.maxFrameSize = maxFrameSize
        self.maxMessageSize = maxMessageSize
        self.maxFragments = maxFragments
        self.maxHeaderSize = maxHeaderSize
    }

    /// The field that cannot be, and why; nil when all can.
    var problem: (field: String, problem: String)? {
        if maxFrameSize < 125 { return ("maxFrameSize", "\(maxFrameSize) bytes have no room for a control frame") }
        if maxMessageSize < 0 { return ("maxMessageSize", "\(maxMessageSize) is negative") }
        if maxFragments < 1 { return ("maxFragments", "\(maxFragments) is less than one") }
        if maxHeaderSize < 256 { return ("maxHeaderSize", "\(maxHeaderSize) bytes have no room for a handshake") }
        return nil
    }
}
