@testable import HarmonySocket

extension Target {
    /// Streams that are cut into messages, by each framing.
    static let framings = Target(name: "framings") { input in
        switch input.choice(below: 4) {
        case 0: check(try? LineFraming(maxLength: 64, sendsCRLF: input.flag()), &input)
        case 1:
            let delimiter = Array("abaab".utf8.prefix(1 + input.choice(below: 5)))
            check(try? DelimiterFraming(delimiter, maxLength: 64), &input)
        case 2: check(try? FixedLengthFraming(length: 1 + input.choice(below: 32)), &input)
        default:
            let framing = try? LengthPrefixFraming(
                width: LengthPrefixFraming.Width.allCases[input.choice(below: 5)],
                byteOrder: LengthPrefixFraming.ByteOrder.allCases[input.choice(below: 2)],
                offset: input.choice(below: 8), includesHeader: input.flag(),
                adjustment: input.choice(below: 256) - 128, keepsHeader: input.flag(), maxLength: 300)
            check(framing, &input)
        }
    } seeds: {
        let text = Array("one\ntwo\r\n\nab\n\rabaab aaabaab\nthe last".utf8)
        let lengths: [UInt8] = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0, 0, 0, 5, 1, 2, 3, 4, 5]
        var seeds = (0..<UInt8(5)).map { Input.make(text, 1, $0, 2, 1, 6) }
        seeds += (0..<UInt8(2)).map { Input.make(text, 0, $0, 1, 3) }
        seeds.append(Input.make(text, 2, 4, 1, 5))
        for width in 0..<UInt8(5) {
            for choice in 0..<UInt8(4) {
                seeds.append(Input.make(lengths, 3, width, choice & 1, choice, choice >> 1, 128, choice & 1, 1, 2))
            }
        }
        return seeds
    }
}

/// Nil is a framing that cannot be, and was refused when it was to be made.
private func check(_ framing: (some Framing)?, _ input: inout Input) {
    guard let framing else { return }
    let cuts = input.cuts()
    let whole = Messages(input.bytes, framing, .none)
    require(whole == Messages(input.bytes, framing, cuts), "the messages do not depend on the cuts")
    require(whole == Messages(input.bytes, framing, .everywhere), "nor on cuts everywhere")
    for message in whole.messages {
        require(message.count <= framing.maxFrameLength, "a message is within the limit")
        var sent: [UInt8] = []
        do throws(FramingError) {
            try framing.append(message.span, to: &sent)
        } catch {
            // The last line may end with CR, since nothing ends it.
            continue
        }
        let again = Messages(sent, framing, Cuts([3]))
        require(again.messages == [message] && again.error == nil, "what was received can be sent: \(again)")
    }
}

/// What became of a stream.
private struct Messages: Equatable {
    var messages: [[UInt8]] = []
    var error: FramingError?

    init(_ bytes: [UInt8], _ framing: some Framing, _ cuts: Cuts) {
        var framing = framing
        var used = 0
        func take(_ end: Int, isAtEnd: Bool) -> Bool {
            bytes.withPiece(used..<end) { piece in
                let span = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(piece))
                do throws(FramingError) {
                    guard let frame = try framing.cut(span, isAtEnd: isAtEnd) else { return false }
                    messages.append(Array(piece[frame.message]))
                    used += frame.length
                    return true
                } catch {
                    self.error = error
                    return false
                }
            }
        }
        for range in cuts.ranges(of: bytes.count) {
            while error == nil, take(range.upperBound, isAtEnd: false) {}
        }
        while error == nil, take(bytes.count, isAtEnd: true) {}
    }
}
