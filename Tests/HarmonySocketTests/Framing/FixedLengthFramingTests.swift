import HarmonySocket
import Testing

@Suite struct FixedLengthFramingTests {
    @Test(arguments: [
        (3, Stream("", [])), (3, Stream("abc", ["abc"])), (3, Stream("abcdef", ["abc", "def"])),
        (3, Stream("ab", [], .incomplete(count: 2))), (3, Stream("abcdefg", ["abc", "def"], .incomplete(count: 1))),
        (1, Stream("a\nb", ["a", "\n", "b"])),
    ])
    func messages_haveTheLength(_ length: Int, _ stream: Stream) throws {
        #expect(stream.surprises(by: try .fixed(length: length)) == [])
    }

    @Test(arguments: [(0, false), (2, false), (3, true), (4, false)])
    func sending_takesTheLengthOnly(_ count: Int, _ isRight: Bool) throws {
        let framing: FixedLengthFraming = try .fixed(length: 3)
        let message = [UInt8](repeating: 7, count: count)
        var output: [UInt8] = [1]
        let error = append(message, to: &output, by: framing)
        #expect(output == [1] + (isRight ? message : []))
        #expect(error == (isRight ? nil : .inexpressible("the message has \(count) bytes and not 3")))
    }

    @Test(arguments: [0, -1, .min, 1 << 30 + 1, .max])
    func anImpossibleLength_isRefusedByName(_ length: Int) {
        let error = thrown { () throws(SocketError) in _ = try FixedLengthFraming.fixed(length: length) }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "length")
    }

    @Test func theLongestLength_isNoReasonToAllocate() throws {
        #expect(cut([[1], [2, 3]], by: try .fixed(length: 1 << 30)) == Cut(error: .incomplete(count: 3)))
    }
}
