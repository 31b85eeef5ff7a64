/// Finds the frames in a stream of bytes (RFC 6455, section 5), however it is split, and refuses what no frame may be.
///
/// It copies nothing but a header that came in pieces: payloads are told as places in the bytes that it was given.
struct FrameReader: Sendable {
    /// What came next.
    enum Piece: Sendable, Hashable {
        /// A frame begins. Its payload follows, and be it empty.
        case header(FrameHeader)
        /// Where the next part of the payload is, and what it is masked with, if it is; `isLast`: it ends the frame.
        case payload(Range<Int>, mask: UInt32?, isLast: Bool)
    }

    /// A server's peers mask what they send, and a client's do not.
    let expectsMask: Bool
    /// How many bytes of payload a frame may have.
    let maxLength: Int
    /// Whether messages may be compressed.
    let allowsCompression: Bool

    // A header that has not come whole.
    private var partial: (UInt64, UInt64) = (0, 0)
    private var partialCount = 0
    // The frame under way.
    private var isInside = false
    private var missing = 0
    private var mask: UInt32?
    /// A message has begun, of which not every fragment has.
    private(set) var isFragmented = false

    init(expectsMask: Bool, maxLength: Int, allowsCompression: Bool) {
        self.expectsMask = expectsMask
        self.maxLength = maxLength
        self.allowsCompression = allowsCompression
    }

    /// The next piece in `bytes` from `start` on, which it moves behind that piece; nil when more must come.
    @inline(__always)
    mutating func next(in bytes: UnsafeRawBufferPointer, from start: inout Int) throws(Violation) -> Piece? {
        if isInside { return payload(in: bytes, from: &start) }
        guard let header = try header(in: bytes, from: &start) else { return nil }
        isInside = true
        missing = header.length
        mask = header.mask
        if !header.opcode.isControl { isFragmented = !header.isFinal }
        return .header(header)
    }

    /// A frame that is a message by itself, not compressed, and whole in `bytes` from `start` on, which it moves behind the
    /// frame: nearly all that most peers send. Nil, and nothing has changed, for anything else.
    @inline(__always)
    func wholeMessage(
        in bytes: UnsafeRawBufferPointer, from start: inout Int, upTo limit: Int
    ) -> (opcode: Opcode, payload: UnsafeRawBufferPointer, mask: UInt32?)? {
        let rest = bytes.count - start
        guard !isInside, !isFragmented, partialCount == 0, rest >= 2, let base = bytes.baseAddress else { return nil }
        let frame = UnsafeRawBufferPointer(start: base + start, count: rest)
        let (first, second) = (frame[0], frame[1])
        guard first == 0x81 || first == 0x82, second & 0x80 == (expectsMask ? 0x80 : 0) else { return nil }
        var length = Int(second & 0x7F)
        var size = 2
        if length == 126, rest >= 4 {
            length = Int(UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            size = 4
        }
        // Neither one that is not written in its shortest form.
        guard size == 2 ? length < 126 : length >= 126, length <= min(maxLength, limit) else { return nil }
        let end = size + (expectsMask ? 4 : 0)
        guard rest >= end + length else { return nil }
        start += end + length
        let mask = expectsMask ? UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: size, as: UInt32.self)) : nil
        return (first == 0x81 ? .text : .binary, UnsafeRawBufferPointer(rebasing: frame[end..<end + length]), mask)
    }

    private mutating func payload(in bytes: UnsafeRawBufferPointer, from start: inout Int) -> Piece? {
        let count = min(missing, bytes.count - start)
        if count == 0, missing > 0 { return nil }
        let range = start..<start + count
        let used = mask
        start += count
        missing -= count
        if missing == 0 { isInside = false } else { mask = used.map { Mask.rotate($0, by: count) } }
        return .payload(range, mask: used, isLast: missing == 0)
    }

    private mutating func header(
        in bytes: UnsafeRawBufferPointer, from start: inout Int
    ) throws(Violation) -> FrameHeader? {
        if partialCount == 0 {
            if let header = try parse(UnsafeRawBufferPointer(rebasing: bytes[start...])) {
                start += header.size
                return header
            }
        }
        while start < bytes.count {
            let byte = bytes[start]
            start += 1
            let count = partialCount
            withUnsafeMutableBytes(of: &partial) { $0[count] = byte }
            partialCount += 1
            let kept = partial
            let result = withUnsafeBytes(of: kept) { whole in
                Result { () throws(Violation) in try parse(UnsafeRawBufferPointer(rebasing: whole[...count])) }
            }
            if let header = try result.get() {
                partialCount = 0
                return header
            }
        }
        return nil
    }

    /// The header that `bytes` begin with; nil when it is not whole. Refuses as soon as it can.
    private func parse(_ bytes: UnsafeRawBufferPointer) throws(Violation) -> FrameHeader? {
        guard bytes.count >= 2 else { return nil }
        let (first, second) = (bytes[0], bytes[1])
        guard let opcode = Opcode(rawValue: first & 0x0F) else {
            throw .protocolError("opcode \(first & 0x0F) has no meaning")
        }
        let isFinal = first & 0x80 != 0
        let isCompressed = first & 0x40 != 0
        if first & 0x30 != 0 { throw .protocolError("a reserved bit is set") }
        if isCompressed, !allowsCompression || opcode.isControl || opcode == .continuation {
            throw .protocolError("the bit for compression is set where it may not be")
        }
        let isMasked = second & 0x80 != 0
        if isMasked != expectsMask {
            throw .protocolError(expectsMask ? "a client's frame is not masked" : "a server's frame is masked")
        }
        let short = Int(second & 0x7F)
        if opcode.isControl {
            if !isFinal { throw .protocolError("a control frame is fragmented") }
            if short > FrameHeader.maxControlLength { throw .protocolError("a control frame is too long") }
        } else if (opcode == .continuation) != isFragmented {
            throw .protocolError(
                isFragmented ? "a message begins within another" : "a continuation belongs to no message")
        }
        let lengthSize = short < 126 ? 0 : short == 126 ? 2 : 8
        guard bytes.count >= 2 + lengthSize else { return nil }
        let length = try FrameReader.length(short, bytes)
        if length > maxLength { throw .tooBig("a frame of \(length) bytes; the limit is \(maxLength)") }
        guard bytes.count >= 2 + lengthSize + (isMasked ? 4 : 0) else { return nil }
        let mask =
            isMasked ? UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 + lengthSize, as: UInt32.self)) : nil
        return FrameHeader(opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, length: length, mask: mask)
    }

    private static func length(_ short: Int, _ bytes: UnsafeRawBufferPointer) throws(Violation) -> Int {
        switch short {
        case 126:
            let length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            if length < 126 { throw .protocolError("a length is not written in its shortest form") }
            return length
        case 127:
            let length = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            if length < 65_536 { throw .protocolError("a length is not written in its shortest form") }
            guard let length = Int(exactly: length) else { throw .protocolError("a length has its highest bit set") }
            return length
        default: return short
        }
    }
}
