// What the system says of the threads of this process: /proc of Linux. Nil elsewhere.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

enum ProcessThreads {
    /// What /proc/self/task/ID/status says of one thread.
    struct Status: Sendable {
        let number: Int
        let name: String
        private let fields: [Substring: Substring]

        init?(number: Int) { self.init(path: "/proc/self/task/\(number)/status") }

        /// Of the calling thread.
        static var current: Status? { Status(path: "/proc/thread-self/status") }

        private init?(path: String) {
            guard let text = ProcessThreads.contents(of: path) else { return nil }
            var fields: [Substring: Substring] = [:]
            for line in text.split(separator: "\n") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let value = line[line.index(after: colon)...].drop { $0 == "\t" || $0 == " " }
                fields[line[..<colon]] = value
            }
            guard let number = fields["Pid"].flatMap({ Int($0) }) else { return nil }
            self.number = number
            self.fields = fields
            name = String(fields["Name"] ?? "")
        }

        /// The signals that the thread blocks, one bit each.
        var blockedSignals: UInt64? { fields["SigBlk"].flatMap { UInt64($0, radix: 16) } }

        /// Whether it sleeps now.
        var isAsleep: Bool { fields["State"]?.first == "S" }

        /// How often it has gone to sleep.
        var sleeps: Int? { fields["voluntary_ctxt_switches"].flatMap { Int($0) } }
    }

    /// Lets another thread have the processor: what a thread does that must wait without anything to wait on.
    static func yield() { sched_yield() }

    /// Whether this system tells.
    static var isKnown: Bool { access("/proc/self/task", R_OK) == 0 }

    /// Every thread of this name. The list may lack one when others begin or end while it is read: who knows the number of
    /// a thread asks for that.
    static func named(_ name: String) -> [Status] {
        guard let folder = opendir("/proc/self/task") else { return [] }
        defer { closedir(folder) }
        var found: [Status] = []
        while let entry = readdir(folder) {
            let text = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int(text), let status = Status(number: number), status.name == name { found.append(status) }
        }
        return found
    }

    fileprivate static func contents(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// Every signal that a thread can block, by the bits of `blockedSignals`.
    static let blockableSignals: UInt64 = {
        var all: UInt64 = 0
        for signal in 1...31 where signal != SIGKILL && signal != SIGSTOP { all |= 1 << UInt64(signal - 1) }
        return all
    }()
}
