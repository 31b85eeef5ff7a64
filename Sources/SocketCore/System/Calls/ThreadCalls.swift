internal import CSocketShims

/// What the calling thread is doing. Asked anew each time: an async function may go on on another thread.
package enum ThreadCalls {
    /// The event loop that owns the calling thread, as an identity; nil on every other thread.
    package static var currentLoop: UnsafeMutableRawPointer? {
        @inline(__always) get { csocket_current_loop() }
        set { csocket_set_current_loop(newValue) }
    }

    /// Runs `body` on the calling thread with SIGPIPE blocked, as it is on the threads of the SDK. One that comes
    /// meanwhile is dropped.
    package static func withoutBrokenPipeSignal(_ body: () -> Void) {
        let wasBlocked = csocket_broken_pipe_block() != 0
        body()
        if !wasBlocked { csocket_broken_pipe_unblock() }
    }

    /// The Swift task that the calling thread runs, as an identity; zero outside of tasks.
    package static var currentTask: UInt {
        @inline(__always) get { UInt(bitPattern: csocket_current_task()) }
    }
}
