internal import CSocketShims

extension Span where Element == UInt8 {
    /// Where `pattern`, which is not empty, first begins within `range`; nil when it does not lie there as a whole.
    package func firstIndex(of pattern: [UInt8], in range: Range<Int>) -> Int? {
        let index = extracting(range).withUnsafeBytes { bytes in
            pattern.withUnsafeBytes { csocket_find(bytes.baseAddress, bytes.count, $0.baseAddress, $0.count) }
        }
        return index < 0 ? nil : range.lowerBound + index
    }
}
