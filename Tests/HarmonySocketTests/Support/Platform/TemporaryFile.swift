#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file of a test's own, which is gone with this object.
final class TemporaryFile: Sendable {
    let path: String

    init(_ bytes: [UInt8] = []) throws {
        var template = Array("/tmp/harmony-XXXXXX".utf8CString)
        let number = mkstemp(&template)
        guard number >= 0 else { throw RawError("mkstemp") }
        path = template.withUnsafeBufferPointer { String(decoding: $0.dropLast().map(UInt8.init), as: UTF8.self) }
        defer { _ = closeFunction(number) }
        guard write(number, bytes, bytes.count) == bytes.count else { throw RawError("write") }
    }

    deinit { _ = unlink(path) }

    /// Puts something else in the place of what is in it.
    func replace(_ bytes: [UInt8]) throws {
        try setSize(0)
        let number = openFunction(path, O_WRONLY)
        guard number >= 0 else { throw RawError("open") }
        defer { _ = closeFunction(number) }
        guard write(number, bytes, bytes.count) == bytes.count else { throw RawError("write") }
    }

    /// Cuts it, or adds zeros that take no room on the disk.
    func setSize(_ size: Int) throws {
        guard truncate(path, off_t(size)) == 0 else { throw RawError("truncate") }
    }

    /// Opens it; whoever does closes the number.
    func open() throws -> Int {
        let number = openFunction(path)
        guard number >= 0 else { throw RawError("open") }
        return Int(number)
    }

    static func close(_ number: Int) { _ = closeFunction(Int32(number)) }
}

private func openFunction(_ path: String, _ flags: Int32 = O_RDONLY) -> Int32 { open(path, flags | O_CLOEXEC) }
private func closeFunction(_ number: Int32) -> Int32 { close(number) }
