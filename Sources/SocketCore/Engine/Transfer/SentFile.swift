/// Part of a file on its way into a stream.
package final class SentFile: Sendable {
    /// How far it is.
    package struct Progress: Sendable, Hashable {
        package let sent: Int
        package let total: Int
    }

    /// Which bytes of the file.
    package let range: Range<Int>
    private let descriptor: OwnedDescriptor
    private let isCopied: Bool
    /// Told how far it is.
    let meter: ProgressMeter<Progress>?

    /// Opens the file at `path`, and finds the part of it that begins at `offset`: `count` bytes, or all up to its end.
    package static func open(
        _ path: String, offset: Int, count: Int?, isCopied: Bool = false, progress: (@Sendable (Progress) -> Void)?
    ) throws(Failure) -> SentFile {
        switch FileCalls.open(path) {
        case .failure(let error): throw .system(error, .open)
        case .success(let file):
            return try SentFile(file, offset: offset, count: count, isCopied: isCopied, progress: progress)
        }
    }

    /// The same of a file that the program has open: it may close it at any time.
    package static func duplicate(
        _ number: Int32, offset: Int, count: Int?, progress: (@Sendable (Progress) -> Void)?
    ) throws(Failure) -> SentFile {
        switch FileCalls.duplicate(number) {
        case .failure(let error): throw .system(error, .fcntl)
        case .success(let file): return try SentFile(file, offset: offset, count: count, progress: progress)
        }
    }

    private init(
        _ descriptor: consuming OwnedDescriptor, offset: Int, count: Int?, isCopied: Bool = false,
        progress: (@Sendable (Progress) -> Void)?
    ) throws(Failure) {
        let size: Int
        switch FileCalls.size(descriptor.number) {
        case .failure(let error): throw .system(error, .fstat)
        case .success(nil): throw .invalidArgument(.init("file", "is not a regular file"))
        case .success(let found?): size = found
        }
        guard offset >= 0, offset <= size else {
            throw .invalidArgument(.init("offset", "\(offset) does not lie in a file of \(size) bytes"))
        }
        let count = count ?? size - offset
        guard count >= 0, count <= size - offset else {
            throw .invalidArgument(.init("count", "\(count) is not in 0...\(size - offset), which the file has"))
        }
        range = offset..<offset + count
        FileCalls.willRead(descriptor.number, range)
        self.descriptor = descriptor
        self.isCopied = isCopied
        meter = progress.map { ProgressMeter($0) }
    }

    /// pread(2).
    func read(from offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> SystemResult<Int> {
        FileCalls.read(descriptor.number, from: offset, into: buffer)
    }

    /// Sends as much of it as the socket takes; and says so, if the file has no such bytes.
    func send(_ count: Int, from offset: Int, to number: Int32) -> (SystemResult<Int>, lack: Failure?) {
        var sent = 0
        while sent < count {
            let result =
                isCopied
                ? FileCalls.copy(descriptor.number, from: offset + sent, count: count - sent, to: number)
                : FileCalls.send(descriptor.number, from: offset + sent, count: count - sent, to: number)
            switch result {
            case .success(0): return (.success(sent), .fileCut())
            // A short count does not mean that there is no room: the next call says so.
            case .success(let more): sent += more
            case .failure(let error) where error.isOfConnection || error == .wouldBlock:
                return (sent > 0 ? .success(sent) : result, nil)
            case .failure(let error): return (.success(sent), .system(error, .sendFile))
            }
        }
        return (.success(sent), nil)
    }
}

extension SystemError {
    /// Whether it says that a connection is gone.
    fileprivate var isOfConnection: Bool {
        switch self {
        case .brokenPipe, .connectionReset, .connectionAborted, .notConnected, .isShutDown, .timedOut, .hostUnreachable,
            .networkUnreachable, .networkDown, .hostDown:
            true
        default: false
        }
    }
}
