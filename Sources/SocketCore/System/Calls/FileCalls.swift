internal import CSocketShims

/// Files, as far as they are sent.
package enum FileCalls {
    /// open(2) for reading, close-on-exec.
    package static func open(_ path: String) -> SystemResult<OwnedDescriptor> {
        uninterrupted { csocket_open_file(path) }.map { OwnedDescriptor(adopting: Int32($0)) }
    }

    /// The same open file under another number (fcntl(2), F_DUPFD_CLOEXEC).
    package static func duplicate(_ descriptor: Int32) -> SystemResult<OwnedDescriptor> {
        uninterrupted { csocket_duplicate(descriptor) }.map { OwnedDescriptor(adopting: Int32($0)) }
    }

    /// How long a regular file is (fstat(2)); nil for anything else.
    package static func size(_ descriptor: Int32) -> SystemResult<Int?> {
        var size: Int64 = 0
        return outcome(csocket_file_size(descriptor, &size)).map { _ in size < 0 ? nil : Int(size) }
    }

    /// Tells the system that these bytes will be read in order (posix_fadvise(2)).
    package static func willRead(_ descriptor: Int32, _ range: Range<Int>) {
        csocket_will_read(descriptor, Int64(range.lowerBound), Int64(range.count))
    }

    /// pread(2). Zero is the end of the file.
    package static func read(
        _ file: Int32, from offset: Int, into buffer: UnsafeMutableRawBufferPointer
    ) -> SystemResult<Int> {
        uninterrupted { csocket_read_file(file, buffer.baseAddress, buffer.count, Int64(offset)) }
    }

    /// sendfile(2). Returns how many bytes the socket took; zero when the file ends at `offset`. Raises SIGPIPE, which
    /// the threads of the SDK block.
    package static func send(
        _ file: Int32, from offset: Int, count: Int, to socket: Int32
    ) -> SystemResult<Int> {
        uninterrupted { csocket_send_file(socket, file, Int64(offset), count) }
    }

    /// The same by reading and sending: what `send` does where the system has nothing better.
    package static func copy(
        _ file: Int32, from offset: Int, count: Int, to socket: Int32
    ) -> SystemResult<Int> {
        uninterrupted { csocket_copy_file(socket, file, Int64(offset), count) }
    }
}
