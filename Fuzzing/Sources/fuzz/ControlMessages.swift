@testable import SocketCore

extension Target {
    /// What comes beside the bytes of a message: the kernel makes it, of what a local peer sends.
    static let controlMessages = Target(name: "control-messages") { input in
        let bytes = input.bytes
        // With room for all, so that none is closed: here they are anybody's.
        let capacity = bytes.count / MemoryLayout<Int32>.size
        let numbers = bytes.withPiece(bytes.indices) { piece in
            var isLost = false
            let numbers = LocalCalls.descriptors(in: UnsafeRawBufferPointer(piece), capacity: capacity, isLost: &isLost)
            require(!isLost, "where there is room, nothing is lost")
            return numbers
        }
        for number in numbers {
            let isThere = withUnsafeBytes(of: number) { number in
                stride(from: 0, to: bytes.count - 3, by: 4).contains { bytes[$0..<$0 + 4].elementsEqual(number) }
            }
            require(isThere, "a descriptor is one of those that came: \(number)")
        }
    } seeds: {
        func message(_ level: Int32, _ kind: Int32, _ numbers: [Int32]) -> [UInt8] {
            let length = 16 + 4 * numbers.count
            var bytes = withUnsafeBytes(of: length) { Array($0) }
            for number in [level, kind] + numbers { withUnsafeBytes(of: number) { bytes += $0 } }
            return bytes + [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        }
        // SOL_SOCKET and SCM_RIGHTS, as Linux has them; and something else between.
        let some = message(1, 1, [3, 4, 5])
        return [some, some + message(41, 50, [7]) + message(1, 1, [6]), message(1, 1, []), Array(some.dropLast(3))]
    }
}
