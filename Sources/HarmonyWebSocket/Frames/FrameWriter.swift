/// Makes the bytes of frames.
enum FrameWriter {
    /// A frame, masked if its header says so; the payload's count is the header's length.
    static func frame(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: header.size + payload.count) { buffer, count in
            count = write(header, payload, to: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    /// Writes a frame to the beginning of `buffer`, which has room for it. Returns how long it is.
    @inline(__always)
    static func write(
        _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, to buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let size = header.size
        header.write(to: buffer)
        let body = UnsafeMutableRawBufferPointer(rebasing: buffer[size..<size + payload.count])
        if let mask = header.mask { Mask.copy(payload, to: body, with: mask) } else { body.copyMemory(from: payload) }
        return size + payload.count
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
