/// How text becomes bytes and bytes become text; the raw value is the name that OpenHarmony uses.
public enum SocketEncoding: String, Sendable, Hashable, CaseIterable, Codable {
    /// UTF-8 (RFC 3629), without a byte-order mark.
    case utf8 = "UTF-8"
    /// UTF-16, big-endian, without a byte-order mark (RFC 2781).
    case utf16BE = "UTF-16BE"
    /// UTF-16, little-endian, without a byte-order mark (RFC 2781).
    case utf16LE = "UTF-16LE"
    /// UTF-16, big-endian behind a byte-order mark FE FF; decoding follows the mark, big-endian without one (RFC 2781).
    case utf16 = "UTF-16"
    /// US-ASCII: the scalars U+0000 to U+007F, a byte each (RFC 20).
    case ascii = "US-ASCII"
    /// ISO-8859-1, Latin-1: the scalars U+0000 to U+00FF, a byte each.
    case isoLatin1 = "ISO-8859-1"

    /// Finds an encoding by OpenHarmony's name, in capital or small letters; nil for a name it does not have.
    public init?(name: String) {
        let name = name.lowercased()
        guard let encoding = Self.allCases.first(where: { $0.rawValue.lowercased() == name }) else { return nil }
        self = encoding
    }

    /// The bytes of a text; nil when the encoding cannot express one of its scalars.
    ///
    /// The scalars are taken as they are: a letter that is written as a base and a combining mark is not composed.
    /// With `utf16` the mark is written even for an empty text.
    public func encode(_ text: String) -> [UInt8]? {
        switch self {
        case .utf8: Array(text.utf8)
        case .utf16BE: Self.encodeUTF16(text, isBigEndian: true)
        case .utf16LE: Self.encodeUTF16(text, isBigEndian: false)
        case .utf16: Self.encodeUTF16(text, isBigEndian: true, hasMark: true)
        case .ascii: Self.encodeASCII(text)
        case .isoLatin1: Self.encodeLatin1(text)
        }
    }

    /// The text of bytes; nil when they are not whole and valid in the encoding.
    ///
    /// A mark at the beginning is dropped by `utf16` only; elsewhere it is the scalar U+FEFF of the text.
    public func decode(_ bytes: [UInt8]) -> String? {
        switch self {
        case .utf8: String(validating: bytes, as: UTF8.self)
        case .utf16BE: Self.decodeUTF16(bytes, isBigEndian: true)
        case .utf16LE: Self.decodeUTF16(bytes, isBigEndian: false)
        case .utf16: Self.decodeMarkedUTF16(bytes)
        case .ascii: Self.isASCII(bytes) ? String(decoding: bytes, as: UTF8.self) : nil
        case .isoLatin1: Self.decodeLatin1(bytes)
        }
    }
}

extension SocketEncoding: CustomStringConvertible {
    /// OpenHarmony's name of the encoding.
    public var description: String { rawValue }
}
