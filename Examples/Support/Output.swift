import Dispatch

/// Standard output, unbuffered: what is written is out.
public enum StandardOutput {
    private static let queue = DispatchQueue(label: "standard output")

    /// Writes bytes and returns when they are out. A slow reader blocks a thread of its own and nobody else.
    public static func write(_ bytes: [UInt8]) async {
        await withCheckedContinuation { continuation in
            queue.async {
                writeNow(bytes)
                continuation.resume()
            }
        }
    }

    /// Writes bytes in the caller's thread.
    public static func writeNow(_ bytes: [UInt8]) {
        if !writeAll(bytes, to: 1) { fail("cannot write to standard output") }
    }
}

/// Prints a line at once, also into a pipe, where `print` would keep it for later.
public func say(_ line: String) { StandardOutput.writeNow(Array((line + "\n").utf8)) }

/// Prints a line about something that went wrong to standard error.
public func complain(_ line: String) { _ = writeAll(Array("\(programName): \(line)\n".utf8), to: 2) }

/// Prints text to standard error as it is: what is worth knowing, and no part of the output.
public func note(_ text: String) { _ = writeAll(Array(text.utf8), to: 2) }

/// Ends the program with a line about what went wrong, and a status that says so.
public func fail(_ line: String, status: Int32 = 1) -> Never {
    complain(line)
    leave(status: status)
}

private var programName: Substring {
    let path = CommandLine.arguments.first ?? "example"
    return path.split(separator: "/").last ?? "example"
}
