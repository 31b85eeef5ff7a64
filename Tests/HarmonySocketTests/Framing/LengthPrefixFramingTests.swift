import HarmonySocket
import Testing

@Suite struct LengthPrefixFramingTests {
    /// A framing, a stream of two messages by hand, and what must come of it.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let framing: LengthPrefixFraming
        let stream: [UInt8]
        let messages: [[UInt8]]

        init(
            _ name: String, _ framing: @autoclosure () throws -> LengthPrefixFraming, _ stream: [UInt8],
            _ messages: [[UInt8]]
        ) rethrows {
            testDescription = name
            self.framing = try framing()
            self.stream = stream
            self.messages = messages
        }
    }

    static func rows() throws -> [Row] {
        try [
            Row("one byte", .lengthPrefixed(width: .one), [2, 97, 98, 0], [[97, 98], []]),
            Row("two bytes", .lengthPrefixed(width: .two), [0, 2, 97, 98, 0, 1, 99], [[97, 98], [99]]),
            Row(
                "two bytes, little-endian", .lengthPrefixed(width: .two, byteOrder: .littleEndian),
                [2, 0, 97, 98, 1, 0, 99], [[97, 98], [99]]),
            Row("three bytes", .lengthPrefixed(width: .three), [0, 0, 2, 97, 98, 0, 0, 1, 99], [[97, 98], [99]]),
            Row("four bytes", .lengthPrefixed(), [0, 0, 0, 1, 97, 0, 0, 0, 0], [[97], []]),
            Row(
                "four bytes, little-endian", .lengthPrefixed(byteOrder: .littleEndian), [1, 0, 0, 0, 97, 0, 0, 0, 0],
                [[97], []]),
            Row(
                "eight bytes", .lengthPrefixed(width: .eight),
                [0, 0, 0, 0, 0, 0, 0, 1, 97] + [UInt8](repeating: 0, count: 8),
                [[97], []]),
            Row(
                "more than a byte says", .lengthPrefixed(width: .two),
                [1, 2] + [UInt8](repeating: 7, count: 258) + [0, 1, 8],
                [[UInt8](repeating: 7, count: 258), [8]]),
            Row(
                "inclusive", .lengthPrefixed(width: .two, includesHeader: true), [0, 4, 97, 98, 0, 2, 0, 3, 99],
                [[97, 98], [], [99]]),
            Row(
                "behind an offset", .lengthPrefixed(width: .two, offset: 2), [0, 0, 0, 1, 97, 0, 0, 0, 2, 98, 99],
                [[97], [98, 99]]),
            Row(
                "behind an offset, inclusive", .lengthPrefixed(width: .two, offset: 1, includesHeader: true),
                [0, 0, 4, 97, 0, 0, 5, 98, 99], [[97], [98, 99]]),
            Row(
                "TLS records, with their header", .lengthPrefixed(width: .two, offset: 3, keepsHeader: true),
                [23, 3, 3, 0, 2, 97, 98, 21, 3, 3, 0, 0], [[23, 3, 3, 0, 2, 97, 98], [21, 3, 3, 0, 0]]),
            Row(
                "PostgreSQL", .lengthPrefixed(offset: 1, adjustment: -4, keepsHeader: true),
                [81, 0, 0, 0, 6, 97, 0, 83, 0, 0, 0, 4], [[81, 0, 0, 0, 6, 97, 0], [83, 0, 0, 0, 4]]),
            Row(
                "MySQL", .lengthPrefixed(width: .three, byteOrder: .littleEndian, adjustment: 1),
                [1, 0, 0, 5, 97, 0, 0, 0, 6], [[5, 97], [6]]),
            Row(
                "Diameter", .lengthPrefixed(width: .three, offset: 1, includesHeader: true, keepsHeader: true),
                [1, 0, 0, 6, 97, 98, 1, 0, 0, 4], [[1, 0, 0, 6, 97, 98], [1, 0, 0, 4]]),
        ]
    }

    @Test(arguments: try rows())
    func streams_areCutAndMade(_ row: Row) throws {
        #expect(Stream(row.stream, row.messages).surprises(by: row.framing) == [])
        var output: [UInt8] = []
        for message in row.messages { try row.framing.append(message.span, to: &output) }
        #expect(output == row.stream)
        // Whatever comes less than a whole message is none.
        for left in 1..<row.stream.count {
            let part = cut([Array(row.stream[..<left])], by: row.framing)
            #expect(row.messages.starts(with: part.messages))
            let isWhole = try part.messages.flatMap { try wire($0, by: row.framing) }.count == left
            #expect(isWhole ? part.error == nil : part.error != nil)
        }
    }

    @Test func sending_fillsTheLengthIn_whateverTheHeaderSaid() throws {
        let framing: LengthPrefixFraming = try .lengthPrefixed(width: .two, offset: 1, keepsHeader: true)
        #expect(try wire([9, 255, 255, 97], by: framing) == [9, 0, 1, 97])
    }

    static let hostile: [(LengthPrefixFraming.Width, Bool, [UInt8], FramingError)] = [
        (.one, false, [101], .tooLong(limit: 100)),
        (.one, false, [255], .tooLong(limit: 100)),
        (.two, false, [255, 255], .tooLong(limit: 100)),
        (.three, false, [255, 255, 255], .tooLong(limit: 100)),
        (.four, false, [0, 0, 0, 101], .tooLong(limit: 100)),
        (.four, false, [127, 255, 255, 255], .tooLong(limit: 100)),
        (.four, false, [128, 0, 0, 0], .tooLong(limit: 100)),
        (.four, false, [255, 255, 255, 255], .tooLong(limit: 100)),
        (.eight, false, [0, 0, 0, 1, 0, 0, 0, 0], .tooLong(limit: 100)),
        (.eight, false, [127, 255, 255, 255, 255, 255, 255, 255], .tooLong(limit: 100)),
        (.eight, false, [128, 0, 0, 0, 0, 0, 0, 0], .tooLong(limit: 100)),
        (.eight, false, [255, 255, 255, 255, 255, 255, 255, 255], .tooLong(limit: 100)),
        (.eight, true, [255, 255, 255, 255, 255, 255, 255, 255], .tooLong(limit: 100)),
        (.four, true, [0, 0, 0, 105], .tooLong(limit: 100)),
        (.four, true, [0, 0, 0, 3], .malformed("a length of 3 is too short for the header")),
        (.four, true, [0, 0, 0, 0], .malformed("a length of 0 is too short for the header")),
        (.one, true, [0], .malformed("a length of 0 is too short for the header")),
    ]

    @Test(arguments: hostile)
    func aHostileLength_isRefusedWhenItIsThere(
        _ width: LengthPrefixFraming.Width, _ includesHeader: Bool, _ bytes: [UInt8], _ error: FramingError
    ) throws {
        for (order, bytes) in [(LengthPrefixFraming.ByteOrder.bigEndian, bytes), (.littleEndian, bytes.reversed())] {
            let framing: LengthPrefixFraming = try .lengthPrefixed(
                width: width, byteOrder: order, includesHeader: includesHeader, maxLength: 100)
            #expect(Stream(bytes, [], error).surprises(by: framing) == [])
            let good = try wire([1, 2], by: framing)
            #expect(Stream(good + bytes, [[1, 2]], error).surprises(by: framing) == [])
        }
    }

    /// Lengths at the corners of what is calculated with them, with every kind of header: an answer, and no trap.
    @Test(arguments: LengthPrefixFraming.Width.allCases, [-65_535, -9, -1, 0, 1, 9, 65_535])
    func noLengthIsATrap(_ width: LengthPrefixFraming.Width, _ adjustment: Int) throws {
        let corners: [UInt64] = [0, 1, 255, 1 << 16, 1 << 30, 1 << 31, 1 << 32, 1 << 63]
        for offset in [0, 3, 65_535] {
            for (includesHeader, keepsHeader) in [(false, false), (false, true), (true, false), (true, true)] {
                for maxLength in [200_000, 1 << 30] {
                    let framing: LengthPrefixFraming = try .lengthPrefixed(
                        width: width, byteOrder: .littleEndian, offset: offset, includesHeader: includesHeader,
                        adjustment: adjustment, keepsHeader: keepsHeader, maxLength: maxLength)
                    for value in corners.flatMap({ [$0 &- 1, $0, $0 &+ 1] }) {
                        let field = (0..<width.rawValue).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
                        let bytes = [UInt8](repeating: 0, count: offset) + field
                        guard let frame = try? framing.nextFrame(in: bytes.span) else { continue }
                        #expect(frame.length == bytes.count)
                    }
                }
            }
        }
    }

    @Test(arguments: [false, true], [false, true])
    func limit_isOfTheMessageAsItIsDelivered(_ includesHeader: Bool, _ keepsHeader: Bool) throws {
        func framing(_ maxLength: Int) throws -> LengthPrefixFraming {
            try .lengthPrefixed(
                width: .two, offset: 1, includesHeader: includesHeader, keepsHeader: keepsHeader, maxLength: maxLength)
        }
        for count in 9...11 {
            var message = [UInt8](repeating: 7, count: count)
            if keepsHeader { message.replaceSubrange(0..<3, with: [0, 0, UInt8(includesHeader ? count : count - 3)]) }
            // Sending has no limit but the width: the limit is for what the peer sends.
            let stream = try wire(message, by: try framing(4))
            let expected = count <= 10 ? Stream(stream, [message]) : Stream(stream, [], .tooLong(limit: 10))
            #expect(expected.surprises(by: try framing(10)) == [])
        }
    }

    @Test(
        arguments: [
            (.one, false, 255), (.one, true, 254), (.two, false, 65_535), (.two, true, 65_533),
        ] as [(LengthPrefixFraming.Width, Bool, Int)])
    func aMessageTooLongForTheWidth_cannotBeSent(
        _ width: LengthPrefixFraming.Width, _ includesHeader: Bool, _ most: Int
    ) throws {
        let framing: LengthPrefixFraming = try .lengthPrefixed(width: width, includesHeader: includesHeader)
        let message = [UInt8](repeating: 1, count: most)
        #expect(cut([try wire(message, by: framing)], by: framing) == Cut(messages: [message]))
        var output: [UInt8] = [9]
        let error = append(message + [1], to: &output, by: framing)
        #expect(error == .tooLong(limit: most))
        #expect(output == [9])
    }

    @Test(arguments: [(0, true, 3), (1, false, 1), (-3, true, 3), (2, true, 5)])
    func aMessageTooShortForTheLength_cannotBeSent(_ adjustment: Int, _ keepsHeader: Bool, _ least: Int) throws {
        let framing: LengthPrefixFraming = try .lengthPrefixed(
            width: .two, offset: 1, adjustment: adjustment, keepsHeader: keepsHeader)
        let message = [UInt8](repeating: 0, count: least)
        #expect(cut([try wire(message, by: framing)], by: framing).messages.map(\.count) == [least])
        var output: [UInt8] = [9]
        let error = append([UInt8](message.dropLast()), to: &output, by: framing)
        #expect(error == .inexpressible("the message has \(least - 1) bytes, and the shortest has \(least)"))
        #expect(output == [9])
    }

    @Test func defaults_areAsDocumented() throws {
        let framing: LengthPrefixFraming = try .lengthPrefixed()
        #expect(framing.width == .four && framing.byteOrder == .bigEndian && framing.offset == 0)
        #expect(!framing.includesHeader && framing.adjustment == 0 && !framing.keepsHeader)
        #expect(framing.maxLength == 1_048_576)
        #expect(framing.maxFrameLength == 1_048_580)
    }

    @Test(
        arguments: [
            (-1, 0, false, 1, "offset"), (65_536, 0, false, 1, "offset"), (.min, 0, false, 1, "offset"),
            (0, 65_536, false, 1, "adjustment"), (0, -65_536, false, 1, "adjustment"),
            (0, .min, false, 1, "adjustment"),
            (0, 0, false, 0, "maxLength"), (0, 0, false, -1, "maxLength"), (0, 0, false, .max, "maxLength"),
            // No message would be short enough.
            (2, 0, true, 3, "maxLength"), (0, 7, false, 6, "maxLength"),
            (2, 0, true, 4, nil), (0, 7, false, 7, nil),
        ] as [(Int, Int, Bool, Int, String?)])
    func whatCannotBe_isRefusedByName(
        _ offset: Int, _ adjustment: Int, _ keepsHeader: Bool, _ maxLength: Int, _ field: String?
    ) {
        let error = thrown { () throws(SocketError) in
            _ = try LengthPrefixFraming.lengthPrefixed(
                width: .two, offset: offset, adjustment: adjustment, keepsHeader: keepsHeader, maxLength: maxLength)
        }
        #expect(error?.field == field)
        #expect(error?.kind == (field == nil ? nil : .invalidArgument))
    }
}
