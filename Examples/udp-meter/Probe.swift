/// The head of each datagram of a measurement: which stream, which datagram of it, and when it was sent.
struct Probe {
    /// Bytes of the head; the rest of a datagram is there to make it as large as wanted.
    static let size = 24
    private static let mark: UInt32 = 0x7564_706d // "udpm"
    /// In `sent`, which takes 292 years to come that far.
    private static let lastBit: UInt64 = 1 << 63

    /// Chosen by the sender, at random.
    var stream: UInt32
    var number: UInt64
    /// Nanoseconds on the sender's clock.
    var sent: UInt64
    /// The stream is over: `number` is how many datagrams there were.
    var isLast = false

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
        self.init(stream: stream, number: number, sent: sent & ~Probe.lastBit, isLast: sent & Probe.lastBit != 0)
    }

    private init(stream: UInt32, number: UInt64, sent: UInt64, isLast: Bool) {
        self.stream = stream
        self.number = number
        self.sent = sent
        self.isLast = isLast
    }

    init(stream: UInt32, number: UInt64, sent: UInt64) {
        self.init(stream: stream, number: number, sent: sent, isLast: false)
    }

    /// The one that asks for the report.
    static func last(of stream: UInt32, count: UInt64) -> Probe {
        Probe(stream: stream, number: count, sent: 0, isLast: true)
    }

    /// A datagram of `count` bytes, at least `size`.
    func datagram(of count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: Probe.mark.bigEndian, as: UInt32.self)
            bytes.storeBytes(of: stream.bigEndian, toByteOffset: 4, as: UInt32.self)
            bytes.storeBytes(of: number.bigEndian, toByteOffset: 8, as: UInt64.self)
            bytes.storeBytes(of: (isLast ? sent | Probe.lastBit : sent).bigEndian, toByteOffset: 16, as: UInt64.self)
        }
        return bytes
    }
}
