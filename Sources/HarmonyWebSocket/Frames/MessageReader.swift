/// Makes messages of the frames in a stream of bytes: joins fragments, unmasks, decompresses, checks text and limits.
///
/// Each byte of a payload is copied once, from where it was received to the message, and unmasked on the way.
struct MessageReader {
    /// What a peer said.
    enum Incoming: Sendable, Hashable {
        case message(WebSocketData)
        case ping([UInt8])
        case pong([UInt8])
        /// A close frame; without a code nil.
        case close(WebSocketCloseCode?, reason: String)
    }

    private var frames: FrameReader
    private let limits: WebSocketLimits
    private let inflater: Inflater?

    // The frame under way.
    private var header = FrameHeader(opcode: .binary, length: 0)
    private var control: [UInt8] = []
    // The message under way.
    private var kind = WebSocketData.Kind.binary
    private var bytes: [UInt8] = []
    private var isCompressed = false
    private var fragments = 0
    private var validator = UTF8Validator()

    /// What is reserved at once for a message that has only been announced: pages that nobody writes to cost nothing.
    private static let mostReserved = 1 << 20

    /// `expectsMask`: the peer is a client. `inflater`: compression was agreed on.
    init(expectsMask: Bool, limits: WebSocketLimits, inflater: Inflater? = nil) {
        frames = FrameReader(
            expectsMask: expectsMask, maxLength: limits.maxFrameSize, allowsCompression: inflater != nil)
        self.limits = limits
        self.inflater = inflater
    }

    /// What comes next in `chunk` from `start` on, which it moves behind that; nil when everything is used up.
    @inline(__always)
    mutating func next(in chunk: UnsafeRawBufferPointer, from start: inout Int) throws(Violation) -> Incoming? {
        guard let whole = frames.wholeMessage(in: chunk, from: &start, upTo: limits.maxMessageSize) else {
            return try nextPiece(in: chunk, from: &start)
        }
        let bytes = MessageReader.unmasked(whole.payload, whole.mask)
        guard whole.opcode == .text else { return .message(WebSocketData(.binary, bytes)) }
        var validator = UTF8Validator()
        if !bytes.withUnsafeBytes({ validator.append($0) }) { throw .invalidText("a text that is not UTF-8") }
        if !validator.isComplete { throw .invalidText("a text that ends within a character") }
        return .message(WebSocketData(.text, bytes))
    }

    private mutating func nextPiece(
        in chunk: UnsafeRawBufferPointer, from start: inout Int
    ) throws(Violation) -> Incoming? {
        while let piece = try frames.next(in: chunk, from: &start) {
            switch piece {
            case .header(let header):
                self.header = header
                try begin()
            case .payload(let range, let mask, let isLast):
                let part = UnsafeRawBufferPointer(rebasing: chunk[range])
                if header.opcode.isControl {
                    append(part, mask, to: &control)
                    if isLast { return try endControl() }
                } else {
                    try appendToMessage(part, mask, isLast: isLast)
                    if isLast, header.isFinal { return try endMessage() }
                }
            }
        }
        return nil
    }

    /// A frame begins: refuses one that has no room in its message, before there is memory for it.
    private mutating func begin() throws(Violation) {
        if header.opcode.isControl { return }
        if header.opcode != .continuation {
            kind = header.opcode == .text ? .text : .binary
            isCompressed = header.isCompressed
        }
        fragments += 1
        if fragments > limits.maxFragments { throw .policy("a message of more than \(limits.maxFragments) fragments") }
        guard !isCompressed else { return }
        if header.length > limits.maxMessageSize - bytes.count {
            throw .tooBig("a message of more than \(limits.maxMessageSize) bytes")
        }
    }

    private mutating func appendToMessage(
        _ part: UnsafeRawBufferPointer, _ mask: UInt32?, isLast: Bool
    ) throws(Violation) {
        let before = bytes.count
        if isCompressed {
            try inflate(part, mask, isLast: isLast && header.isFinal)
        } else if part.isEmpty {
            return
        } else {
            if before == 0 { bytes.reserveCapacity(min(header.length, MessageReader.mostReserved)) }
            append(part, mask, to: &bytes)
        }
        guard kind == .text else { return }
        let isText = bytes.withUnsafeBytes { validator.append(UnsafeRawBufferPointer(rebasing: $0[before...])) }
        if !isText { throw .invalidText("a text that is not UTF-8") }
    }

    private func append(_ part: UnsafeRawBufferPointer, _ mask: UInt32?, to bytes: inout [UInt8]) {
        guard !part.isEmpty else { return }
        let before = bytes.count
        if before == 0, bytes.capacity <= part.count || header.length == part.count {
            bytes = MessageReader.unmasked(part, mask)
            return
        }
        bytes.append(contentsOf: part)
        guard let mask else { return }
        bytes.withUnsafeMutableBytes { all in
            let new = UnsafeMutableRawBufferPointer(rebasing: all[before...])
            Mask.copy(UnsafeRawBufferPointer(new), to: new, with: mask)
        }
    }

    /// From so many bytes on, one pass is cheaper than two.
    private static let leastInOnePass = 2048

    private static func unmasked(_ part: UnsafeRawBufferPointer, _ mask: UInt32?) -> [UInt8] {
        if part.count < leastInOnePass {
            // The initializer below looks its storage's type up each time.
            var bytes = Array(part.assumingMemoryBound(to: UInt8.self))
            if let mask { bytes.withUnsafeMutableBytes { Mask.copy(UnsafeRawBufferPointer($0), to: $0, with: mask) } }
            return bytes
        }
        return [UInt8](unsafeUninitializedCapacity: part.count) { buffer, count in
            let target = UnsafeMutableRawBufferPointer(buffer)
            if let mask { Mask.copy(part, to: target, with: mask) } else { target.copyMemory(from: part) }
            count = part.count
        }
    }

    private mutating func inflate(_ part: UnsafeRawBufferPointer, _ mask: UInt32?, isLast: Bool) throws(Violation) {
        guard let inflater else { return }
        let limit = limits.maxMessageSize
        let result = withUnsafeTemporaryAllocation(byteCount: max(1, part.count), alignment: 16) { room in
            let input = UnsafeMutableRawBufferPointer(rebasing: room[..<part.count])
            if let mask { Mask.copy(part, to: input, with: mask) } else { input.copyMemory(from: part) }
            return Result { () throws(Violation) in
                try inflater.append(input, isLast: isLast, to: &bytes, limit: limit)
            }
        }
        try result.get()
    }

    private mutating func endMessage() throws(Violation) -> Incoming {
        if kind == .text, !validator.isComplete { throw .invalidText("a text that ends within a character") }
        defer {
            bytes = []
            fragments = 0
        }
        return .message(WebSocketData(kind, bytes))
    }

    private mutating func endControl() throws(Violation) -> Incoming {
        let payload = control
        control = []
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default: return try MessageReader.close(payload)
        }
    }

    /// Reads the payload of a close frame (RFC 6455, section 5.5.1).
    private static func close(_ payload: [UInt8]) throws(Violation) -> Incoming {
        if payload.isEmpty { return .close(nil, reason: "") }
        guard payload.count >= 2 else { throw .protocolError("a close frame with half a code") }
        let code = WebSocketCloseCode(rawValue: Int(payload[0]) << 8 | Int(payload[1]))
        guard code.canBeSent else { throw .protocolError("a close frame with the code \(code.rawValue)") }
        guard let reason = String(validating: payload[2...], as: UTF8.self) else {
            throw .invalidText("a close frame with a reason that is not UTF-8")
        }
        return .close(code, reason: reason)
    }
}
