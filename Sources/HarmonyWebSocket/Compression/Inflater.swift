internal import CZlib

/// Decompresses messages (RFC 7692, section 7.2.2), each as its parts arrive, and never beyond a limit.
final class Inflater {
    private let windowBits: Int32
    private let keepsContext: Bool
    // zlib remembers the address, so it may not move.
    private var stream: UnsafeMutablePointer<z_stream>?

    /// `windowBits`: how far back the peer may refer, 8...15. `keepsContext`: also to messages before.
    init(windowBits: Int, keepsContext: Bool) {
        self.windowBits = Int32(windowBits)
        self.keepsContext = keepsContext
    }

    deinit { end() }

    /// Whether it holds memory of zlib's.
    var isActive: Bool { stream != nil }

    /// What a peer leaves out at the end of every message.
    private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

    /// Decompresses the next part of a message and appends the result to `output`, which may then have `limit` bytes.
    /// `input` is writable for zlib's sake, and not changed.
    func append(
        _ input: UnsafeMutableRawBufferPointer, isLast: Bool, to output: inout [UInt8], limit: Int
    ) throws(Violation) {
        let stream = try start()
        try run(stream, input, &output, limit)
        guard isLast else { return }
        var tail = Inflater.tail
        let result = tail.withUnsafeMutableBytes { tail in
            Result { () throws(Violation) in try run(stream, tail, &output, limit) }
        }
        try result.get()
        // zlib says by this bit whether it stands between two blocks; a message that was cut ends within one.
        if stream.pointee.data_type & 128 == 0 { throw .invalidText("the compressed data of a message is cut") }
        if !keepsContext { end() }
    }

    private func start() throws(Violation) -> UnsafeMutablePointer<z_stream> {
        if let stream { return stream }
        let new = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        new.initialize(to: z_stream())
        let status = inflateInit2_(new, -windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            new.deallocate()
            throw Violation(code: .internalServerError, problem: "zlib cannot start: \(status)")
        }
        stream = new
        return new
    }

    private func end() {
        guard let stream = stream.take() else { return }
        inflateEnd(stream)
        stream.deallocate()
    }

    private func run(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeMutableRawBufferPointer, _ output: inout [UInt8],
        _ limit: Int
    ) throws(Violation) {
        stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(input.count)
        let result = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { room in
            Result { () throws(Violation) in
                repeat { try step(stream, room, &output, limit) } while needsMore(stream)
            }
        }
        try result.get()
    }

    /// Whether zlib may have more to give: input is left, or it had no room.
    private func needsMore(_ stream: UnsafeMutablePointer<z_stream>) -> Bool {
        stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0
    }

    private func step(
        _ stream: UnsafeMutablePointer<z_stream>, _ room: UnsafeMutableRawBufferPointer, _ output: inout [UInt8],
        _ limit: Int
    ) throws(Violation) {
        // One byte beyond the limit is enough to know.
        let most = min(room.count, limit - output.count + 1)
        stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(most)
        let status = inflate(stream, Z_NO_FLUSH)
        let count = most - Int(stream.pointee.avail_out)
        if output.count + count > limit { throw .tooBig("a message of more than \(limit) bytes when decompressed") }
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[..<count]))
        switch status {
        case Z_OK, Z_BUF_ERROR: break
        // A last block may stand in the middle (RFC 7692, section 7.2.3.4). What follows may refer to what was before it.
        case Z_STREAM_END: inflateResetKeep(stream)
        default: throw .invalidText("compressed data that makes no sense")
        }
    }
}
