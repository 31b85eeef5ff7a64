internal import CSocketShims
internal import Synchronization

/// A value that one thread at a time may touch: the only lock of the project.
///
/// It is `Mutex`, a futex that costs about 5 ns when nobody else wants it. The thread sanitizer cannot see that one
/// and reports false races, so in sanitized builds a `pthread_mutex_t` is taken around it.
///
/// The value lives behind a pointer and not inside the `Mutex`, which would copy it out and in again around `body`.
package struct Lock<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Sendable because `state` is touched in `withLock` only.
    private let mutex = Mutex<Void>(())
    private let state: UnsafeMutablePointer<State>
    private let sanitized: UnsafeMutableRawPointer?

    /// Takes ownership of `state`.
    package init(_ state: consuming sending State) {
        self.state = .allocate(capacity: 1)
        self.state.initialize(to: state)
        sanitized = csocket_thread_sanitizer != 0 ? csocket_mutex_create() : nil
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
        if let sanitized { csocket_mutex_destroy(sanitized) }
    }

    /// Runs `body` alone with the value. `body` calls nothing that could call back: no listener, no continuation, and
    /// no end of an object that the program may hold.
    @inline(__always)
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let sanitized { csocket_mutex_lock(sanitized) }
        mutex._unsafeLock()
        defer {
            mutex._unsafeUnlock()
            if let sanitized { csocket_mutex_unlock(sanitized) }
        }
        return try body(&state.pointee)
    }
}
