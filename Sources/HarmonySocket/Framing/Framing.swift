/// Cuts a stream of bytes into messages, and makes bytes of messages.
///
/// There are ``LineFraming`` (`.lines`), ``DelimiterFraming`` (`.delimited(by:)`), ``FixedLengthFraming``
/// (`.fixed(length:)`) and ``LengthPrefixFraming`` (`.lengthPrefixed(width:)`). A framing of your own says where the
/// first message of some bytes lies, and how a message is sent; that of netstrings (`5:hello,`) is
///
/// ```swift
/// struct Netstrings: Framing {
///     func nextFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
///         var length = 0
///         for index in bytes.indices {
///             switch bytes[index] {
///             case let digit where digit >= 0x30 && digit <= 0x39:
///                 length = 10 * length + Int(digit - 0x30)
///                 guard length < maxFrameLength else { throw .tooLong(limit: maxFrameLength) }
///             case UInt8(ascii: ":"):
///                 let start = index + 1
///                 let end = start + length
///                 guard end < bytes.count else { return nil }
///                 guard bytes[end] == UInt8(ascii: ",") else { throw .malformed("there is no comma") }
///                 return MessageFrame(message: start..<end, length: end + 1)
///             default: throw .malformed("the length is no number")
///             }
///         }
///         return nil
///     }
///
///     func append(_ message: Span<UInt8>, to output: inout [UInt8]) {
///         output += "\(message.count):".utf8
///         message.withUnsafeBufferPointer { output += $0 }
///         output += ",".utf8
///     }
/// }
/// ```
///
/// A framing is a value, and each direction of each socket has a copy of its own. So it may keep what it has found out
/// about the message that is on its way. After an error it is not asked again: nobody knows where the next message
/// begins.
public protocol Framing: Sendable {
    /// The most bytes that one message may take on the wire, with all that belongs to it: what keeps a peer from
    /// filling the memory. 1 MiB unless you say otherwise.
    ///
    /// It is enforced for you: a message that is longer, or that is not whole after so many bytes, is refused as
    /// `FramingError.tooLong`, however the bytes arrive.
    var maxFrameLength: Int { get }

    /// The first message of `bytes`; nil when it is not there as a whole.
    ///
    /// `bytes` is all that was received and not consumed, at least one byte. After nil the next call has the same bytes,
    /// and more behind them; so a framing that remembers how far it has looked need not look there again.
    ///
    /// - Throws: `.malformed`, with your reason, when no message begins like this; `.tooLong` as soon as it is known.
    mutating func nextFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame?

    /// What to make of `bytes`, in which `nextFrame` finds no message, when the peer has ended: a last message, nil to
    /// drop them, or an error. `.incomplete` unless you say otherwise.
    mutating func lastFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame?

    /// Appends a message to `output`, as it goes over the wire.
    ///
    /// - Throws: `.inexpressible`, with your reason, or `.tooLong`, when the framing has no way to say it; then nothing
    ///   is sent, whatever was appended.
    func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(FramingError)
}

/// Where a message lies in the bytes that a framing was given.
public struct MessageFrame: Sendable, Hashable {
    /// The bytes of the message, counted from the first byte that the framing was given.
    public let message: Range<Int>

    /// How many bytes the message and all that belongs to it take; the next message begins behind them. At least one.
    public let length: Int

    /// Makes the place of a message.
    public init(message: Range<Int>, length: Int) {
        self.message = message
        self.length = length
    }
}

extension Framing {
    /// 1 MiB.
    public var maxFrameLength: Int { 1 << 20 }

    /// Refuses what is left: `.incomplete`.
    public mutating func lastFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
        throw .incomplete(count: bytes.count)
    }

    /// The first message of what was received and not consumed; nil when more must come, or at the end when nothing is
    /// left that counts. It checks what a framing promises: one of a program's own must neither trap us nor fill the
    /// memory.
    package mutating func cut(_ bytes: Span<UInt8>, isAtEnd: Bool) throws(FramingError) -> MessageFrame? {
        if bytes.isEmpty { return nil }
        var frame = try nextFrame(in: bytes)
        if frame == nil {
            if bytes.count >= maxFrameLength { throw .tooLong(limit: maxFrameLength) }
            if isAtEnd { frame = try lastFrame(in: bytes) }
        }
        guard let frame else { return nil }
        guard (1...bytes.count).contains(frame.length), frame.message.lowerBound >= 0,
            frame.message.upperBound <= frame.length
        else { throw .malformed("the framing found \(frame) in \(bytes.count) bytes") }
        if frame.length > maxFrameLength { throw .tooLong(limit: maxFrameLength) }
        return frame
    }
}
