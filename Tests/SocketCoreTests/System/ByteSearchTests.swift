import SocketCore
import Testing

@Suite struct ByteSearchTests {
    @Test(
        arguments: [
            ("", "a", nil), ("a", "a", 0), ("a", "ab", nil), ("ba", "a", 1), ("aab", "ab", 1), ("abac", "ac", 2),
            ("aaab", "aab", 1),
            ("abab", "abb", nil), ("a\0b\0\0", "\0\0", 3), ("ab", "b\0", nil), ("xaxbxabx", "ab", 5),
        ] as [(String, String, Int?)])
    func findsTheFirst(_ text: String, _ pattern: String, _ index: Int?) {
        let (text, pattern) = (Array(text.utf8), Array(pattern.utf8))
        #expect(text.span.firstIndex(of: pattern, in: text.indices) == index)
    }

    @Test func looksWithinTheRangeOnly() {
        let (text, pattern) = (Array("abcabc".utf8), Array("bc".utf8))
        for lower in 0...6 {
            for upper in lower...6 {
                let expected = [1, 4].first { $0 >= lower && $0 + 2 <= upper }
                #expect(text.span.firstIndex(of: pattern, in: lower..<upper) == expected)
            }
        }
    }
}
