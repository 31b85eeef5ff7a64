internal import SocketCore

/// Looks for a pattern in bytes that come in pieces. It remembers how far it has looked, so each byte is looked at when
/// it comes, and again only while a pattern may have begun there: the work grows with the bytes, not with their square.
struct PatternSearch: Sendable {
    /// Not empty.
    let pattern: [UInt8]
    /// No pattern begins before this index.
    private var searched = 0

    init(_ pattern: [UInt8]) { self.pattern = pattern }

    /// Where the pattern first begins, if it lies whole within the first `limit` bytes. When it is found, the next search
    /// begins anew.
    mutating func firstIndex(in bytes: Span<UInt8>, limit: Int) -> Int? {
        let end = min(bytes.count, limit)
        let index = bytes.firstIndex(of: pattern, in: min(searched, end)..<end)
        searched = index == nil ? max(0, end - pattern.count + 1) : 0
        return index
    }
}
