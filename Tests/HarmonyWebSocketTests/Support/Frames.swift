@testable import HarmonyWebSocket

/// Bytes of frames as a peer would send them, right or wrong.
enum Frames {
    /// A frame, masked unless `mask` is nil.
    static func make(
        _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, reserved: UInt8 = 0,
        mask: [UInt8]? = [1, 2, 3, 4]
    ) -> [UInt8] {
        let count = payload.count
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        let bit: UInt8 = mask == nil ? 0 : 0x80
        switch count {
        case ..<126: bytes.append(bit | UInt8(count))
        case ..<65_536: bytes += [bit | 126, UInt8(count >> 8), UInt8(count & 255)]
        default: bytes += [bit | 127] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
        guard let mask else { return bytes + payload }
        // Large payloads take their time in a build for debugging.
        if mask == [0, 0, 0, 0] { return bytes + mask + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    static func text(_ text: String, mask: [UInt8]? = [1, 2, 3, 4]) -> [UInt8] {
        make(1, Array(text.utf8), mask: mask)
    }

    static func close(_ code: Int, _ reason: String = "", mask: [UInt8]? = [1, 2, 3, 4]) -> [UInt8] {
        make(8, [UInt8(code >> 8), UInt8(code & 255)] + reason.utf8, mask: mask)
    }
}

extension MessageReader {
    /// Everything in these bytes, handed over in chunks of `size`; a violation comes last.
    mutating func readAll(
        _ bytes: [UInt8], inChunksOf size: Int = .max
    ) -> (incoming: [Incoming], violation: Violation?) {
        var all: [Incoming] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(size))
            rest = rest.dropFirst(chunk.count)
            var start = 0
            while start < chunk.count {
                do throws(Violation) {
                    let next = try chunk.withUnsafeBytes { bytes in
                        Result { () throws(Violation) in try self.next(in: bytes, from: &start) }
                    }.get()
                    guard let next else { break }
                    all.append(next)
                } catch {
                    return (all, error)
                }
            }
        }
        return (all, nil)
    }
}
