/// A message on its way out, perhaps to many.
struct OutgoingMessage: Sendable {
    let data: WebSocketData
    /// The frame of a server, when it was made beforehand.
    private(set) var plain: [UInt8]?
    /// The same, compressed, for peers with a window of so many bits.
    private var compressed: [Int: [UInt8]] = [:]

    /// A message for one peer.
    init(_ data: WebSocketData) { self.data = data }

    /// A message for many peers of a server, some of which have agreed on windows of so many bits: encoded once, and
    /// compressed once for each size of window.
    ///
    /// What is compressed refers to nothing before it, so that every peer can read it.
    init(_ data: WebSocketData, windows: Set<Int>, _ compression: WebSocketCompression?) {
        self.data = data
        plain = FrameWriter.frame(FrameHeader(opcode: Opcode(data.kind), length: data.bytes.count), data.bytes)
        guard let compression, !data.bytes.isEmpty, data.bytes.count >= compression.threshold else { return }
        for bits in windows {
            let deflater = Deflater(
                windowBits: bits, keepsContext: false, level: compression.level, memoryLevel: compression.memoryLevel)
            guard let payload = data.bytes.withUnsafeBytes({ deflater.compress($0, isLast: true) }) else { continue }
            compressed[bits] = FrameWriter.frame(
                FrameHeader(opcode: Opcode(data.kind), isCompressed: true, length: payload.count), payload)
        }
    }

    /// The frame that was made for all peers of this kind; nil when each gets its own.
    func compressed(for link: Link) -> [UInt8]? {
        guard link.isServer, let agreement = link.agreement else { return nil }
        return compressed[agreement.serverMaxWindowBits]
    }
}
