internal import CSocketShims

/// Random numbers of the system, a few hundred bytes at a time.
package enum RandomCalls {
    /// A number that nobody can foresee.
    ///
    /// A system call for each would cost more than what such numbers are for, the masks of WebSocket frames.
    package static func next() -> UInt32 {
        var number: UInt32 = 0
        if csocket_random(&number, MemoryLayout<UInt32>.size) == 0 { return number }
        var generator = SystemRandomNumberGenerator()
        return UInt32(truncatingIfNeeded: generator.next() as UInt64)
    }
}
