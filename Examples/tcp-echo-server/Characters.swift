/// What the character generator sends (RFC 864).
enum Characters {
    /// 95 lines of 72 printing characters, each line one character further than the one before. After the last the
    /// first fits, so that sending them again and again makes the endless pattern.
    static let lines: [UInt8] = (0..<95).flatMap { line in
        (0..<72).map { column in UInt8(32 + (line + column) % 95) } + [13, 10]
    }
}
