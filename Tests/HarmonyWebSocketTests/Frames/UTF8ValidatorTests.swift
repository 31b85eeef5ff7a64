import Testing

@testable import HarmonyWebSocket

@Suite struct UTF8ValidatorTests {
    private static let valid: [[UInt8]] = [
        [], Array("hello".utf8), Array("Grüße, κόσμε, 漢字, 🎉".utf8), [0x00], [0x7F], [0xC2, 0x80], [0xDF, 0xBF],
        [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80], [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80],
        [0xF4, 0x8F, 0xBF, 0xBF], Array(String(repeating: "x", count: 100).utf8) + [0xC3, 0xA4],
    ]

    private static let invalid: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2, 0x7F], [0xC2, 0xC0], [0xE0, 0x9F, 0xBF], [0xE0, 0x80, 0x80],
        [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xEF, 0xBF, 0x7F], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
        [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF], [0xF8, 0x88, 0x80, 0x80, 0x80],
        Array(String(repeating: "x", count: 100).utf8) + [0xC3, 0x28],
    ]

    private static func validate(_ parts: [ArraySlice<UInt8>]) -> Bool? {
        var validator = UTF8Validator()
        for part in parts {
            guard Array(part).withUnsafeBytes({ validator.append($0) }) else { return nil }
        }
        return validator.isComplete
    }

    @Test(arguments: valid) func append_ofText_holdsAtEverySplit(_ bytes: [UInt8]) {
        #expect(UTF8ValidatorTests.validate([bytes[...]]) == true)
        for split in bytes.indices {
            #expect(UTF8ValidatorTests.validate([bytes[..<split], bytes[split...]]) == true)
        }
        #expect(UTF8ValidatorTests.validate(bytes.map { [$0] }) == true)
    }

    @Test(arguments: invalid) func append_ofOtherBytes_failsAtEverySplit(_ bytes: [UInt8]) {
        #expect(UTF8ValidatorTests.validate([bytes[...]]) == nil)
        for split in bytes.indices {
            #expect(UTF8ValidatorTests.validate([bytes[..<split], bytes[split...]]) == nil)
        }
    }

    @Test func append_ofHalfACharacter_isNotComplete() {
        for character in ["ä", "漢", "🎉"] {
            let bytes = Array(character.utf8)
            for count in 1..<bytes.count {
                #expect(UTF8ValidatorTests.validate([bytes[..<count]]) == false)
            }
        }
    }

    @Test func append_ofAFalseByte_failsAtThatByte() {
        var validator = UTF8Validator()
        #expect(([0xF0, 0x90] as [UInt8]).withUnsafeBytes { validator.append($0) })
        #expect(!([0x7F] as [UInt8]).withUnsafeBytes { validator.append($0) })
    }

    /// Every sequence of two bytes, and many of three and four, are judged as the standard library does.
    @Test func append_ofManySequences_agreesWithTheStandardLibrary() {
        var random = SplitMix(7)
        func check(_ bytes: [UInt8]) {
            let expected = String(validating: bytes, as: UTF8.self) != nil
            #expect((UTF8ValidatorTests.validate([bytes[...]]) == true) == expected, "\(bytes)")
        }
        for first in UInt8.min...UInt8.max {
            for second in stride(from: UInt8(0), through: 240, by: 16) { check([first, second]) }
        }
        for _ in 0..<20_000 {
            let bits = random.next()
            let isLikely = bits >> 40 & 1 == 0
            var bytes: [UInt8] = []
            for place in 0..<4 {
                let byte = UInt8(truncatingIfNeeded: bits >> (place * 8))
                bytes.append(isLikely ? byte & 0x3F | (place == 0 ? 0xC0 : 0x80) : byte)
            }
            check(bytes)
        }
    }
}
