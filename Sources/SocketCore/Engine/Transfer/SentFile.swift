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

    /// Sends as much of it as the socket takes, and says so: or that the file has no such bytes.
    func send(
        _ count: Int, from offset: Int, to number: Int32
    ) -> (StreamDriver.Written, lack: Failure?) {
        let result =
            isCopied
            ? FileCalls.copy(descriptor.number, from: offset, count: count, to: number)
            : FileCalls.send(descriptor.number, from: offset, count: count, to: number)
        switch result {
        case .success(0): return (.init(count: 0, of: 0), .fileCut())
        // A short count does not mean that there is no room: the next call says so.
        case .success(let sent): return (.init(count: sent, of: sent), nil)
        case .failure(let error) where error.isOfConnection || error == .wouldBlock:
            return (.init(count: 0, of: count, error: error), nil)
        case .failure(let error): return (.init(count: 0, of: 0), .system(error, .sendFile))
        }
    }
}

extension Pipe {
    /// Moves as much of it into a socket as that takes.
    func empty(into socket: Int32, upTo count: Int) -> StreamDriver.Written {
        var moved = 0
        while moved < count {
            switch empty(into: socket, upTo: count - moved) as SystemResult<Int> {
            case .success(let more): moved += more
            case .failure(let error): return .init(count: moved, of: count, error: error)
            }
        }
        return .init(count: moved, of: count)
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
