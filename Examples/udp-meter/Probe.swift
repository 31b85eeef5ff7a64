/// The head of each datagram of a measurement: which stream, which datagram of it, and when it was sent.
struct Probe {
    /// Bytes of the head; the rest of a datagram is there to make it as large as wanted.
    static let size = 24
    private static let mark: UInt32 = 0x7564_706d // "udpm"

    var stream: UInt32
    var number: UInt64
    /// Nanoseconds on the sender's clock.
    var sent: UInt64
    /// The stream is over: `number` is how many datagrams there were.
    var isLast: Bool { stream & 1 == 1 }

    init(stream: UInt32, number: UInt64, sent: UInt64, isLast: Bool = false) {
        self.stream = stream & ~1 | (isLast ? 1 : 0)
        self.number = number
        self.sent = sent
    }

    /// Nil for a datagram of something else.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Probe.size else { return nil }
        let (mark, stream, number, sent) = bytes.withUnsafeBytes { bytes in
            (
                bytes.loadUnaligned(as: UInt32.self).bigEndian,
                bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self).bigEndian,
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian,
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self).bigEndian
            )
        }
        guard mark == Probe.mark else { return nil }
        self.stream = stream
        self.number = number
        self.sent = sent
    }

    /// A datagram of `count` bytes, at least `size`.
    func datagram(of count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: Probe.mark.bigEndian, as: UInt32.self)
            bytes.storeBytes(of: stream.bigEndian, toByteOffset: 4, as: UInt32.self)
            bytes.storeBytes(of: number.bigEndian, toByteOffset: 8, as: UInt64.self)
            bytes.storeBytes(of: sent.bigEndian, toByteOffset: 16, as: UInt64.self)
        }
        return bytes
    }
}
