import Testing

@testable import HarmonyWebSocket

@Suite struct MaskTests {
    private static func slowly(_ bytes: [UInt8], _ mask: UInt32) -> [UInt8] {
        bytes.enumerated().map { $1 ^ UInt8(truncatingIfNeeded: mask >> (8 * UInt32($0 % 4))) }
    }

    private static func copy(_ bytes: [UInt8], _ mask: UInt32) -> [UInt8] {
        // See `pattern`.
        if bytes.isEmpty { return [] }
        return [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
            bytes.withUnsafeBytes { Mask.copy($0, to: UnsafeMutableRawBufferPointer(buffer), with: mask) }
            count = bytes.count
        }
    }

    @Test func copy_ofEveryLength_masksEachByteWithItsOwn() {
        for count in 0...200 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            #expect(MaskTests.copy(bytes, 0x1234_5678) == MaskTests.slowly(bytes, 0x1234_5678))
        }
    }

    @Test func copy_inPlace_masksToo() {
        var bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        let expected = MaskTests.slowly(bytes, 0xDEAD_BEEF)
        bytes.withUnsafeMutableBytes { Mask.copy(UnsafeRawBufferPointer($0), to: $0, with: 0xDEAD_BEEF) }
        #expect(bytes == expected)
    }

    @Test func rotate_byEverySplit_goesOnWhereItWas() {
        let bytes = (0..<50).map { UInt8($0) }
        for split in 0...50 {
            let mask: UInt32 = 0x0A0B_0C0D
            let halves =
                MaskTests.copy(Array(bytes[..<split]), mask)
                + MaskTests.copy(Array(bytes[split...]), Mask.rotate(mask, by: split))
            #expect(halves == MaskTests.slowly(bytes, mask))
        }
    }
}
