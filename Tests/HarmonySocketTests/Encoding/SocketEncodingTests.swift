import HarmonySocket
import Testing

@Suite struct SocketEncodingTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let encoding: SocketEncoding
        let text: String
        let bytes: [UInt8]

        init(_ encoding: SocketEncoding, _ text: String, _ bytes: [UInt8]) {
            (self.encoding, self.text, self.bytes) = (encoding, text, bytes)
        }

        var testDescription: String { "\(encoding) \(text.debugDescription)" }
    }

    /// Text and bytes that become each other, both ways.
    static let pairs = [
        Row(.utf8, "", []),
        Row(.utf8, "Aé€😀", [0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]),
        Row(.utf8, "\u{FEFF}a", [0xef, 0xbb, 0xbf, 0x61]),
        Row(.utf8, "a\0b", [0x61, 0, 0x62]),
        Row(.utf16BE, "", []),
        Row(.utf16BE, "Aé€", [0, 0x41, 0, 0xe9, 0x20, 0xac]),
        Row(.utf16BE, "😀", [0xd8, 0x3d, 0xde, 0x00]),
        Row(.utf16BE, "\u{10000}\u{10FFFF}", [0xd8, 0x00, 0xdc, 0x00, 0xdb, 0xff, 0xdf, 0xff]),
        Row(.utf16BE, "\u{D7FF}\u{E000}\u{FFFF}", [0xd7, 0xff, 0xe0, 0x00, 0xff, 0xff]),
        Row(.utf16BE, "\u{7F}\u{80}\u{7FF}\u{800}", [0, 0x7f, 0, 0x80, 0x07, 0xff, 0x08, 0x00]),
        Row(.utf16BE, "\u{FEFF}a", [0xfe, 0xff, 0, 0x61]),
        Row(.utf16LE, "", []),
        Row(.utf16LE, "Aé€", [0x41, 0, 0xe9, 0, 0xac, 0x20]),
        Row(.utf16LE, "a😀b", [0x61, 0, 0x3d, 0xd8, 0x00, 0xde, 0x62, 0]),
        Row(.utf16LE, "\u{FEFF}a", [0xff, 0xfe, 0x61, 0]),
        Row(.utf16, "", [0xfe, 0xff]),
        Row(.utf16, "A😀", [0xfe, 0xff, 0, 0x41, 0xd8, 0x3d, 0xde, 0x00]),
        Row(.utf16, "\u{FEFF}A", [0xfe, 0xff, 0xfe, 0xff, 0, 0x41]),
        Row(.ascii, "", []),
        Row(.ascii, "a\0\u{7F}", [0x61, 0, 0x7f]),
        Row(.ascii, "a\r\nb", [0x61, 0x0d, 0x0a, 0x62]),
        Row(.isoLatin1, "", []),
        Row(.isoLatin1, "plain", [0x70, 0x6c, 0x61, 0x69, 0x6e]),
        Row(.isoLatin1, "Aé\u{80}ÿ", [0x41, 0xe9, 0x80, 0xff]),
    ]

    @Test(arguments: pairs)
    func encodes(_ row: Row) {
        #expect(row.encoding.encode(row.text) == row.bytes)
    }

    @Test(arguments: pairs)
    func decodes(_ row: Row) {
        #expect(row.encoding.decode(row.bytes).map { Array($0.unicodeScalars) } == Array(row.text.unicodeScalars))
    }

    /// Bytes that `utf16` accepts although it does not write them.
    @Test(arguments: [
        Row(.utf16, "", []),
        Row(.utf16, "", [0xff, 0xfe]),
        Row(.utf16, "A", [0, 0x41]),
        Row(.utf16, "A😀", [0xff, 0xfe, 0x41, 0, 0x3d, 0xd8, 0x00, 0xde]),
    ])
    func followsTheMark(_ row: Row) {
        #expect(row.encoding.decode(row.bytes) == row.text)
    }

    @Test(arguments: [
        (SocketEncoding.ascii, "é"), (.ascii, "😀"), (.ascii, "text\u{80}"),
        (.isoLatin1, "€"), (.isoLatin1, "aĀ"), (.isoLatin1, "😀"), (.isoLatin1, "e\u{301}"),
    ])
    func refusesTextItCannotExpress(_ encoding: SocketEncoding, _ text: String) {
        #expect(encoding.encode(text) == nil)
    }

    @Test(arguments: [
        (SocketEncoding.utf8, [0x61, 0xe2, 0x82] as [UInt8]), // cut in a scalar
        (.utf8, [0x80]), // begins in one
        (.utf8, [0xc0, 0xaf]), // longer than needed
        (.utf8, [0xed, 0xa0, 0x80]), // a surrogate
        (.utf8, [0xf4, 0x90, 0x80, 0x80]), // beyond U+10FFFF
        (.utf16BE, [0]), (.utf16BE, [0, 0x41, 0]), // odd counts
        (.utf16LE, [0x41]), (.utf16, [0xfe]), (.utf16, [0xfe, 0xff, 0]), (.utf16, [0xff, 0xfe, 0x41]),
        (.utf16BE, [0xd8, 0x3d]), // a high surrogate at the end
        (.utf16BE, [0xd8, 0x3d, 0, 0x41]), // before another unit
        (.utf16BE, [0xd8, 0x3d, 0xd8, 0x3d]), // twice
        (.utf16BE, [0xde, 0x00]), (.utf16BE, [0xde, 0x00, 0xd8, 0x3d]), // a low one first
        (.utf16LE, [0x3d, 0xd8]), (.utf16LE, [0x00, 0xde, 0x41, 0]),
        (.utf16, [0xff, 0xfe, 0xd8, 0x3d, 0x00, 0xde]), // in the wrong order for its mark
        (.utf16, [0xfe, 0xff, 0xd8, 0x3d]),
        (.ascii, [0x80]), (.ascii, [0x61, 0xff]),
    ])
    func refusesBytesThatAreNotWhole(_ encoding: SocketEncoding, _ bytes: [UInt8]) {
        #expect(encoding.decode(bytes) == nil)
    }

    @Test(arguments: SocketEncoding.allCases)
    func everyScalarItExpressesComesBack(_ encoding: SocketEncoding) {
        let limit: UInt32 = encoding == .ascii ? 0x7f : encoding == .isoLatin1 ? 0xff : 0x10ffff
        var text = String.UnicodeScalarView()
        for value in (0...limit) {
            if let scalar = Unicode.Scalar(value) { text.append(scalar) }
        }
        let bytes = encoding.encode(String(text))
        #expect(bytes.flatMap(encoding.decode).map { $0.unicodeScalars.elementsEqual(text) } == true)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func agreesWithTheLibraryOnRandomUTF16(_ seed: UInt64) {
        var generator = SplitMix(seed)
        for _ in 0..<2_000 {
            // Mostly surrogates, so that about half of the sequences are invalid.
            let units = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                Bool.random(using: &generator) ? UInt16.random(in: 0xd7fe...0xe001, using: &generator) : 0x41
            }
            let bytes = units.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
            #expect(SocketEncoding.utf16BE.decode(bytes) == String(validating: units, as: UTF16.self))
        }
    }

    @Test(
        arguments: [
            ("UTF-8", SocketEncoding.utf8), ("utf-8", .utf8), ("Utf-16", .utf16), ("UTF-16be", .utf16BE),
            ("utf-16LE", .utf16LE), ("us-ascii", .ascii), ("iso-8859-1", .isoLatin1), ("UTF8", nil), ("", nil),
            ("UTF-32", nil), (" UTF-8", nil), ("GBK", nil),
        ] as [(String, SocketEncoding?)])
    func isFoundByName(_ name: String, _ encoding: SocketEncoding?) {
        #expect(SocketEncoding(name: name) == encoding)
    }

    @Test(arguments: SocketEncoding.allCases)
    func isCalledAsOpenHarmonyCallsIt(_ encoding: SocketEncoding) {
        #expect(encoding.description == encoding.rawValue)
        #expect(SocketEncoding(name: encoding.rawValue) == encoding)
    }
}
