/// A value that one thread at a time may touch.
///
/// The value lives behind a pointer and not inside a `Mutex`, which would copy it out and in again around `body`.
package struct Lock<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Sendable because `state` is touched in `withLock` only.
    private let guardian = Guardian()
    private let state: UnsafeMutablePointer<State>

    /// Takes ownership of `state`.
    package init(_ state: consuming sending State) {
        self.state = .allocate(capacity: 1)
        self.state.initialize(to: state)
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Runs `body` alone with the value. `body` calls nothing that could call back: no listener, no continuation, and
    /// no end of an object that the program may hold.
    @inline(__always)
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guardian.lock()
        defer { guardian.unlock() }
        return try body(&state.pointee)
    }
}
