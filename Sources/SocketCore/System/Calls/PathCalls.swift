internal import CSocketShims

/// Local sockets in the file system.
package enum PathCalls {
    /// What is at a path.
    package struct File: Sendable, Hashable {
        package let device: UInt64
        package let inode: UInt64
        package let mode: UInt32
        package let isSocket: Bool
    }

    /// lstat(2).
    package static func find(_ path: [UInt8]) -> SystemResult<File> {
        var file = csocket_file()
        return call(path) { csocket_find_file($0, &file) }.map { _ in
            File(device: file.device, inode: file.inode, mode: file.mode, isSocket: file.is_socket != 0)
        }
    }

    /// unlink(2).
    package static func remove(_ path: [UInt8]) -> SystemResult<Void> {
        call(path) { csocket_remove_file($0) }.map { _ in }
    }

    /// fchmod(2), of a socket that has no path yet: what bind(2) makes is never more open than that. Not everywhere.
    package static func setMode(_ mode: UInt32, ofUnbound descriptor: Int32) {
        _ = csocket_set_socket_mode(descriptor, mode)
    }

    /// fchmodat(2), which follows no link.
    package static func setMode(_ mode: UInt32, of path: [UInt8]) -> SystemResult<Void> {
        call(path) { csocket_set_file_mode($0, mode) }.map { _ in }
    }

    private static func call(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> SystemResult<Int> {
        (path + [0]).withUnsafeBytes { bytes in
            guard let base = bytes.assumingMemoryBound(to: CChar.self).baseAddress else {
                return .failure(.invalidArgument)
            }
            return outcome(body(base))
        }
    }
}
