/// What somebody who reads wants to have of what arrives.
package struct ReadRequest: Sendable {
    package enum Kind: Sendable {
        /// At least one byte, at most so many.
        case some(upTo: Int)
        /// The same, but they stay for the next reader.
        case peek(upTo: Int)
        /// So many bytes.
        case exactly(Int)
        /// Everything up to this pattern and with it, of at most so many bytes.
        case until([UInt8], limit: Int)
        /// One message of the framing; without one whatever has arrived.
        case message
    }

    /// The part of what has arrived that is the answer.
    package struct Cut: Sendable, Hashable {
        package let bytes: Range<Int>
        /// How many bytes it uses up.
        package let used: Int

        package init(_ bytes: Range<Int>, used: Int) {
            self.bytes = bytes
            self.used = used
        }
    }

    package let kind: Kind
    /// No pattern begins before this index.
    private var searched = 0

    package init(_ kind: Kind) { self.kind = kind }

    /// A request that any bytes satisfy.
    package static let chunk = ReadRequest(.message)

    /// Whether any bytes satisfy it, when there is no framing.
    var takesWhatComes: Bool {
        switch kind {
        case .some, .message: true
        case .peek, .exactly, .until: false
        }
    }

    /// How many bytes the kernel may be asked for when `count` have arrived: no more than belong to the answer, where
    /// that is known, so that nothing is read ahead for nothing.
    package func most(beyond count: Int) -> Int {
        switch kind {
        case .some(let most), .peek(let most), .exactly(let most): max(1, min(most - count, Scratch.size))
        case .until, .message: Scratch.size
        }
    }

    /// The answer, in what has arrived; nil when more must come. At the end an empty answer is nil too.
    package mutating func cut(
        _ bytes: Span<UInt8>, hasEnded: Bool, _ framer: Framer?
    ) throws(Failure) -> Cut? {
        let count = bytes.count
        if count == 0 { return nil }
        switch kind {
        case .some(let most): return Cut(0..<min(most, count), used: min(most, count))
        case .peek(let most): return Cut(0..<min(most, count), used: 0)
        case .exactly(let wanted):
            if count >= wanted { return Cut(0..<wanted, used: wanted) }
        case .until(let pattern, let limit):
            let end = min(count, limit)
            if let index = bytes.firstIndex(of: pattern, in: min(searched, end)..<end) {
                return Cut(0..<index + pattern.count, used: index + pattern.count)
            }
            searched = max(0, end - pattern.count + 1)
            if count >= limit { throw .tooLong(limit: limit) }
        case .message:
            guard let framer else { return Cut(0..<count, used: count) }
            return try framer.cut(bytes, hasEnded: hasEnded)
        }
        if hasEnded { throw .incomplete(count: count) }
        return nil
    }
}
