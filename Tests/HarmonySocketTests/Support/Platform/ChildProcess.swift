#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Another program, with pipes at its input, output and error output. Always ended and reaped.
///
/// It gets no other descriptor of ours, whether close-on-exec or not: a socket of another test that it kept open would
/// keep that test's connection open too.
final class ChildProcess: Sendable {
    private let identifier: pid_t
    private let isLeader: Bool
    private let input: Int32
    private let output: Int32
    private let errors: Int32
    private let state = TestLock(State())

    private struct State {
        var isInputOpen = true
        var status: Int32?
    }

    /// The full path of a program; nil when it is not installed, or not at the path that is given.
    static func find(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// The path of an example of the package, which is built beside the tests; nil where it is not.
    static func findExample(_ name: String) -> String? {
        let own = CommandLine.arguments[0]
        guard let slash = own.lastIndex(of: "/") else { return nil }
        return find(own[...slash] + name)
    }

    /// Starts a program: the path of one, or the name of one that is installed. A `leader` has a process group of its own: what
    /// it starts ends with it.
    init(_ program: String, _ arguments: [String], isLeader: Bool = false) throws {
        guard let path = ChildProcess.find(program) else { throw RawError("find \(program)") }
        // A socket, since writing to a pipe that the child has closed would end us with SIGPIPE.
        guard let (inputReader, inputWriter) = ProcessFacts.makeStrangerPair() else { throw RawError("socketpair") }
        let (outputReader, outputWriter) = try ChildProcess.makePipe()
        let (errorReader, errorWriter) = try ChildProcess.makePipe()
        defer { for number in [inputReader, outputWriter, errorWriter] { _ = close(number) } }
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, inputReader, 0)
        posix_spawn_file_actions_adddup2(&actions, outputWriter, 1)
        posix_spawn_file_actions_adddup2(&actions, errorWriter, 2)
        #if canImport(Darwin)
        let flags = Int16(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
        let flags: Int16 = 0
        #endif
        posix_spawnattr_setflags(&attributes, isLeader ? flags | Int16(POSIX_SPAWN_SETPGROUP) : flags)
        #if canImport(Glibc)
        // Declared for _GNU_SOURCE only, which Swift's module does not set.
        typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        if let symbol = dlsym(dlopen(nil, RTLD_NOW), "posix_spawn_file_actions_addclosefrom_np") {
            _ = unsafeBitCast(symbol, to: CloseFrom.self)(&actions, 3)
        }
        #endif
        var words = ([path] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var identifier = pid_t()
        let status = posix_spawn(&identifier, path, &actions, &attributes, words, environ)
        guard status == 0 else {
            for number in [inputWriter, outputReader, errorReader] { _ = close(number) }
            errno = status
            throw RawError("posix_spawn \(program)")
        }
        self.identifier = identifier
        self.isLeader = isLeader
        input = inputWriter
        output = outputReader
        errors = errorReader
    }

    deinit {
        closeInput()
        if state.withLock({ $0.status == nil }) {
            end()
            _ = wait()
        }
        _ = close(output)
        _ = close(errors)
    }

    private static func makePipe() throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw RawError("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// How often each of its threads has given up the processor or lost it: a thread that sleeps does neither.
    var contextSwitches: [String: Int] { ProcessFacts.contextSwitches(ofProcess: Int(identifier)) }

    // MARK: Talking to it. Every call blocks, for at most 60 s: use `blocking`.

    /// Writes to its input.
    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Self.writeSome(input, $0.baseAddress, $0.count) }
            guard count > 0 else { throw RawError("send") }
            sent += count
        }
    }

    /// Ends its input.
    func closeInput() {
        state.withLock { state in
            if state.isInputOpen { _ = close(input) }
            state.isInputOpen = false
        }
    }

    /// One line of its output, or of its error output.
    func readLine(ofErrors: Bool = false) throws -> String {
        var line: [UInt8] = []
        while true {
            let next = try readSome(ofErrors ? errors : output, upTo: 1)
            guard let byte = next.first, byte != 0x0a else { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    /// The rest of its output, to the end. An error has what came before it.
    func readAll(ofErrors: Bool = false) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            do {
                let next = try readSome(ofErrors ? errors : output, upTo: 65_536)
                if next.isEmpty { return bytes }
                bytes += next
            } catch {
                throw RawError("\(error), after:\n\(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    private func readSome(_ number: Int32, upTo limit: Int) throws -> [UInt8] {
        var watched = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 60_000) > 0 else { throw RawError("no output within 60 s") }
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = read(number, &buffer, limit)
        guard count >= 0 else { throw RawError("read") }
        return Array(buffer[..<count])
    }

    /// Waits until it has ended; its exit status, or minus the signal that ended it. It is killed after 60 s.
    func waitForEnd() throws -> Int32 {
        // Its end closes its output, which can be waited for with a limit.
        while true {
            do {
                if try readSome(output, upTo: 65_536).isEmpty { break }
            } catch {
                end()
                break
            }
        }
        return wait()
    }

    private func end() { kill(isLeader ? -identifier : identifier, SIGKILL) }

    private func wait() -> Int32 {
        if let known = state.withLock({ $0.status }) { return known }
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
        state.withLock { $0.status = code }
        return code
    }

    private static func writeSome(_ number: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        send(number, bytes, count, rawSendFlags)
    }
}
