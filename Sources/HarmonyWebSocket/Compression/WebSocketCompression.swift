/// How messages are compressed, if both sides agree: permessage-deflate (RFC 7692).
///
/// Each side's window costs memory as long as the connection lives: about 300 KB for what is sent and 40 KB for what is
/// received, once the first compressed message was. Without takeover of the context, only while a message is under way.
///
/// ```swift
/// var options = WebSocketOptions()
/// options.compression = WebSocketCompression(serverNoContextTakeover: true, threshold: 1024)
/// ```
public struct WebSocketCompression: Sendable, Hashable, Codable {
    /// The server forgets each message when it has compressed it. A client asks for it, a server insists on it.
    public var serverNoContextTakeover: Bool
    /// The client forgets each message when it has compressed it. A client promises it, a server asks for it.
    public var clientNoContextTakeover: Bool
    /// How far back the server may refer, as a power of two, 9...15: what a client asks for, and a server uses. Nil is 15.
    public var serverMaxWindowBits: Int?
    /// How far back the client may refer, as a power of two, 9...15: what a client uses, and a server asks for. Nil is 15.
    public var clientMaxWindowBits: Int?
    /// How much work to spend, 1 (fast) to 9 (small).
    public var level: Int
    /// How much memory to spend on what is sent, 1...9; 8 is 256 KB.
    public var memoryLevel: Int
    /// Messages of fewer bytes are sent as they are.
    public var threshold: Int

    /// Compression with these parameters; the defaults are those of zlib.
    public init(
        serverNoContextTakeover: Bool = false, clientNoContextTakeover: Bool = false, serverMaxWindowBits: Int? = nil,
        clientMaxWindowBits: Int? = nil, level: Int = 6, memoryLevel: Int = 8, threshold: Int = 128
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        self.serverMaxWindowBits = serverMaxWindowBits
        self.clientMaxWindowBits = clientMaxWindowBits
        self.level = level
        self.memoryLevel = memoryLevel
        self.threshold = threshold
    }

    /// The field that cannot be, and why; nil when all can.
    var problem: (field: String, problem: String)? {
        for (field, bits) in [
            ("serverMaxWindowBits", serverMaxWindowBits), ("clientMaxWindowBits", clientMaxWindowBits),
        ] {
            if let bits, !(9...15).contains(bits) { return (field, "\(bits) is not within 9...15") }
        }
        if !(1...9).contains(level) { return ("level", "\(level) is not within 1...9") }
        if !(1...9).contains(memoryLevel) { return ("memoryLevel", "\(memoryLevel) is not within 1...9") }
        if threshold < 0 { return ("threshold", "\(threshold) is negative") }
        return nil
    }
}
