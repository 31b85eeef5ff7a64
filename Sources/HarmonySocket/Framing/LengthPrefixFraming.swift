/// Messages behind a header with a length field. `.lengthPrefixed(width:)` makes one.
///
/// ```text
///  |  offset bytes  |  length: width bytes  |  the rest  |
///  |<-------------- header ---------------->|
/// ```
///
/// The length counts the rest, or the header too (`includesHeader`); where it counts something else, `adjustment` is
/// what must be added to it. The header is taken off, or delivered with the message (`keepsHeader`).
///
/// | protocol | framing |
/// |---|---|
/// | DNS over TCP | `.lengthPrefixed(width: .two)` |
/// | TLS records, with their type | `.lengthPrefixed(width: .two, offset: 3, keepsHeader: true)` |
/// | PostgreSQL, whose length counts itself | `.lengthPrefixed(offset: 1, adjustment: -4, keepsHeader: true)` |
/// | MySQL, not counting its number | `.lengthPrefixed(width: .three, byteOrder: .littleEndian, adjustment: 1)` |
/// | Diameter | `.lengthPrefixed(width: .three, offset: 1, includesHeader: true, keepsHeader: true)` |
///
/// A length that is above the limit is refused when it arrives, before anything is kept for it. Sending fills the length
/// in: into a header of its own, with `offset` zeros before it, or into the one that the message brings (`keepsHeader`).
///
/// ```swift
/// let framing: LengthPrefixFraming = try .lengthPrefixed(width: .two)
/// let message: [UInt8] = [97, 98, 99]
/// var bytes: [UInt8] = []
/// try framing.append(message.span, to: &bytes)  // 0, 3, 97, 98, 99
/// ```
public struct LengthPrefixFraming: Framing {
    /// How many bytes a length field has.
    public enum Width: Int, Sendable, Hashable, CaseIterable {
        /// Lengths up to 255.
        case one = 1
        /// Lengths up to 65,535.
        case two = 2
        /// Lengths up to 16,777,215.
        case three = 3
        /// Lengths up to 4,294,967,295.
        case four = 4
        /// Lengths up to 2^64 - 1.
        case eight = 8
    }

    /// Which byte of a length field comes first.
    public enum ByteOrder: Sendable, Hashable, CaseIterable {
        /// The most significant one: the order of networks.
        case bigEndian
        /// The least significant one.
        case littleEndian
    }

    /// The bytes of the length field.
    public let width: Width
    /// Their order.
    public let byteOrder: ByteOrder
    /// How many bytes come before the length field.
    public let offset: Int
    /// Whether the length counts the header too.
    public let includesHeader: Bool
    /// What is to be added to the length, where it counts something else.
    public let adjustment: Int
    /// Whether the header is delivered, and sent, as a part of the message.
    public let keepsHeader: Bool
    /// The most bytes that a received message may have, with the header where it is a part.
    public let maxLength: Int

    init(
        width: Width, byteOrder: ByteOrder, offset: Int, includesHeader: Bool, adjustment: Int, keepsHeader: Bool,
        maxLength: Int
    ) throws(SocketError) {
        let longest = FramingCheck.longestHeader
        try FramingCheck.bytes(offset, in: 0...longest, "offset")
        try FramingCheck.bytes(adjustment, in: -longest...longest, "adjustment")
        self.width = width
        self.byteOrder = byteOrder
        self.offset = offset
        self.includesHeader = includesHeader
        self.adjustment = adjustment
        self.keepsHeader = keepsHeader
        self.maxLength = maxLength
        try FramingCheck.bytes(maxLength, in: max(1, minLength)...FramingCheck.longestMessage, "maxLength")
    }

    private var headerLength: Int { offset + width.rawValue }
    /// The part of the header that is not delivered.
    private var stripped: Int { keepsHeader ? 0 : headerLength }
    /// The bytes of a frame that its length does not count.
    private var uncounted: Int { (includesHeader ? 0 : headerLength) + adjustment }
    /// The shortest message that a length can say.
    private var minLength: Int { max(headerLength, uncounted) - stripped }

    /// `maxLength`, and the header where it is taken off.
    public var maxFrameLength: Int { maxLength + stripped }

    /// The first message.
    public func nextFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
        guard bytes.count >= headerLength else { return nil }
        let said = readLength(bytes)
        // It may be anything up to 2^64 - 1, so it is compared before anything is calculated with it.
        guard let counted = Int(exactly: said), counted <= maxFrameLength - uncounted else {
            throw .tooLong(limit: maxLength)
        }
        let length = counted + uncounted
        guard length >= headerLength else { throw .malformed("a length of \(said) is too short for the header") }
        return bytes.count < length ? nil : MessageFrame(message: stripped..<length, length: length)
    }

    /// The message behind its header, or with the length filled in.
    public func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(FramingError) {
        guard message.count >= minLength else {
            throw .inexpressible("the message has \(message.count) bytes, and the shortest has \(minLength)")
        }
        let counted = UInt64(message.count - minLength) + UInt64(minLength + stripped - uncounted)
        let most = UInt64.max >> (64 - 8 * width.rawValue)
        guard counted <= most else { throw .tooLong(limit: Int(clamping: most) - stripped + uncounted) }
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: stripped))
        message.withUnsafeBufferPointer { output += $0 }
        writeLength(counted, to: &output, at: start + offset)
    }

    private func readLength(_ bytes: Span<UInt8>) -> UInt64 {
        var length: UInt64 = 0
        for index in 0..<width.rawValue { length |= UInt64(bytes[offset + index]) << shift(of: index) }
        return length
    }

    private func writeLength(_ length: UInt64, to output: inout [UInt8], at start: Int) {
        for index in 0..<width.rawValue {
            output[start + index] = UInt8(truncatingIfNeeded: length >> shift(of: index))
        }
    }

    /// The value of a byte of the field, as a power of two.
    private func shift(of index: Int) -> Int {
        8 * (byteOrder == .littleEndian ? index : width.rawValue - 1 - index)
    }
}

extension Framing where Self == LengthPrefixFraming {
    /// Messages behind a header with their length. What each parameter means, the property of its name says.
    ///
    /// `offset` is 0 to 65,535 bytes, `adjustment` -65,535 to 65,535; `maxLength`, 1 MiB by default, is from the shortest
    /// message that the others allow to 1 GiB.
    ///
    /// - Throws: `.invalidArgument` with the field `offset`, `adjustment` or `maxLength`.
    public static func lengthPrefixed(
        width: LengthPrefixFraming.Width = .four, byteOrder: LengthPrefixFraming.ByteOrder = .bigEndian,
        offset: Int = 0, includesHeader: Bool = false, adjustment: Int = 0, keepsHeader: Bool = false,
        maxLength: Int = 1 << 20
    ) throws(SocketError) -> LengthPrefixFraming {
        try LengthPrefixFraming(
            width: width, byteOrder: byteOrder, offset: offset, includesHeader: includesHeader, adjustment: adjustment,
            keepsHeader: keepsHeader, maxLength: maxLength)
    }
}
