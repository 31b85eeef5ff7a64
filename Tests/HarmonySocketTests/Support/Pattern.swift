/// An endless stream of bytes in which every place looks different from its neighbourhood, so that a byte that is lost,
/// doubled or misplaced shows. Comparing costs as little as memcmp(3), also in debug builds.
struct Pattern: Sendable {
    /// A prime, so that no power of two in buffers and windows lines up with it.
    private static let period = 65_521
    private let block: [UInt8]

    init(seed: UInt64 = 1) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        var block = [UInt8](repeating: 0, count: 2 * Pattern.period)
        for index in 0..<Pattern.period {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            block[index] = UInt8(truncatingIfNeeded: state)
            block[index + Pattern.period] = block[index]
        }
        self.block = block
    }

    /// The stream's bytes from `offset` on.
    func bytes(_ count: Int, at offset: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let start = (offset + bytes.count) % Pattern.period
            bytes += block[start..<start + min(Pattern.period, count - bytes.count)]
        }
        return bytes
    }

    /// Whether these are the stream's bytes at `offset`.
    func matches(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
        bytes.withUnsafeBytes { bytes in
            block.withUnsafeBytes { block in
                var done = 0
                while done < bytes.count {
                    let start = (offset + done) % Pattern.period
                    let part = min(Pattern.period, bytes.count - done)
                    let isEqual = ProcessFacts.areEqual(
                        UnsafeRawBufferPointer(rebasing: bytes[done...]),
                        UnsafeRawBufferPointer(rebasing: block[start...]),
                        part)
                    if !isEqual { return false }
                    done += part
                }
                return true
            }
        }
    }
}
