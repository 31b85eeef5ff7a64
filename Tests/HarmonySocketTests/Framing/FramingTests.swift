import HarmonySocket
import Testing

@Suite struct FramingTests {
    /// A framing as a program would write it: https://cr.yp.to/proto/netstrings.txt
    struct Netstrings: Framing {
        var maxFrameLength = 1000

        func nextFrame(in bytes: Span<UInt8>) throws(FramingError) -> MessageFrame? {
            var length = 0
            for index in bytes.indices {
                switch bytes[index] {
                case let digit where digit >= 0x30 && digit <= 0x39:
                    length = 10 * length + Int(digit - 0x30)
                    guard length < maxFrameLength else { throw .tooLong(limit: maxFrameLength) }
                case UInt8(ascii: ":"):
                    let (start, end) = (index + 1, index + 1 + length)
                    guard end < bytes.count else { return nil }
                    guard bytes[end] == UInt8(ascii: ",") else { throw .malformed("there is no comma") }
                    return MessageFrame(message: start..<end, length: end + 1)
                default: throw .malformed("the length is no number")
                }
            }
            return nil
        }

        func append(_ message: Span<UInt8>, to output: inout [UInt8]) {
            output += "\(message.count):".utf8
            message.withUnsafeBufferPointer { output += $0 }
            output += ",".utf8
        }
    }

    @Test(arguments: [
        Stream("5:hello,0:,3:a:,,", ["hello", "", "a:,"]),
        Stream("5:hello,x", ["hello"], .malformed("the length is no number")),
        Stream("1:ab", [], .malformed("there is no comma")),
        Stream("1:a,3:ab", ["a"], .incomplete(count: 4)),
        Stream("99999999999999999999999", [], .tooLong(limit: 1000)),
    ])
    func aFramingOfAProgramsOwn_works(_ stream: Stream) throws {
        #expect(stream.surprises(by: Netstrings()) == [])
        if stream.cut.error == nil {
            #expect(try stream.cut.messages.flatMap { try wire($0, by: Netstrings()) } == stream.bytes)
        }
    }

    @Test func theLimit_isKeptForTheFraming() throws {
        for (limit, expected) in [(8, Cut(messages: [Array("hello".utf8)])), (7, Cut(error: .tooLong(limit: 7)))] {
            // However it arrives: also whole, when the framing itself has no reason to complain.
            for arrival in arrivals(of: Array("5:hello,".utf8)) {
                #expect(cut(arrival, by: Netstrings(maxFrameLength: limit)) == expected)
            }
        }
        #expect(cut([[0x30, 0x30], [0x30]], by: Netstrings(maxFrameLength: 3)) == Cut(error: .tooLong(limit: 3)))
        #expect(cut([[0x30, 0x30], [0x30]], by: Netstrings(maxFrameLength: 4)) == Cut(error: .incomplete(count: 3)))
        #expect(cut([[0x30]], by: Netstrings(maxFrameLength: -1)) == Cut(error: .tooLong(limit: -1)))
    }

    /// Says what it is told to say.
    struct Puppet: Framing {
        var next: MessageFrame?
        var last: MessageFrame?

        func nextFrame(in bytes: Span<UInt8>) -> MessageFrame? { next }
        func lastFrame(in bytes: Span<UInt8>) -> MessageFrame? { last }
        func append(_ message: Span<UInt8>, to output: inout [UInt8]) {}
    }

    @Test(arguments: [
        MessageFrame(message: 0..<0, length: 0), MessageFrame(message: 0..<1, length: -1),
        MessageFrame(message: 0..<4, length: 4), MessageFrame(message: 0..<3, length: 2),
        MessageFrame(message: -1..<2, length: 2), MessageFrame(message: 3..<3, length: 2),
        MessageFrame(message: .min ..< .max, length: 1), MessageFrame(message: 0..<1, length: .max),
    ])
    func aFrameThatCannotBe_isAnError(_ frame: MessageFrame) {
        let expected = Cut(error: .malformed("the framing found \(frame) in 3 bytes"))
        #expect(cut([[1, 2, 3]], by: Puppet(next: frame)) == expected)
        #expect(cut([[1, 2, 3]], by: Puppet(last: frame)) == expected)
    }

    @Test(
        arguments: [
            (MessageFrame(message: 0..<3, length: 3), [[1, 2, 3]]), (MessageFrame(message: 1..<2, length: 3), [[2]]),
            (MessageFrame(message: 3..<3, length: 3), [[]]),
            (MessageFrame(message: 0..<1, length: 1), [[1], [2], [3]]),
            (nil, []),
        ] as [(MessageFrame?, [[UInt8]])])
    func theEnd_isTheFramingsToDecide(_ frame: MessageFrame?, _ messages: [[UInt8]]) {
        #expect(cut([[1, 2, 3]], by: Puppet(last: frame)) == Cut(messages: messages))
    }

    @Test func theLastMessage_hasTheLimitToo() {
        let long = [UInt8](repeating: 0, count: 1 << 20)
        let frame = MessageFrame(message: 0..<1, length: long.count)
        #expect(cut([long.dropLast()], by: Puppet()) == Cut())
        #expect(cut([long], by: Puppet()) == Cut(error: .tooLong(limit: 1 << 20)))
        #expect(cut([long], by: Puppet(next: frame)) == Cut(messages: [[0]]))
        let longer = MessageFrame(message: 0..<1, length: long.count + 1)
        #expect(cut([long + [0]], by: Puppet(next: longer)) == Cut(error: .tooLong(limit: 1 << 20)))
    }

    @Test func nothing_isNoMessage() throws {
        var framings: [any Framing] = [.lines, try .fixed(length: 1), try .lengthPrefixed(), Netstrings()]
        for index in framings.indices {
            #expect(try framings[index].cut([UInt8]().span, isAtEnd: false) == nil)
            #expect(try framings[index].cut([UInt8]().span, isAtEnd: true) == nil)
        }
    }

    /// Random messages, sent, cut into random pieces, and received.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func whatIsSent_arrives(_ seed: UInt64) throws {
        var generator = SplitMix(seed)
        func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: count, using: &generator)).map { _ in .random(in: 0...255, using: &generator) }
        }
        func text() -> [UInt8] { bytes(0...300).filter { $0 != 10 && $0 != 13 } }
        var framings: [(any Framing, () -> [UInt8])] = [
            (.lines, text), (try .lines(sendsCRLF: true), text), (try .delimited(by: [10]), text),
            (try .delimited(by: [13, 10, 13, 10]), text), (try .fixed(length: 17), { bytes(17...17) }),
            (Netstrings(), { bytes(0...300) }),
        ]
        for width in LengthPrefixFraming.Width.allCases {
            for order in LengthPrefixFraming.ByteOrder.allCases {
                let prefixed: LengthPrefixFraming = try .lengthPrefixed(
                    width: width, byteOrder: order, offset: .random(in: 0...9, using: &generator),
                    includesHeader: .random(using: &generator), adjustment: .random(in: -9...9, using: &generator))
                framings.append((prefixed, { bytes(27...220) }))
            }
        }
        for (framing, message) in framings {
            let messages = (0..<30).map { _ in message() }
            var stream: [UInt8] = []
            for message in messages { try framing.append(message.span, to: &stream) }
            for _ in 0..<5 {
                #expect(cut(pieces(of: stream, &generator), by: framing) == Cut(messages: messages), "\(framing)")
            }
        }
    }
}
