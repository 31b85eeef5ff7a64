internal import SocketCore

/// Messages with a delimiter behind each, and delivered without it. `.delimited(by:)` makes one.
///
/// What the peer leaves without a delimiter when it ends is `.incomplete`. A message may be empty. One that contains
/// the delimiter, or would form one with the delimiter behind it, cannot be sent: `.inexpressible`.
///
/// ```swift
/// var framing: DelimiterFraming = try .delimited(by: [0])
/// let received: [UInt8] = [1, 2, 3, 0, 4, 5]
/// if let frame = try framing.nextFrame(in: received.span) {
///     print(received[frame.message])  // [1, 2, 3]
/// }
/// ```
public struct DelimiterFraming: Framing {
    /// The most bytes that a received message may have, without its delimiter.
    public let maxLength: Int

    private var search: PatternSearch

    init(_ delimiter: [UInt8], maxLength: Int) throws(SocketError) {
        try FramingCheck.bytes(delimiter.count, in: 1...FramingCheck.longestHeader, "delimiter")
        try FramingCheck.bytes(maxLength, "maxLength")
        self.maxLength = maxLength
        search = PatternSearch(delimiter)
    }

    /// What stands behind each message.
    public var delimiter: [UInt8] { search.pattern }

    /// `maxLength`, and the delimiter.
    public var maxFrameLength: Int { maxLength + delimiter.count }

    /// The first message.
    public mutating func nextFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
        guard let index = search.firstIndex(in: bytes, limit: maxFrameLength) else {
            if bytes.count >= maxFrameLength { throw .tooLong(limit: maxLength) }
            return nil
        }
        return MessageFrame(message: 0..<index, length: index + delimiter.count)
    }

    /// The message and its delimiter.
    public func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(FramingError) {
        let start = output.count
        message.withUnsafeBufferPointer { output += $0 }
        output += delimiter
        // Looked for behind the message too: "a-" with "--" behind it would arrive as "a".
        let index = output.span.firstIndex(of: delimiter, in: start..<output.count)
        if index != start + message.count {
            output.removeSubrange(start...)
            throw .inexpressible("the message contains the delimiter")
        }
    }
}

extension Framing where Self == DelimiterFraming {
    /// Messages of at most `maxLength` bytes (1 to 1 GiB, 64 KiB by default), each with `delimiter` (1 to 65,535 bytes)
    /// behind it.
    ///
    /// - Throws: `.invalidArgument` with the field `delimiter` or `maxLength`.
    public static func delimited(
        by delimiter: [UInt8], maxLength: Int = 65_536
    ) throws(SocketError) -> DelimiterFraming {
        try DelimiterFraming(delimiter, maxLength: maxLength)
    }

    /// The same, with a delimiter of text in UTF-8: `.delimited(by: "\r\n")`.
    public static func delimited(
        by delimiter: String, maxLength: Int = 65_536
    ) throws(SocketError) -> DelimiterFraming {
        try DelimiterFraming(Array(delimiter.utf8), maxLength: maxLength)
    }
}
