import HarmonySocket
import Testing

/// What became of a stream: its messages, and the error that ended it.
struct Cut: Equatable {
    var messages: [[UInt8]] = []
    var error: FramingError?
}

/// Cuts a stream that arrives in pieces, as a socket does: what is not consumed stays before the next piece.
func cut(_ pieces: [[UInt8]], by framing: any Framing) -> Cut {
    var (framing, result, unread) = (framing, Cut(), [UInt8]())
    do throws(FramingError) {
        for piece in pieces {
            unread += piece
            try drain(&unread, by: &framing, isAtEnd: false, into: &result)
        }
        try drain(&unread, by: &framing, isAtEnd: true, into: &result)
    } catch {
        result.error = error
    }
    return result
}

private func drain(
    _ unread: inout [UInt8], by framing: inout any Framing, isAtEnd: Bool, into result: inout Cut
) throws(FramingError) {
    while let frame = try framing.cut(unread.span, isAtEnd: isAtEnd) {
        result.messages.append(Array(unread[frame.message]))
        unread.removeFirst(frame.length)
    }
}

/// Ways in which a stream may arrive: at once, byte by byte, in two pieces at every place, and in pieces at random.
func arrivals(of stream: [UInt8], seed: UInt64 = 1, random: Int = 20) -> [[[UInt8]]] {
    var generator = SplitMix(seed)
    var arrivals = [[stream], stream.map { [$0] }]
    for place in stream.indices.dropFirst() { arrivals.append([Array(stream[..<place]), Array(stream[place...])]) }
    for _ in 0..<random { arrivals.append(pieces(of: stream, &generator)) }
    return arrivals
}

/// A stream cut at random places; some pieces are a byte, some most of the stream.
func pieces(of stream: [UInt8], _ generator: inout SplitMix) -> [[UInt8]] {
    var (pieces, start) = ([[UInt8]](), 0)
    while start < stream.count {
        let longest = min(stream.count - start, 1 << Int.random(in: 0...12, using: &generator))
        let end = start + Int.random(in: 1...longest, using: &generator)
        pieces.append(Array(stream[start..<end]))
        start = end
    }
    return pieces
}

/// A message as it goes over the wire.
func wire(_ message: [UInt8], by framing: any Framing) throws(FramingError) -> [UInt8] {
    var output: [UInt8] = []
    try framing.append(message.span, to: &output)
    return output
}

/// Appends a message as it goes over the wire; the error when it cannot be said.
func append(_ message: [UInt8], to output: inout [UInt8], by framing: any Framing) -> FramingError? {
    thrown { () throws(FramingError) in try framing.append(message.span, to: &output) }
}

/// The error of a call that fails with a typed one; nil when it succeeds.
func thrown<Failure: Error>(_ body: () throws(Failure) -> Void) -> Failure? {
    do throws(Failure) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// One stream, and what it must become however it arrives.
struct Stream: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let cut: Cut

    init(_ bytes: [UInt8], _ messages: [[UInt8]], _ error: FramingError? = nil) {
        self.bytes = bytes
        cut = Cut(messages: messages, error: error)
    }

    init(_ text: String, _ messages: [String], _ error: FramingError? = nil) {
        self.init(Array(text.utf8), messages.map { Array($0.utf8) }, error)
    }

    var testDescription: String { "\(String(decoding: bytes, as: UTF8.self).debugDescription)" }

    /// The arrivals that became something else.
    func surprises(by framing: any Framing) -> [Cut] {
        arrivals(of: bytes).map { HarmonySocketTests.cut($0, by: framing) }.filter { $0 != cut }
    }
}
