/// What a message carries: text or bytes.
///
/// The bytes of a text are kept as they came, which is valid UTF-8; the `String` is made when it is asked for.
///
/// ```swift
/// let greeting = WebSocketData.text("hello")
/// print(greeting.text ?? "", greeting.bytes.count)
/// switch WebSocketData.binary([1, 2, 3]).content {
/// case .text(let text): print(text)
/// case .binary(let bytes): print(bytes)
/// }
/// ```
public struct WebSocketData: Sendable, Hashable {
    /// The two kinds of messages.
    public enum Kind: Sendable, Hashable, CaseIterable {
        /// UTF-8.
        case text
        /// Any bytes.
        case binary
    }

    /// A message in its Swift type, to switch over.
    public enum Content: Sendable, Hashable {
        /// The text of a text message.
        case text(String)
        /// The bytes of a binary message.
        case binary([UInt8])
    }

    /// Whether it is text or bytes.
    public let kind: Kind
    /// The bytes: of a text its UTF-8.
    public let bytes: [UInt8]

    init(_ kind: Kind, _ bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    /// A text message.
    public static func text(_ text: String) -> WebSocketData { WebSocketData(.text, Array(text.utf8)) }

    /// A binary message.
    public static func binary(_ bytes: [UInt8]) -> WebSocketData { WebSocketData(.binary, bytes) }

    /// The text of a text message; nil for a binary one.
    public var text: String? { kind == .text ? String(decoding: bytes, as: UTF8.self) : nil }

    /// The message in its Swift type.
    public var content: Content { text.map { .text($0) } ?? .binary(bytes) }
}
