#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A pipe made without our own code.
final class RawPipe: Sendable {
    let reader: Int
    private let input: Int32
    private let isInputOpen = TestLock(true)

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw RawError("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reader = Int(ends[0])
        input = ends[1]
    }

    deinit {
        closeInput()
        _ = close(Int32(reader))
    }

    /// Writes one byte.
    func write() throws { if writeOne(input) != 1 { throw RawError("write") } }

    /// Reads one byte; false at the end.
    func read() throws -> Bool {
        let count = readOne(Int32(reader))
        if count < 0 { throw RawError("read") }
        return count == 1
    }

    func closeInput() {
        isInputOpen.withLock { isOpen in
            if isOpen { _ = close(input) }
            isOpen = false
        }
    }
}

// Inside of `RawPipe` its own methods have these names.
private func writeOne(_ number: Int32) -> Int {
    var byte: UInt8 = 1
    return write(number, &byte, 1)
}
private func readOne(_ number: Int32) -> Int {
    var byte: UInt8 = 0
    return read(number, &byte, 1)
}
