// The bytes of each encoding. Swift's text is UTF-8 inside, so that is what these functions read and write.

extension SocketEncoding {
    // MARK: One byte a scalar

    /// Looks at every byte instead of stopping at the first high one: the compiler then does many at once.
    static func isASCII(_ bytes: [UInt8]) -> Bool { bytes.reduce(0, |) < 0x80 }

    static func encodeASCII(_ text: String) -> [UInt8]? {
        let bytes = Array(text.utf8)
        return isASCII(bytes) ? bytes : nil
    }

    static func encodeLatin1(_ text: String) -> [UInt8]? {
        let utf8 = Array(text.utf8)
        if isASCII(utf8) { return utf8 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    static func decodeLatin1(_ bytes: [UInt8]) -> String {
        if isASCII(bytes) { return String(decoding: bytes, as: UTF8.self) }
        return String(unsafeUninitializedCapacity: 2 * bytes.count) { utf8 in
            var count = 0
            for byte in bytes { count = writeUTF8(UInt32(byte), to: utf8, at: count) }
            return count
        }
    }

    // MARK: UTF-16

    /// The scalar that announces the byte order when it is the first (RFC 2781 section 3.2).
    private static let byteOrderMark: UInt16 = 0xfeff

    static func encodeUTF16(_ text: String, isBigEndian: Bool, hasMark: Bool = false) -> [UInt8] {
        let capacity = 2 * (text.utf16.count + (hasMark ? 1 : 0))
        // With no room the count would be written to the standard library's one empty array, by several threads at once.
        if capacity == 0 { return [] }
        return [UInt8](unsafeUninitializedCapacity: capacity) { bytes, count in
            func write(_ unit: UInt16) {
                let (high, low) = (UInt8(unit >> 8), UInt8(truncatingIfNeeded: unit))
                bytes[count] = isBigEndian ? high : low
                bytes[count + 1] = isBigEndian ? low : high
                count += 2
            }
            if hasMark { write(byteOrderMark) }
            for scalar in text.unicodeScalars {
                if let unit = UInt16(exactly: scalar.value) {
                    write(unit)
                } else {
                    let offset = scalar.value - 0x10000
                    write(0xd800 | UInt16(offset >> 10))
                    write(0xdc00 | UInt16(offset & 0x3ff))
                }
            }
        }
    }

    static func decodeMarkedUTF16(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0xfe, 0xff]) { return decodeUTF16(bytes, from: 2, isBigEndian: true) }
        if bytes.starts(with: [0xff, 0xfe]) { return decodeUTF16(bytes, from: 2, isBigEndian: false) }
        return decodeUTF16(bytes, isBigEndian: true)
    }

    /// Goes over the bytes twice: to check and to measure, then to write. The library's own `String(validating:as:)`
    /// goes over them once and takes five to eight times as long.
    static func decodeUTF16(_ bytes: [UInt8], from start: Int = 0, isBigEndian: Bool) -> String? {
        guard bytes.count.isMultiple(of: 2) else { return nil }
        var length = 0
        let isValid = forEachScalar(of: bytes, from: start, isBigEndian) { scalar in
            length += scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4
        }
        guard isValid else { return nil }
        return String(unsafeUninitializedCapacity: length) { utf8 in
            var count = 0
            _ = forEachScalar(of: bytes, from: start, isBigEndian) { count = writeUTF8($0, to: utf8, at: count) }
            return count
        }
    }

    /// Calls `body` with each scalar; returns false at a surrogate that lacks its partner.
    @inline(__always)
    private static func forEachScalar(
        of bytes: [UInt8], from start: Int, _ isBigEndian: Bool, _ body: (UInt32) -> Void
    ) -> Bool {
        let high = isBigEndian ? 0 : 1
        func unit(at index: Int) -> UInt32 { UInt32(bytes[index + high]) << 8 | UInt32(bytes[index + 1 - high]) }

        var index = start
        while index < bytes.count {
            let first = unit(at: index)
            index += 2
            if first & 0xf800 != 0xd800 {
                body(first)
                continue
            }
            guard first < 0xdc00, index < bytes.count else { return false }
            let second = unit(at: index)
            index += 2
            guard second & 0xfc00 == 0xdc00 else { return false }
            body(0x10000 + ((first & 0x3ff) << 10 | second & 0x3ff))
        }
        return true
    }

    /// Writes a scalar as UTF-8 (RFC 3629 section 3) and returns the index behind it.
    @inline(__always)
    private static func writeUTF8(_ scalar: UInt32, to utf8: UnsafeMutableBufferPointer<UInt8>, at index: Int) -> Int {
        /// Six of the scalar's bits, as a byte that continues.
        func continuation(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(scalar >> shift & 0x3f) }

        if scalar < 0x80 {
            utf8[index] = UInt8(scalar)
            return index + 1
        }
        if scalar < 0x800 {
            utf8[index] = 0xc0 | UInt8(scalar >> 6)
            utf8[index + 1] = continuation(0)
            return index + 2
        }
        if scalar < 0x10000 {
            utf8[index] = 0xe0 | UInt8(scalar >> 12)
            utf8[index + 1] = continuation(6)
            utf8[index + 2] = continuation(0)
            return index + 3
        }
        utf8[index] = 0xf0 | UInt8(scalar >> 18)
        utf8[index + 1] = continuation(12)
        utf8[index + 2] = continuation(6)
        utf8[index + 3] = continuation(0)
        return index + 4
    }
}
