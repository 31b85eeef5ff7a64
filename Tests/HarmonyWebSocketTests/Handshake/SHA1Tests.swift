import Testing

@testable import HarmonyWebSocket

@Suite struct SHA1Tests {
    private static func hex(_ text: String, repeated count: Int = 1) -> String {
        SHA1.digest((0..<count).flatMap { _ in Array(text.utf8) })
            .map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    /// RFC 3174, section 7.3, and the digest of nothing.
    @Test func digest_ofTheVectors_isRight() {
        #expect(SHA1Tests.hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(SHA1Tests.hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            SHA1Tests.hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(SHA1Tests.hex("a", repeated: 1_000_000) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
        #expect(
            SHA1Tests.hex("0123456701234567012345670123456701234567012345670123456701234567", repeated: 10)
                == "dea356a2cddd90c7a7ecedc5ebb563934f460452")
    }

    /// Around the sizes at which the padding needs another block.
    @Test func digest_aroundABlock_isRight() {
        #expect(SHA1Tests.hex("a", repeated: 55) == "c1c8bbdc22796e28c0e15163d20899b65621d65a")
        #expect(SHA1Tests.hex("a", repeated: 56) == "c2db330f6083854c99d4b5bfb6e8f29f201be699")
        #expect(SHA1Tests.hex("a", repeated: 64) == "0098ba824b5c16427bd7a1122a5a442a25ec644d")
    }
}
