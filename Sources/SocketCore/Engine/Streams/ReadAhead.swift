/// What was read of a stream and nobody has taken yet: the beginning of a message, or what is behind one.
///
/// Only whoever has the turn to read touches it, so it needs no lock. A socket has one only while there are such bytes.
package final class ReadAhead: @unchecked Sendable {
    // Sendable: see above.
    private var bytes: [UInt8] = []
    private var start = 0

    package init() {}

    /// How many bytes there are.
    package var count: Int { bytes.count - start }

    /// Whether there are none.
    package var isEmpty: Bool { start == bytes.count }

    /// Adds what a read brought.
    package func append(_ new: UnsafeRawBufferPointer) {
        if start > 0, bytes.count + new.count > bytes.capacity || start == bytes.count {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: new)
    }

    /// Takes the first byte of several.
    package func takeFirst() -> UInt8 {
        defer { start += 1 }
        return bytes[start]
    }

    /// The answer to a request, in what there is; nil when more must come.
    package func cut(
        _ request: inout ReadRequest, hasEnded: Bool, _ framer: Framer?
    ) throws(Failure) -> ReadRequest.Cut? {
        let bytes = bytes
        return try request.cut(bytes.span.extracting(start..<bytes.count), hasEnded: hasEnded, framer)
    }

    /// Takes an answer out: into `buffer`, if there is one, else as an array.
    package func take(_ cut: ReadRequest.Cut, into buffer: UnsafeMutableRawBufferPointer?) -> [UInt8]? {
        defer { drop(cut.used) }
        guard let buffer else { return copy(cut.bytes) }
        buffer.copyBytes(from: bytes[start + cut.bytes.lowerBound..<start + cut.bytes.upperBound])
        return nil
    }

    /// Some of them.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        Array(bytes[start + range.lowerBound..<start + range.upperBound])
    }

    /// Uses up the first `count` bytes.
    package func drop(_ count: Int) {
        start += count
        guard start == bytes.count else { return }
        bytes.removeAll(keepingCapacity: bytes.capacity <= ReadAhead.keptCapacity)
        start = 0
    }

    /// What it may hold on to while it is empty: a peer that once sent a large message does not keep the memory.
    private static let keptCapacity = 4096
}
