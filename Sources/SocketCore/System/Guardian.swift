internal import CSocketShims
internal import Synchronization

/// One thread at a time is between `lock` and `unlock`: what every lock of the project is made of.
///
/// It is `Mutex`, a futex that costs about 5 ns when nobody else wants it. The thread sanitizer cannot see that one
/// and reports false races, so in sanitized builds a `pthread_mutex_t` is taken around it.
package struct Guardian: ~Copyable, Sendable {
    private let mutex = Mutex<Void>(())
    nonisolated(unsafe) private let sanitized: UnsafeMutableRawPointer?

    package init() { sanitized = csocket_thread_sanitizer != 0 ? csocket_mutex_create() : nil }

    deinit { if let sanitized { csocket_mutex_destroy(sanitized) } }

    @inline(__always)
    package borrowing func lock() {
        if let sanitized { csocket_mutex_lock(sanitized) }
        mutex._unsafeLock()
    }

    @inline(__always)
    package borrowing func unlock() {
        mutex._unsafeUnlock()
        if let sanitized { csocket_mutex_unlock(sanitized) }
    }
}
