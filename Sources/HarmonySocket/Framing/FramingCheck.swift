internal import SocketCore

/// Checks of what framings are made with.
enum FramingCheck {
    /// The longest message there may be, 1 GiB: no sum of lengths overflows, not even where Int has 32 bits.
    static let longestMessage = 1 << 30
    /// The longest header or delimiter.
    static let longestHeader = 65_535

    /// Refuses a number of bytes that is out of range, before the framing exists.
    static func bytes(
        _ value: Int, in range: ClosedRange<Int> = 1...longestMessage, _ field: String
    ) throws(SocketError) {
        if range.contains(value) { return }
        let problem = "\(value) is not between \(range.lowerBound) and \(range.upperBound) bytes"
        throw SocketError(.invalidArgument(.init(field, problem)), .setFraming)
    }
}
