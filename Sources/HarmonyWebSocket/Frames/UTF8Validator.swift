/// Says whether bytes are UTF-8, however they are split (Unicode 15, table 3-7).
///
/// Fails at the first byte that cannot be, so that a peer is told before its message is whole.
struct UTF8Validator: Sendable, Hashable {
    // What the next byte of a character that has begun may be; 0x80...0xBF for all but the second.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF
    private var missing: UInt8 = 0

    /// Whether the bytes end with a whole character.
    var isComplete: Bool { missing == 0 }

    /// Takes the next bytes. False when they are not UTF-8, and no further bytes can make them so.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        let count = bytes.count
        while index < count {
            if missing == 0 {
                index = UTF8Validator.endOfASCII(bytes, from: index)
                guard index < count else { return true }
                guard begin(bytes[index]) else { return false }
            } else {
                let byte = bytes[index]
                guard byte >= lowest, byte <= highest else { return false }
                missing &-= 1
                (lowest, highest) = (0x80, 0xBF)
            }
            index &+= 1
        }
        return true
    }

    /// Takes the first byte of a character that is not ASCII.
    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: missing = 1
        case 0xE0...0xEF:
            missing = 2
            if byte == 0xE0 { lowest = 0xA0 } // Shorter forms exist.
            if byte == 0xED { highest = 0x9F } // Surrogates are no characters.
        case 0xF0...0xF4:
            missing = 3
            if byte == 0xF0 { lowest = 0x90 } // Shorter forms exist.
            if byte == 0xF4 { highest = 0x8F } // Unicode ends at U+10FFFF.
        default: return false
        }
        return true
    }

    /// The index of the first byte that is not ASCII.
    private static func endOfASCII(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index &+ 32 <= bytes.count {
            let block = bytes.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self)
            let bits = block[0] | block[1] | block[2] | block[3]
            guard bits & 0x8080_8080_8080_8080 == 0 else { break }
            index &+= 32
        }
        while index < bytes.count, bytes[index] < 0x80 { index &+= 1 }
        return index
    }
}
