internal import CSocketShims

/// What the process and its machine say of themselves.
package enum ProcessCalls {
    /// Processors that this process may use; at least one.
    package static var processorCount: Int { Int(csocket_processor_count()) }

    /// getenv(3).
    package static func environment(_ name: String) -> String? {
        csocket_environment(name).map { String(cString: $0) }
    }

    /// Starts a thread of the SDK: detached, every signal blocked.
    package static func startThread(
        _ name: String, _ body: @escaping @Sendable () -> Void
    ) -> SystemResult<Void> {
        let context = Unmanaged.passRetained(ThreadBody(body))
        let result = outcome(
            csocket_thread_start(
                name,
                { context in
                    guard let context else { return }
                    Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
                }, context.toOpaque()))
        if case .failure = result { context.release() }
        return result.map { _ in }
    }

    private final class ThreadBody: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// 64 KiB of the calling thread, for one system call at a time: whoever takes it uses it before calling anything else.
package enum Scratch {
    package static let size = Int(CSOCKET_SCRATCH_SIZE)

    /// The first `count` bytes of the calling thread's buffer, as an array of that size.
    @inline(__always)
    package static func copy(_ count: Int) -> [UInt8] {
        // Twice as fast as the initializer with an uninitialized capacity, which looks its storage's type up each time.
        Array(UnsafeRawBufferPointer(rebasing: buffer[..<count]).assumingMemoryBound(to: UInt8.self))
    }

    /// Another buffer of the same size, of the calling thread, for bytes that are lent to a program's code: that may use
    /// other sockets, and with them the first.
    package static var lent: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: csocket_lent_scratch(), count: Int(CSOCKET_SCRATCH_SIZE))
    }

    /// The calling thread's buffer.
    @inline(__always)
    package static var buffer: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: csocket_scratch(), count: Int(CSOCKET_SCRATCH_SIZE))
    }
}
