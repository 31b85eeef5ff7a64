/// What the character generator sends (RFC 864).
enum Characters {
    /// 95 lines of 72 printing characters, each line one character further than the one before. After the last the
    /// first fits, so that sending them again and again makes the endless pattern.
    private static let pattern: [UInt8] = (0..<95).flatMap { line in
        (0..<72).map { column in UInt8(32 + (line + column) % 95) } + [13, 10]
    }

    /// As much of it as is worth a call: 62 KiB.
    static let lines = Array(repeatElement(pattern, count: 9).joined())
}
