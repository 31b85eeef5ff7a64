internal import CSocketShims
internal import Synchronization

/// A value that one thread at a time may touch: the only lock of the project.
///
/// It is `Mutex`, a futex that costs about 5 ns when nobody else wants it. The thread sanitizer cannot see that one
/// and reports false races, so in sanitized builds a `pthread_mutex_t` is taken around it.
package struct Lock<State: ~Copyable>: ~Copyable, Sendable {
    private let mutex: Mutex<State>
    nonisolated(unsafe) private let sanitized: UnsafeMutableRawPointer?

    /// Takes ownership of `state`.
    package init(_ state: consuming sending State) {
        mutex = Mutex(state)
        sanitized = csocket_thread_sanitizer != 0 ? csocket_mutex_create() : nil
    }

    deinit {
        if let sanitized { csocket_mutex_destroy(sanitized) }
    }

    /// Runs `body` alone with the value. `body` calls nothing that could call back: no listener, no continuation.
    @inline(__always)
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        if let sanitized { csocket_mutex_lock(sanitized) }
        defer { if let sanitized { csocket_mutex_unlock(sanitized) } }
        return try mutex.withLock(body)
    }
}
