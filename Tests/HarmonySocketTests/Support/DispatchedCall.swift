/// A call on a thread of its own, for which another thread may block. Not for tasks: they have `blocking`.
final class DispatchedCall<Value: Sendable>: Sendable {
    private let value = TestLock<Value?>(nil)

    init(_ body: @escaping @Sendable () -> Value) {
        startThread { [self] in
            let value = body()
            self.value.withLock { $0 = value }
        }
    }

    /// The value; nil when it does not come within 5 s.
    func wait() -> Value? {
        let end = ContinuousClock.now.advanced(by: .seconds(5))
        while ContinuousClock.now < end {
            if let value = value.withLock({ $0 }) { return value }
        }
        return nil
    }
}

/// A UDP port at which nobody listens: it was free a moment ago.
func freeUDPPort(_ loopback: Loopback = .ipv4) throws -> Int {
    let socket = try RawSocket.datagram(on: loopback)
    defer { socket.close() }
    return socket.port
}
