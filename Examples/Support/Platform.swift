// What the examples need of the system, and the only place that asks which system it is.

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Android)
import Android
#endif

/// In the background, reading a terminal would stop the whole program; now it only fails.
func ignoreTerminalStops() { _ = signal(SIGTTIN, SIG_IGN) }

/// The signals that ask a program to stop: Ctrl-C, and the polite form of kill(1).
private let stopSignals: [Int32] = [SIGINT, SIGTERM]

/// Where the handler of the stop signals writes to: a pipe, since a handler may do little else.
nonisolated(unsafe) private var stopPipe: Int32 = -1

/// Catches the stop signals: from then on each of them makes the descriptor that is returned readable. Once in a program.
func catchStopSignals() -> Int {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { fail("no pipe to be had") }
    stopPipe = ends[1]
    for number in stopSignals {
        _ = signal(number) { _ in
            let before = errno
            _ = write(stopPipe, "!", 1)
            errno = before
        }
    }
    return Int(ends[0])
}

/// Lets the calling thread take the stop signals. Loops block all signals, and who started the program may have too.
func unblockStopSignals() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in stopSignals { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
}

/// One read from standard input: empty at its end, nil when it cannot be read.
func readStandardInput(upTo count: Int) -> [UInt8]? {
    var result = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        repeat { result = read(STDIN_FILENO, buffer.baseAddress, count) } while result < 0 && errno == EINTR
        filled = max(0, result)
    }
    return result < 0 ? nil : bytes
}

/// Writes everything; false when that is not possible.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
        var rest = UnsafeRawBufferPointer(buffer)
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = write(descriptor, start, rest.count)
            if count < 0 && errno != EINTR { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(0, count)))
        }
        return true
    }
}

/// Writes to standard error.
func writeError(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }

/// Whether standard error is seen by somebody at once.
let errorsGoToTerminal = isatty(STDERR_FILENO) == 1

/// A file on the disk, read or written from front to back. Its calls block; a disk is no peer.
public final class DiskFile: Sendable {
    private let number: Int32
    /// Its path, for the descriptor of somebody else a text about it.
    public let path: String

    private init(_ path: String, _ flags: Int32, mode: mode_t = 0o666) throws(FileProblem) {
        self.path = path
        number = open(path, flags | O_CLOEXEC, mode)
        if number < 0 { throw FileProblem(path) }
    }

    private init(temporary template: String) throws(FileProblem) {
        var bytes = Array(template.utf8CString)
        number = mkstemp(&bytes)
        path = bytes.withUnsafeBufferPointer { String(decoding: $0.dropLast().map(UInt8.init), as: UTF8.self) }
        if number < 0 { throw FileProblem(path) }
    }

    /// A file that somebody else has opened; it is closed with this object.
    public init(adopting descriptor: Int) {
        number = Int32(descriptor)
        path = "descriptor \(descriptor)"
    }

    /// The number of the open file, which stays this object's.
    public var descriptor: Int { Int(number) }

    /// Opens a file for reading.
    public static func reading(_ path: String) throws(FileProblem) -> DiskFile { try DiskFile(path, O_RDONLY) }

    /// Makes a file, or empties the one that there is.
    public static func writing(_ path: String) throws(FileProblem) -> DiskFile {
        try DiskFile(path, O_WRONLY | O_CREAT | O_TRUNC)
    }

    /// Makes a file that nobody else may read, or empties the one that there is.
    public static func writingSecrets(_ path: String) throws(FileProblem) -> DiskFile {
        try DiskFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    }

    /// Opens a file to add to it; makes one that nobody else may read when there is none.
    public static func appendingSecrets(_ path: String) throws(FileProblem) -> DiskFile {
        try DiskFile(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    }

    /// Makes a file with a name of its own where temporary files are. It stays there.
    public static func temporary(_ prefix: String) throws(FileProblem) -> DiskFile {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        return try DiskFile(temporary: "\(folder)/\(prefix)-XXXXXX")
    }

    deinit { close(number) }

    /// How long it is.
    public func size() throws(FileProblem) -> Int {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw FileProblem(path) }
        return Int(status.st_size)
    }

    /// The next bytes; empty at its end.
    public func read(upTo count: Int) throws(FileProblem) -> [UInt8] {
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            repeat { result = readBytes(number, buffer.baseAddress, count) } while result < 0 && errno == EINTR
            filled = max(0, result)
        }
        if result < 0 { throw FileProblem(path) }
        return bytes
    }

    /// Adds bytes at its end.
    public func write(_ bytes: [UInt8]) throws(FileProblem) {
        if !writeAll(bytes, to: number) { throw FileProblem(path) }
    }

    /// Gives it another name, in place of a file that may have it.
    public func rename(to other: String) throws(FileProblem) {
        if renameFile(path, other) != 0 { throw FileProblem(other) }
    }

    /// Removes it.
    public func remove() { unlink(path) }
}

// Inside of `DiskFile` its own methods have these names.
private func readBytes(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}
private func renameFile(_ path: String, _ other: String) -> Int32 { rename(path, other) }

/// Why something could not be done with a file.
public struct FileProblem: Error, CustomStringConvertible {
    /// The path, and the system's words.
    public let description: String

    init(_ path: String) { description = "\(path): \(String(cString: strerror(errno)))" }
}

/// Whether somebody types what standard input brings.
public var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

/// Whether the end of standard input means something: it is a terminal, a pipe or a socket, not a file or /dev/null.
var inputIsInteractive: Bool {
    var status = stat()
    guard fstat(STDIN_FILENO, &status) == 0 else { return false }
    let kind = status.st_mode & S_IFMT
    return kind == S_IFIFO || kind == S_IFSOCK || inputIsTerminal
}

/// The user whose rights this process has.
public var ownUser: Int { Int(geteuid()) }

/// Ends the program.
public func leave(status: Int32) -> Never { exit(status) }
