/// Messages of the same length, one behind the other. `.fixed(length:)` makes one.
///
/// A message of another length cannot be sent: `.inexpressible`.
///
/// ```swift
/// let records: FixedLengthFraming = try .fixed(length: 188)
/// ```
public struct FixedLengthFraming: Framing {
    /// The bytes of each message.
    public let length: Int

    init(length: Int) throws(SocketError) {
        try FramingCheck.bytes(length, "length")
        self.length = length
    }

    /// `length`.
    public var maxFrameLength: Int { length }

    /// The first message.
    public func nextFrame(in bytes: Span<UInt8>) -> MessageFrame? {
        bytes.count < length ? nil : MessageFrame(message: 0..<length, length: length)
    }

    /// The message as it is.
    public func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(FramingError) {
        guard message.count == length else {
            throw .inexpressible("the message has \(message.count) bytes and not \(length)")
        }
        message.withUnsafeBufferPointer { output += $0 }
    }
}

extension Framing where Self == FixedLengthFraming {
    /// Messages of `length` bytes each, 1 to 1 GiB.
    ///
    /// - Throws: `.invalidArgument` with the field `length`.
    public static func fixed(length: Int) throws(SocketError) -> FixedLengthFraming {
        try FixedLengthFraming(length: length)
    }
}
