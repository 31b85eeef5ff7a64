import Synchronization

/// Makes lines of what arrives: a stream keeps no bounds, so a chunk may hold half a line or many.
final class LineReader: Sendable {
    private static let limit = 1000
    private let pending = Mutex<[UInt8]>([])

    /// Adds bytes and calls `body` for each line that is complete, without its end and without control characters.
    /// False when a line is too long: a client must not make us keep whatever it sends.
    func read(_ bytes: [UInt8], _ body: (String) -> Void) -> Bool {
        let (lines, isTooLong) = pending.withLock { pending in
            pending += bytes
            var lines = pending.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let rest = lines.popLast() ?? []
            let isTooLong = rest.count > LineReader.limit || lines.contains { $0.count > LineReader.limit }
            pending = Array(rest)
            return (lines, isTooLong)
        }
        if isTooLong { return false }
        for line in lines {
            // What one client sends is shown on the terminals of the others.
            body(String(String.UnicodeScalarView(String(decoding: line, as: UTF8.self).unicodeScalars.filter(isPlain))))
        }
        return true
    }

    private func isPlain(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory != .control }
}
