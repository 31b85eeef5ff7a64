/// Masking (RFC 6455, section 5.3): every byte of a client's payload is combined with one of the mask's four.
///
/// A mask is kept as a number whose lowest byte belongs to the next byte of the payload.
enum Mask {
    /// The mask for what follows `count` bytes.
    @inline(__always)
    static func rotate(_ mask: UInt32, by count: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: count & 3) * 8
        return mask &>> bits | mask &<< (32 &- bits & 31)
    }

    /// Copies `source` to `target`, which is as large, and masks it on the way; both may be the same memory.
    static func copy(_ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer, with mask: UInt32) {
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        precondition(target.count >= source.count)
        let count = source.count
        let wide = SIMD16<UInt32>(repeating: mask.littleEndian)
        var index = 0
        while index &+ 64 <= count {
            let block = from.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt32>.self)
            to.storeBytes(of: block ^ wide, toByteOffset: index, as: SIMD16<UInt32>.self)
            index &+= 64
        }
        let word = (UInt64(mask) &<< 32 | UInt64(mask)).littleEndian
        while index &+ 8 <= count {
            let block = from.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            to.storeBytes(of: block ^ word, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < count {
            let byte = UInt8(truncatingIfNeeded: mask &>> UInt32(truncatingIfNeeded: (index & 3) &* 8))
            to.storeBytes(
                of: from.load(fromByteOffset: index, as: UInt8.self) ^ byte, toByteOffset: index, as: UInt8.self)
            index &+= 1
        }
    }
}
