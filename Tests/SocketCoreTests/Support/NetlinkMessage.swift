/// Messages as the kernel writes them, for the parser.
enum NetlinkMessage {
    static func make(_ type: UInt16, flags: UInt16 = 0, length: Int? = nil, _ body: [UInt8]) -> [UInt8] {
        let count = length ?? 16 + body.count
        return padded(bytes(UInt32(count)) + bytes(type) + bytes(flags) + bytes(UInt32(1)) + bytes(UInt32(0)) + body)
    }

    static func link(
        _ type: UInt16 = 16, family: UInt8 = 0, index: UInt32, flags: UInt32 = 0, attributes: [UInt8] = []
    ) -> [UInt8] {
        make(type, [family, 0] + bytes(UInt16(1)) + bytes(index) + bytes(flags) + bytes(UInt32.max) + attributes)
    }

    static func address(
        _ type: UInt16 = 20, family: UInt8, prefix: UInt8, index: UInt32, attributes: [UInt8] = []
    ) -> [UInt8] {
        make(type, [family, prefix, 0, 0] + bytes(index) + attributes)
    }

    static func attribute(_ type: UInt16, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
        padded(bytes(UInt16(length ?? 4 + value.count)) + bytes(type) + value)
    }

    static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number) { [UInt8]($0) }
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }
}
