/// CRC-32, as gzip, zip and PNG have it (ISO 3309): tells by chance and no attacker which bytes differ.
public struct Checksum: CustomStringConvertible {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xedb8_8320 }
    }

    private var value: UInt32 = 0xffff_ffff

    /// Of nothing yet.
    public init() {}

    /// Takes more bytes in.
    public mutating func add(_ bytes: some Sequence<UInt8>) {
        Checksum.table.withUnsafeBufferPointer { table in
            for byte in bytes { value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] }
        }
    }

    /// Eight hexadecimal digits.
    public var description: String {
        let digits = String(~value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
