internal import SocketCore

// For the options that have no field: the kernel's own numbers, as in <sys/socket.h> and its relatives. What they mean,
// and whether they exist, differs from system to system, and nothing is checked but what setsockopt(2) checks.
extension KernelSocket {
    /// Sets an option of the kernel by its number; see setsockopt(2).
    ///
    /// When it returns, the kernel has taken the value. It is not kept for later: the socket has a descriptor from bind,
    /// connect or listen on. An option that the library itself relies on (O_NONBLOCK, SO_ERROR, SO_LINGER) is better left.
    ///
    /// ```swift
    /// try await tcp.setRawOption(level: 6, name: 9, value: 3)  // Linux: IPPROTO_TCP, TCP_DEFER_ACCEPT
    /// ```
    ///
    /// - Throws: `.invalidState` before the socket has a descriptor; `.closed` after close; `.notSupported` and the
    ///   kernel's other refusals.
    public func setRawOption(level: Int32, name: Int32, value: Int32) async throws(SocketError) {
        try kernel.setRawOption(level, name, value)
    }

    /// Sets an option of the kernel by its number; as the async form.
    public func setRawOption(
        level: Int32, name: Int32, value: Int32, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try kernel.setRawOption(level, name, value) }
        kernel.driver.complete { completion(result) }
    }

    /// Sets an option whose value is not a number, but some structure or text.
    ///
    /// ```swift
    /// try await tcp.setRawOption(level: 6, name: 13, value: Array("reno".utf8))  // Linux: TCP_CONGESTION
    /// ```
    ///
    /// - Throws: as for a number.
    public func setRawOption(level: Int32, name: Int32, value: [UInt8]) async throws(SocketError) {
        try kernel.setRawOption(level, name, value)
    }

    /// Sets an option whose value is not a number; as the async form.
    public func setRawOption(
        level: Int32, name: Int32, value: [UInt8], completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try kernel.setRawOption(level, name, value) }
        kernel.driver.complete { completion(result) }
    }

    /// Reads an option of the kernel by its number: at most `count` bytes, 1 to 65,536; see getsockopt(2).
    ///
    /// ```swift
    /// let name = try await tcp.getRawOption(level: 6, name: 13, count: 16)  // Linux: TCP_CONGESTION
    /// ```
    ///
    /// - Throws: `.invalidArgument` for the count; `.invalidState` before the socket has a descriptor; `.closed` after
    ///   close; `.notSupported` and the kernel's other refusals.
    public func getRawOption(level: Int32, name: Int32, count: Int) async throws(SocketError) -> [UInt8] {
        try kernel.getRawOption(level, name, count)
    }

    /// Reads an option of the kernel by its number; as the async form.
    public func getRawOption(
        level: Int32, name: Int32, count: Int, completion: @escaping @Sendable (Result<[UInt8], SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try kernel.getRawOption(level, name, count) }
        kernel.driver.complete { completion(result) }
    }
}

extension KernelHandle {
    fileprivate func setRawOption(_ level: Int32, _ name: Int32, _ value: Int32) throws(SocketError) {
        try setRawOption(level, name, withUnsafeBytes(of: value) { [UInt8]($0) })
    }

    fileprivate func setRawOption(_ level: Int32, _ name: Int32, _ value: [UInt8]) throws(SocketError) {
        do throws(Failure) {
            try driver.withOpenDescriptor(.setOption) { number in
                value.withUnsafeBytes { OptionCalls.setRaw(number, level: level, name: name, to: $0) }
            }
        } catch {
            throw self.error(error, .setOptions)
        }
    }

    fileprivate func getRawOption(_ level: Int32, _ name: Int32, _ count: Int) throws(SocketError) -> [UInt8] {
        do throws(Failure) {
            guard (1...65_536).contains(count) else {
                throw .invalidArgument(.init("count", "\(count) is not between 1 and 65536"))
            }
            return try driver.withOpenDescriptor(.getOption) { number in
                OptionCalls.getRaw(number, level: level, name: name, count: count)
            }
        } catch {
            throw self.error(error, .getOptions)
        }
    }
}
