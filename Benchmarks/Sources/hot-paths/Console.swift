import Glibc

/// Prints a line at once.
func say(_ line: String) { write(line, to: STDOUT_FILENO) }

func fail(_ line: String) -> Never {
    write("hot-paths: \(line)", to: STDERR_FILENO)
    exit(2)
}

private func write(_ line: String, to descriptor: Int32) {
    _ = Array("\(line)\n".utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
}
