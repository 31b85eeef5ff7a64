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

/// The signals that ask a program to stop: Ctrl-C, and the polite form of kill(1).
let stopSignals: [Int32] = [SIGINT, SIGTERM]

/// Keeps a signal from doing what it does by default.
func ignoreSignal(_ number: Int32) { _ = signal(number, SIG_IGN) }

/// In the background, reading a terminal would stop the whole program; now it only fails.
func ignoreTerminalStops() { ignoreSignal(SIGTTIN) }

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

/// Whether somebody types what standard input brings.
public var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

/// Whether the end of standard input means something: it is a terminal, a pipe or a socket, not a file or /dev/null.
var inputIsInteractive: Bool {
    var status = stat()
    guard fstat(STDIN_FILENO, &status) == 0 else { return false }
    let kind = status.st_mode & S_IFMT
    return kind == S_IFIFO || kind == S_IFSOCK || inputIsTerminal
}

/// Ends the program.
public func leave(status: Int32) -> Never { exit(status) }
