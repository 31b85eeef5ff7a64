internal import CSocketShims

/// What the calling thread is doing. Asked anew each time: an async function may go on on another thread.
package enum ThreadCalls {
    /// The event loop that owns the calling thread, as an identity; nil on every other thread.
    package static var currentLoop: UnsafeMutableRawPointer? {
        @inline(__always) get { csocket_current_loop() }
        set { csocket_set_current_loop(newValue) }
    }

    /// The Swift task that the calling thread runs, as an identity; zero outside of tasks.
    package static var currentTask: UInt {
        @inline(__always) get { UInt(bitPattern: csocket_current_task()) }
    }
}
