internal import CZlib

/// Compresses messages (RFC 7692, section 7.2.1), whole or part by part.
final class Deflater {
    private let windowBits: Int32
    private let keepsContext: Bool
    private let level: Int32
    private let memoryLevel: Int32
    // zlib remembers the address, so it may not move.
    private var stream: UnsafeMutablePointer<z_stream>?

    /// `windowBits`: how far back it may refer, 9...15. `keepsContext`: also to messages before.
    init(windowBits: Int, keepsContext: Bool, level: Int, memoryLevel: Int) {
        self.windowBits = Int32(windowBits)
        self.keepsContext = keepsContext
        self.level = Int32(level)
        self.memoryLevel = Int32(memoryLevel)
    }

    deinit { end() }

    /// Whether it holds memory of zlib's.
    var isActive: Bool { stream != nil }

    /// The next part of a message, compressed; nil when zlib has no memory, and then nothing has changed.
    ///
    /// What zlib writes at the end of each part, an empty block, is left out behind the last.
    func compress(_ input: UnsafeRawBufferPointer, isLast: Bool) -> [UInt8]? {
        guard let stream = start() else { return nil }
        var output: [UInt8] = []
        if !input.isEmpty { run(stream, input, &output) }
        if isLast {
            // An empty block, which ends with the four bytes that are left out; zlib does not write a second one in a row.
            if output.isEmpty { output = [0x00] } else { output.removeLast(min(4, output.count)) }
            if !keepsContext { end() }
        }
        return output
    }

    /// From here on nothing refers to messages before.
    func forget() {
        if let stream { deflateReset(stream) }
    }

    private func start() -> UnsafeMutablePointer<z_stream>? {
        if let stream { return stream }
        let new = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        new.initialize(to: z_stream())
        let status = deflateInit2_(
            new, level, Z_DEFLATED, -windowBits, memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            new.deallocate()
            return nil
        }
        stream = new
        return new
    }

    private func end() {
        guard let stream = stream.take() else { return }
        deflateEnd(stream)
        stream.deallocate()
    }

    private func run(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer, _ output: inout [UInt8]
    ) {
        // zlib does not write to it, though it takes it as if it did.
        var rest = UnsafeMutableRawBufferPointer(mutating: input)
        withUnsafeTemporaryAllocation(byteCount: min(16_384, input.count / 2 + 64), alignment: 16) { room in
            while true {
                if stream.pointee.avail_in == 0, !rest.isEmpty {
                    let piece = min(rest.count, Int(UInt32.max))
                    stream.pointee.next_in = rest.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.pointee.avail_in = UInt32(piece)
                    rest = UnsafeMutableRawBufferPointer(rebasing: rest[piece...])
                }
                stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(room.count)
                deflate(stream, rest.isEmpty ? Z_SYNC_FLUSH : Z_NO_FLUSH)
                output.append(contentsOf: room[..<(room.count - Int(stream.pointee.avail_out))])
                if stream.pointee.avail_out > 0, stream.pointee.avail_in == 0, rest.isEmpty { return }
            }
        }
    }
}
