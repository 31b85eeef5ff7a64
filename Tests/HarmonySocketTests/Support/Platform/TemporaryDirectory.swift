import HarmonySocket

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A directory of a test's own, with a path short enough for sockets; gone, with its files, with this object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/harmony-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw RawError("mkdtemp") }
        path = template.withUnsafeBufferPointer { String(decoding: $0.dropLast().map(UInt8.init), as: UTF8.self) }
    }

    deinit { TemporaryDirectory.remove(path) }

    /// Removes a file, or a directory with all that is in it.
    private static func remove(_ path: String) {
        guard unlink(path) != 0, let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { remove("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }

    /// The path of an entry.
    func entry(_ name: String) -> String { "\(path)/\(name)" }

    /// A local address in it.
    func address(_ name: String = "socket") -> LocalAddress { LocalAddress(entry(name)) }

    /// Makes a regular file.
    func makeFile(_ name: String) throws {
        let number = open(entry(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw RawError("open") }
        close(number)
    }

    /// Makes a directory.
    func makeDirectory(_ name: String) throws {
        guard mkdir(entry(name), 0o700) == 0 else { throw RawError("mkdir") }
    }

    /// Makes a socket file on which nobody listens, as a server leaves that was killed.
    func makeStaleSocket(_ name: String = "socket") throws {
        let number = RawLocal.bound(entry(name))
        guard number >= 0 else { throw RawError("bind") }
        close(number)
    }

    /// What is there: "socket 600", "file 644", "directory 700"; nil for nothing.
    func look(_ name: String = "socket") -> String? {
        var status = stat()
        guard lstat(entry(name), &status) == 0 else { return nil }
        let kind =
            switch status.st_mode & S_IFMT {
            case S_IFSOCK: "socket"
            case S_IFDIR: "directory"
            case S_IFREG: "file"
            default: "other"
            }
        return kind + " " + String(status.st_mode & 0o777, radix: 8)
    }

    /// Takes a file away, as somebody else might.
    func remove(_ name: String = "socket") { unlink(entry(name)) }
}

/// Calls of the C library with local sockets.
enum RawLocal {
    /// A stream socket that is bound to a path; negative when that fails.
    static func bound(_ path: String) -> Int32 {
        let number = socket(AF_UNIX, rawStream, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if status == 0 { return number }
        close(number)
        return -1
    }

    /// sendmsg(2) of bytes, none included, with descriptors. Returns what it does.
    @discardableResult
    static func send(_ bytes: [UInt8], with descriptors: [Int32], to number: Int) -> Int {
        let header = (MemoryLayout<cmsghdr>.size + 7) & ~7
        let length = (isLinux ? header : MemoryLayout<cmsghdr>.size) + descriptors.count * 4
        var control = [UInt64](repeating: 0, count: (length + 7) / 8)
        return control.withUnsafeMutableBytes { control in
            var first = cmsghdr()
            first.cmsg_len = numericCast(length)
            first.cmsg_level = SOL_SOCKET
            first.cmsg_type = rawRights
            withUnsafeBytes(of: &first) { control.copyBytes(from: $0) }
            control[(length - descriptors.count * 4)...].copyBytes(from: descriptors.withUnsafeBytes(Array.init))
            var content = bytes
            return content.withUnsafeMutableBytes { content in
                var vector = iovec(iov_base: content.baseAddress, iov_len: content.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = numericCast(control.count)
                    return sendmsg(Int32(number), &message, rawSendFlags)
                }
            }
        }
    }

    /// send(2) of bytes, none included.
    @discardableResult
    static func send(_ bytes: [UInt8], to number: Int) -> Int {
        #if canImport(Glibc)
        Glibc.send(Int32(number), bytes, bytes.count, rawSendFlags)
        #elseif canImport(Musl)
        Musl.send(Int32(number), bytes, bytes.count, rawSendFlags)
        #else
        Darwin.send(Int32(number), bytes, bytes.count, rawSendFlags)
        #endif
    }

    /// A pipe: what is written to the second can be read from the first.
    static func pipe() throws -> (reader: Int, writer: Int) {
        var ends: [Int32] = [-1, -1]
        #if canImport(Glibc)
        let status = Glibc.pipe(&ends)
        #elseif canImport(Musl)
        let status = Musl.pipe(&ends)
        #else
        let status = Darwin.pipe(&ends)
        #endif
        guard status == 0 else { throw RawError("pipe") }
        return (Int(ends[0]), Int(ends[1]))
    }

    /// read(2) and write(2).
    static func read(_ count: Int, from number: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        #if canImport(Glibc)
        let got = Glibc.read(Int32(number), &bytes, count)
        #elseif canImport(Musl)
        let got = Musl.read(Int32(number), &bytes, count)
        #else
        let got = Darwin.read(Int32(number), &bytes, count)
        #endif
        return Array(bytes.prefix(max(0, got)))
    }

    static func write(_ bytes: [UInt8], to number: Int) {
        #if canImport(Glibc)
        _ = Glibc.write(Int32(number), bytes, bytes.count)
        #elseif canImport(Musl)
        _ = Musl.write(Int32(number), bytes, bytes.count)
        #else
        _ = Darwin.write(Int32(number), bytes, bytes.count)
        #endif
    }

    /// Whether nobody can write to a pipe any more. A program that another test starts at this moment can, until it has begun:
    /// so look again.
    static func isAbandoned(_ reader: Int) -> Bool {
        var watched = pollfd(fd: Int32(reader), events: 0, revents: 0)
        return poll(&watched, 1, 0) > 0 && watched.revents & Int16(POLLHUP) != 0
    }

    /// Whose process this is.
    static var identity: (user: Int, group: Int, process: Int) {
        (Int(geteuid()), Int(getegid()), Int(getpid()))
    }
}
