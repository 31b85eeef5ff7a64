import HarmonySocket
import Testing

@Suite struct DelimiterFramingTests {
    @Test(arguments: [
        ("\0", Stream("a\0bc\0\0", ["a", "bc", ""])),
        ("\0", Stream("a\0b", ["a"], .incomplete(count: 1))),
        ("\r\n", Stream("a\nb\r\n\r\n\r", ["a\nb", ""], .incomplete(count: 1))),
        ("\r\n\r\n", Stream("a\r\n\r\n\r\nb\r\n\r\n", ["a", "\r\nb"])),
        ("\r\n\r\n", Stream("a\r\n\r\r\n\r\n", ["a\r\n\r"])),
        // A delimiter that may overlap itself counts where it first begins.
        ("aa", Stream("aaa", [""], .incomplete(count: 1))),
        ("abab", Stream("xabababab", ["x", ""])),
        ("--", Stream("x---y--", ["x", "-y"])),
        ("END", Stream("EENDENDENEND", ["E", "", "EN"])),
        ("END", Stream("EN", [], .incomplete(count: 2))),
        ("END", Stream("", [])),
    ])
    func messages_endWithTheDelimiter(_ delimiter: String, _ stream: Stream) throws {
        #expect(stream.surprises(by: try .delimited(by: Array(delimiter.utf8))) == [])
    }

    @Test(arguments: [
        Stream("ab::abc::", ["ab", "abc"]),
        Stream("abc:::", ["abc"], .incomplete(count: 1)),
        Stream("abcd::", [], .tooLong(limit: 3)),
        Stream("abcde", [], .tooLong(limit: 3)),
        Stream("a::abc:a::", ["a"], .tooLong(limit: 3)),
        Stream("abcd", [], .incomplete(count: 4)),
    ])
    func limit_isOfTheMessageWithoutItsDelimiter(_ stream: Stream) throws {
        #expect(stream.surprises(by: try .delimited(by: "::", maxLength: 3)) == [])
    }

    @Test(
        arguments: [
            ("::", "", "::"), ("::", "a:b", "a:b::"), ("::", ":a", ":a::"), ("::", "a::b", nil), ("::", "::", nil),
            ("::", "a:", nil), ("::", ":", nil), ("\n", "a\r", "a\r\n"), ("aba", "ab", nil), ("aba", "b", "baba"),
        ] as [(String, String, String?)])
    func sending_addsTheDelimiter_andRefusesWhatWouldFormOne(
        _ delimiter: String, _ text: String, _ wire: String?
    ) throws {
        let framing: DelimiterFraming = try .delimited(by: Array(delimiter.utf8))
        var output = Array("::aba\n".utf8)
        let error = append(Array(text.utf8), to: &output, by: framing)
        #expect(String(decoding: output, as: UTF8.self) == "::aba\n" + (wire ?? ""))
        #expect(error == (wire == nil ? .inexpressible("the message contains the delimiter") : nil))
    }

    /// The first place where the delimiter stands, looked for slowly.
    private func place(of delimiter: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.first { bytes[$0...].starts(with: delimiter) }
    }

    private func slowCut(_ stream: [UInt8], _ delimiter: [UInt8]) -> Cut {
        var (result, rest) = (Cut(), stream[...])
        while let index = place(of: delimiter, in: rest) {
            result.messages.append(Array(rest[..<index]))
            rest = rest[(index + delimiter.count)...]
        }
        if !rest.isEmpty { result.error = .incomplete(count: rest.count) }
        return result
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func agreesWithASlowSearch(_ seed: UInt64) throws {
        var generator = SplitMix(seed)
        // Two letters, so that parts of the delimiter are everywhere.
        func letters(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &generator)).map { _ in .random(in: 0x61...0x62, using: &generator) }
        }
        for _ in 0..<300 {
            let (delimiter, stream) = (letters(1...5), letters(0...60))
            let framing: DelimiterFraming = try .delimited(by: delimiter)
            let expected = slowCut(stream, delimiter)
            for _ in 0..<5 { #expect(cut(pieces(of: stream, &generator), by: framing) == expected) }

            let message = letters(0...8)
            let arrives = slowCut(message + delimiter, delimiter) == Cut(messages: [message])
            #expect((try? wire(message, by: framing)) == (arrives ? message + delimiter : nil))
        }
    }

    /// What was looked at in vain is changed into delimiters behind the framing's back. A framing that looked again, and
    /// so took a time that grows with the square of a message's length, would find one.
    @Test(arguments: ["\n", "\0", "\r\n", "\r\n\r\n", "--boundary"], [1, 2, 7, 100])
    func whatWasLookedAt_isNotLookedAtAgain(_ text: String, _ step: Int) throws {
        let delimiter = Array(text.utf8)
        var framing: any Framing = .lines
        if text != "\n" { framing = try .delimited(by: delimiter) }
        var bytes: [UInt8] = []
        for _ in 0..<(600 / step) {
            // All but the bytes in which a delimiter may have begun.
            let seen = max(0, bytes.count - (delimiter.count - 1))
            for index in 0..<seen { bytes[index] = delimiter[index % delimiter.count] }
            bytes += [UInt8](repeating: 0x78, count: step)
            #expect(try framing.nextFrame(in: bytes.span) == nil)
        }
        // With the message over, the next is looked at from its beginning.
        bytes += delimiter
        #expect(try framing.nextFrame(in: bytes.span)?.length == bytes.count)
        #expect(try framing.nextFrame(in: (delimiter + bytes).span)?.length == delimiter.count)
    }

    @Test func defaults_areAsDocumented() throws {
        let framing: DelimiterFraming = try .delimited(by: [1, 2])
        #expect(framing.delimiter == [1, 2])
        #expect(framing.maxLength == 65_536)
        #expect(framing.maxFrameLength == 65_538)
    }

    @Test(arguments: [
        (0, 1, "delimiter"), (65_536, 1, "delimiter"), (1, 0, "maxLength"), (1, -1, "maxLength"),
        (1, .max, "maxLength"),
    ])
    func whatCannotBe_isRefusedByName(_ count: Int, _ maxLength: Int, _ field: String) {
        let error = thrown { () throws(SocketError) in
            _ = try DelimiterFraming.delimited(by: [UInt8](repeating: 0, count: count), maxLength: maxLength)
        }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == field)
    }
}
