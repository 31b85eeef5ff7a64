import HarmonySocket
import Testing

@Suite struct LineFramingTests {
    @Test(arguments: [
        Stream("", []),
        Stream("a\nbc\n", ["a", "bc"]),
        Stream("a\r\nbc\r\n", ["a", "bc"]),
        Stream("a\nb\r\nc\n", ["a", "b", "c"]),
        Stream("\n\r\n\n", ["", "", ""]),
        Stream("a\rb\n\rc\n", ["a\rb", "\rc"]),
        Stream("a\r\r\n", ["a\r"]),
        Stream("\0\u{e9}\n", ["\0\u{e9}"]),
        // What nothing ends is the last line; a carriage return alone ends nothing.
        Stream("a\nb", ["a", "b"]),
        Stream("a\r", ["a\r"]),
        Stream("a\n\r", ["a", "\r"]),
    ])
    func lines_endWithLineFeed_orBoth(_ stream: Stream) {
        #expect(stream.surprises(by: .lines) == [])
    }

    @Test(arguments: [
        Stream("ab\nab\r\nab", ["ab", "ab", "ab"]),
        Stream("abc\nabc\r\nabc", ["abc", "abc", "abc"]),
        Stream("ab\r\r\n", ["ab\r"]),
        Stream("abcd\n", [], .tooLong(limit: 3)),
        Stream("abcd\r\n", [], .tooLong(limit: 3)),
        Stream("abc\rd\n", [], .tooLong(limit: 3)),
        Stream("abc\r\r\n", [], .tooLong(limit: 3)),
        Stream("abc\r", [], .tooLong(limit: 3)),
        Stream("abcd", [], .tooLong(limit: 3)),
        Stream("a\nabcdefgh\nb\n", ["a"], .tooLong(limit: 3)),
    ])
    func limit_isOfTheLineWithoutItsEnd(_ stream: Stream) throws {
        #expect(stream.surprises(by: try .lines(maxLength: 3)) == [])
    }

    @Test func aLineWithoutEnd_isRefusedWhenTheLimitIsReached() throws {
        var framing: LineFraming = .lines
        let endless = [UInt8](repeating: 0x61, count: 65_538)
        #expect(try framing.nextFrame(in: endless.span.extracting(..<65_537)) == nil)
        #expect(
            thrown { () throws(FramingError) in _ = try framing.nextFrame(in: endless.span) } == .tooLong(limit: 65_536)
        )
    }

    @Test(
        arguments: [
            ("", "\n", "\r\n"), ("a", "a\n", "a\r\n"), ("a\rb", "a\rb\n", "a\rb\r\n"), ("a\r", nil, "a\r\r\n"),
            ("\r", nil, "\r\r\n"),
            ("a\nb", nil, nil), ("\n", nil, nil), ("a\r\n", nil, nil),
        ] as [(String, String?, String?)])
    func sending_addsTheEnd_andRefusesWhatWouldArriveAsAnother(_ line: String, _ plain: String?, _ both: String?) throws
    {
        for (framing, expected) in [(LineFraming.lines, plain), (try .lines(sendsCRLF: true), both)] {
            var output = Array("before".utf8)
            let error = append(Array(line.utf8), to: &output, by: framing)
            #expect(String(decoding: output, as: UTF8.self) == "before" + (expected ?? ""))
            switch error {
            case nil: #expect(expected != nil)
            case .inexpressible: #expect(expected == nil)
            case let other: Issue.record("\(String(describing: other))")
            }
        }
    }

    @Test func defaults_areAsDocumented() throws {
        for framing in [LineFraming.lines, try .lines()] {
            #expect(framing.maxLength == 65_536)
            #expect(framing.maxFrameLength == 65_538)
            #expect(!framing.sendsCRLF)
        }
    }

    @Test(arguments: [0, -1, .min, 1 << 30 + 1, .max])
    func anImpossibleLimit_isRefusedByName(_ limit: Int) {
        let error = thrown { () throws(SocketError) in _ = try LineFraming.lines(maxLength: limit) }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "maxLength")
        #expect(error?.description == "set framing: maxLength: \(limit) is not between 1 and 1073741824 bytes")
    }
}
