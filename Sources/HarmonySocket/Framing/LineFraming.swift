internal import SocketCore

/// Lines: a message ends with LF or CRLF, and is delivered without it. `.lines` makes one.
///
/// What the peer leaves without an end, when it ends itself, is the last line. A message may be empty. One that contains
/// an LF, or ends with CR where LF is sent, would arrive as another, so sending it fails with `.inexpressible`.
///
/// ```swift
/// let short: LineFraming = try .lines(maxLength: 512, sendsCRLF: true)
/// let command = Array("QUIT".utf8)
/// var bytes: [UInt8] = []
/// try short.append(command.span, to: &bytes)  // "QUIT\r\n"
/// ```
public struct LineFraming: Framing {
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// The most bytes that a received line may have, without its end.
    public let maxLength: Int

    /// Whether what is sent ends with CRLF instead of LF.
    public let sendsCRLF: Bool

    private var search = PatternSearch([lineFeed])

    init(maxLength: Int = 65_536, sendsCRLF: Bool = false) throws(SocketError) {
        try FramingCheck.bytes(maxLength, "maxLength")
        self.init(unchecked: maxLength, sendsCRLF)
    }

    fileprivate init(unchecked maxLength: Int, _ sendsCRLF: Bool) {
        self.maxLength = maxLength
        self.sendsCRLF = sendsCRLF
    }

    /// `maxLength`, and room for CRLF.
    public var maxFrameLength: Int { maxLength + 2 }

    /// The first line.
    public mutating func nextFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
        guard let index = search.firstIndex(in: bytes, limit: maxFrameLength) else {
            if bytes.count >= maxFrameLength { throw .tooLong(limit: maxLength) }
            return nil
        }
        let end = index > 0 && bytes[index - 1] == Self.carriageReturn ? index - 1 : index
        if end > maxLength { throw .tooLong(limit: maxLength) }
        return MessageFrame(message: 0..<end, length: index + 1)
    }

    /// The last line, which nothing ends.
    public mutating func lastFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
        if bytes.count > maxLength { throw .tooLong(limit: maxLength) }
        return MessageFrame(message: 0..<bytes.count, length: bytes.count)
    }

    /// The line and its end.
    public func append(_ message: Span<UInt8>, to output: inout [UInt8]) throws(FramingError) {
        if message.firstIndex(of: search.pattern, in: message.indices) != nil {
            throw .inexpressible("the line contains a line feed")
        }
        if !sendsCRLF, message.count > 0, message[message.count - 1] == Self.carriageReturn {
            throw .inexpressible("the line ends with a carriage return, which would be taken for a part of its end")
        }
        message.withUnsafeBufferPointer { output += $0 }
        if sendsCRLF { output.append(Self.carriageReturn) }
        output.append(Self.lineFeed)
    }
}

extension Framing where Self == LineFraming {
    /// Lines of at most 64 KiB, ended by LF or CRLF; sent with LF.
    public static var lines: LineFraming { LineFraming(unchecked: 65_536, false) }

    /// Lines of at most `maxLength` bytes (1 to 1 GiB, 64 KiB by default), ended by LF or CRLF; sent with LF, or with
    /// CRLF.
    ///
    /// - Throws: `.invalidArgument` with the field `maxLength`.
    public static func lines(maxLength: Int = 65_536, sendsCRLF: Bool = false) throws(SocketError) -> LineFraming {
        try LineFraming(maxLength: maxLength, sendsCRLF: sendsCRLF)
    }
}
