/// What a frame is (RFC 6455, section 5.2).
enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Whether it may stand between the fragments of a message.
    var isControl: Bool { rawValue & 0x8 != 0 }
}

extension Opcode {
    init(_ kind: WebSocketData.Kind) { self = kind == .text ? .text : .binary }
}

/// The header of a frame, without its length's and mask's encoding.
struct FrameHeader: Sendable, Hashable {
    var opcode: Opcode
    var isFinal = true
    /// RSV1: the message that this frame begins is compressed (RFC 7692).
    var isCompressed = false
    /// How many bytes of payload follow.
    var length: Int
    /// What those are masked with; nil when they are not.
    var mask: UInt32?

    /// The most bytes that a header has.
    static let maxSize = 14
    /// The most bytes that the payload of a control frame has.
    static let maxControlLength = 125

    /// How many bytes it takes on the wire.
    var size: Int { FrameHeader.size(length: length, isMasked: mask != nil) }

    static func size(length: Int, isMasked: Bool) -> Int {
        (length < 126 ? 2 : length < 65_536 ? 4 : 10) + (isMasked ? 4 : 0)
    }

    /// Writes it to the beginning of `buffer`, which has room for `size` bytes.
    func write(to buffer: UnsafeMutableRawBufferPointer) {
        buffer[0] = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        var end = 2
        if length < 126 {
            buffer[1] = maskBit | UInt8(truncatingIfNeeded: length)
        } else if length < 65_536 {
            buffer[1] = maskBit | 126
            buffer.storeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian, toByteOffset: 2, as: UInt16.self)
            end = 4
        } else {
            buffer[1] = maskBit | 127
            buffer.storeBytes(of: UInt64(length).bigEndian, toByteOffset: 2, as: UInt64.self)
            end = 10
        }
        if let mask { buffer.storeBytes(of: mask.littleEndian, toByteOffset: end, as: UInt32.self) }
    }
}
