#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the kernel tells about this process, asked without our own code.
enum ProcessFacts {
    /// Scripts/check says so when it runs the tests under the address sanitizer.
    static var isAddressSanitized: Bool { environment("HARMONY_SANITIZER") == "address" }

    /// Scripts/check says so when it runs the tests under the thread sanitizer.
    static var isThreadSanitized: Bool { environment("HARMONY_SANITIZER") == "thread" }

    /// Whether everything is tried in full, however long it takes.
    static var isFullRun: Bool { environment("HARMONY_FULL") == "1" }

    /// Whether this process may do everything.
    static var isRoot: Bool { geteuid() == 0 }

    /// Whether /proc tells what these functions ask.
    static var hasProc: Bool { readFile("/proc/self/status") != nil }

    /// A small file as text; nil when it cannot be read.
    static func readFile(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// Bytes of memory that are resident now.
    static var residentBytes: Int { (field("VmRSS", of: "/proc/self/status") ?? 0) * 1024 }

    /// How often the threads of our loops have gone to sleep: each wake-up adds one.
    static var loopSleeps: Int {
        loopThreads.compactMap { field("voluntary_ctxt_switches", of: "\($0)/status") }.reduce(0, +)
    }

    /// How often our loops' threads were interrupted because they ran for long: a loop that spins shows here.
    static var loopInterruptions: Int {
        loopThreads.compactMap { field("nonvoluntary_ctxt_switches", of: "\($0)/status") }.reduce(0, +)
    }

    /// Clock ticks (10 ms) that the threads of our loops have used.
    static var loopTicks: Int {
        loopThreads.compactMap { readFile("\($0)/stat") }.map { text in
            // The name may hold anything, so what follows its closing parenthesis counts: state is the first field.
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
        }
        .reduce(0, +)
    }

    /// How often each thread of a process has given up the processor or lost it.
    static func contextSwitches(ofProcess number: Int) -> [String: Int] {
        let threads = names(in: "/proc/\(number)/task")
        let switches = threads.map { thread in
            ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"]
                .compactMap { field($0, of: "/proc/\(number)/task/\(thread)/status") }
                .reduce(0, +)
        }
        return Dictionary(uniqueKeysWithValues: zip(threads, switches))
    }

    private static var loopThreads: [String] { threads(named: "socket-loop") }

    /// How many threads look names up.
    static var resolverThreads: Int { threads(named: "socket-resolver").count }

    private static func threads(named prefix: String) -> [String] {
        names(in: "/proc/self/task").map { "/proc/self/task/\($0)" }
            .filter { readFile("\($0)/comm")?.hasPrefix(prefix) ?? false }
    }

    /// The numbers of the open descriptors, without the one that looks.
    static var descriptors: [Int] { names(in: "/proc/self/fd").compactMap { Int($0) }.filter { isOpen($0) }.sorted() }

    static func isOpen(_ descriptor: Int) -> Bool { fcntl(Int32(descriptor), F_GETFD) >= 0 }

    static func isCloseOnExec(_ descriptor: Int) -> Bool { fcntl(Int32(descriptor), F_GETFD) & FD_CLOEXEC != 0 }

    /// Connections to `port` that wait for the peer's first answer.
    static func connecting(to port: Int) -> Int {
        let wanted = hexadecimal(port)
        let text = (readFile("/proc/net/tcp") ?? "") + (readFile("/proc/net/tcp6") ?? "")
        return text.split(separator: "\n").count { line in
            let fields = line.split(separator: " ")
            // 02 is SYN_SENT (proc(5)).
            return fields.count > 3 && fields[2].hasSuffix(":" + wanted) && fields[3] == "02"
        }
    }

    private static func hexadecimal(_ port: Int) -> String {
        let text = String(port, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - text.count) + text
    }

    private static func field(_ name: String, of path: String) -> Int? {
        readFile(path)?.split(separator: "\n").first { $0.hasPrefix(name + ":") }?
            .split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { found.append(name) }
        }
        return found
    }

    // MARK: Signals and limits

    /// Whether a signal has its default action.
    static func hasDefaultAction(_ signal: Int32) -> Bool {
        var action = sigaction()
        sigaction(signal, nil, &action)
        #if canImport(Darwin)
        return action.__sigaction_u.__sa_handler == nil
        #else
        return action.__sigaction_handler.sa_handler == nil
        #endif
    }

    /// The signals that a program could set a handler for, with whether they have their default action.
    static var signalActions: [Bool] { (1...31).map { hasDefaultAction($0) } }

    static var brokenPipe: Int32 { SIGPIPE }

    /// Whether the calling thread blocks SIGPIPE.
    static var isBrokenPipeBlocked: Bool {
        var mask = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &mask)
        return sigismember(&mask, SIGPIPE) == 1
    }

    /// Gives SIGPIPE its default action: to end the process.
    static func letBrokenPipeKill() { signal(SIGPIPE, SIG_DFL) }

    /// Limits the descriptors of this process.
    static func limitDescriptors(to count: Int) {
        var limit = rlimit()
        #if canImport(Darwin)
        getrlimit(RLIMIT_NOFILE, &limit)
        limit.rlim_cur = rlim_t(count)
        setrlimit(RLIMIT_NOFILE, &limit)
        #else
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = rlim_t(count)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #endif
    }

    /// A program's argument or setting.
    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Opens a descriptor of no use; nil when there is none left.
    static func openNothing() -> Int32? {
        let number = open("/dev/null", O_RDONLY | O_CLOEXEC)
        return number < 0 ? nil : number
    }

    static func closeNothing(_ number: Int32) { close(number) }

    /// Sends a little without waiting; false when the socket takes nothing any more.
    static func trickle(_ number: Int32) -> Bool {
        let chunk = [UInt8](repeating: 0x2e, count: 65_536)
        return send(number, chunk, chunk.count, Int32(MSG_DONTWAIT) | rawSendFlags) >= 0 || errno == EAGAIN
    }

    /// Keeps the calling thread from going on, for peers that are slow.
    static func pause(_ time: Duration) {
        let (seconds, attoseconds) = time.components
        usleep(useconds_t(seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }

    /// Whether two pieces of memory begin with the same `count` bytes.
    static func areEqual(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ count: Int) -> Bool {
        guard count > 0, let first = first.baseAddress, let second = second.baseAddress else { return count == 0 }
        return memcmp(first, second, count) == 0
    }

    /// Both ends of a pair of sockets that no code of ours knows: what is written to one is read from the other.
    static func makeStrangerPair() -> (Int32, Int32)? {
        var pair: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, rawStream, 0, &pair) == 0 else { return nil }
        for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (pair[0], pair[1])
    }

    /// How many bytes wait to be read, without waiting.
    static func waitingBytes(_ number: Int32) -> Int {
        var buffer = [UInt8](repeating: 0, count: 4096)
        return max(0, recv(number, &buffer, buffer.count, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)))
    }

    /// Sends without waiting, until the kernel takes no more; how many bytes it took.
    static func fill(_ number: Int32) -> Int {
        let chunk = [UInt8](repeating: 0x2e, count: 65_536)
        var total = 0
        while true {
            let count = send(number, chunk, chunk.count, Int32(MSG_DONTWAIT) | rawSendFlags)
            if count <= 0 { return total }
            total += count
        }
    }
}

extension Kernel {
    /// How many bytes wait to be read.
    static func readable(_ descriptor: Int) -> Int {
        var count: Int32 = 0
        return ioctl(Int32(descriptor), UInt(FIONREAD), &count) == 0 ? Int(count) : -1
    }

    /// Whether the peer has ended its direction, whatever is still to be read.
    static func hasEnded(_ descriptor: Int) -> Bool {
        #if canImport(Darwin)
        let wanted = Int16(POLLHUP)
        #else
        let wanted = Int16(0x2000)
        #endif
        // 0x2000 is POLLRDHUP, which needs _GNU_SOURCE to be seen.
        var watched = pollfd(fd: Int32(descriptor), events: wanted, revents: 0)
        return poll(&watched, 1, 0) > 0 && watched.revents & wanted != 0
    }
}

extension RawSocket {
    func setSendBuffer(_ size: Int32) { setOption(SOL_SOCKET, SO_SNDBUF, size) }
}
