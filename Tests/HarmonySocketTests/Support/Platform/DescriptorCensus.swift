#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The descriptors of this process. Suites run side by side, so counts mean something only in a serialised suite or a
/// child process; whether one particular socket is still open can be asked at any time.
enum DescriptorCensus {
    /// What names a socket of the kernel for as long as it exists, however its descriptor number is reused.
    struct Identity: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    /// The socket behind a number; nil when the number is not open.
    static func identity(of descriptor: Int) -> Identity? {
        var status = stat()
        guard let number = Int32(exactly: descriptor), fstat(number, &status) == 0 else { return nil }
        return Identity(device: UInt64(truncatingIfNeeded: status.st_dev), inode: UInt64(status.st_ino))
    }

    /// The numbers that are open, with what is behind them.
    static func open() -> [Int: Identity] {
        let limit = max(1024, Int(sysconf(Int32(_SC_OPEN_MAX))))
        var found: [Int: Identity] = [:]
        // The highest number in use is far below the limit, which may be a million: the tests open some thousands.
        for number in 0..<min(limit, 16_384) { if let identity = identity(of: number) { found[number] = identity } }
        return found
    }

    /// The sockets of this process.
    static var sockets: Set<Identity> {
        Set(
            open().filter { number, _ in
                var status = stat()
                return fstat(Int32(number), &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
            }.values)
    }

    /// Those that the kernel tells of interfaces. The C library has one for a moment when it looks a name up.
    static var netlinkSockets: Set<Identity> {
        Set(
            open().filter { number, _ in
                var address = sockaddr_storage()
                var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let status = withUnsafeMutablePointer(to: &address) { address in
                    address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        getsockname(Int32(number), $0, &length)
                    }
                }
                // 16 is AF_NETLINK.
                return status == 0 && address.ss_family == 16
            }.values)
    }

    /// How many descriptors are open.
    static var count: Int { open().count }

    /// Whether a descriptor of this process still leads to that socket.
    static func isOpen(_ identity: Identity) -> Bool { open().values.contains(identity) }
}
