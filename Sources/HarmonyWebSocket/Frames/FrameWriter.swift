/// Makes the bytes of frames.
enum FrameWriter {
    /// A frame, masked if its header says so; the payload's count is the header's length.
    static func frame(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) -> [UInt8] {
        let size = header.size
        return [UInt8](unsafeUninitializedCapacity: size + payload.count) { buffer, count in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            header.write(to: bytes)
            let body = UnsafeMutableRawBufferPointer(rebasing: bytes[size..<size + payload.count])
            if let mask = header.mask {
                Mask.copy(payload, to: body, with: mask)
            } else {
                body.copyMemory(from: payload)
            }
            count = size + payload.count
        }
    }

    /// A frame, masked if its header says so.
    static func frame(_ header: FrameHeader, _ payload: [UInt8]) -> [UInt8] {
        payload.withUnsafeBytes { frame(header, $0) }
    }

    /// The header alone, for a payload that is sent from where it is.
    static func header(_ header: FrameHeader) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: FrameHeader.maxSize) { buffer, count in
            header.write(to: UnsafeMutableRawBufferPointer(buffer))
            count = header.size
        }
    }
}

/// Where a client's masks come from: the system's random numbers, since nobody may foresee a mask (RFC 6455, section 10.3).
struct MaskSource {
    // A call of the generator gives two masks.
    private var spare: UInt32?

    mutating func next() -> UInt32 {
        if let mask = spare.take() { return mask }
        var generator = SystemRandomNumberGenerator()
        let pair = generator.next()
        spare = UInt32(truncatingIfNeeded: pair >> 32)
        return UInt32(truncatingIfNeeded: pair)
    }
}
