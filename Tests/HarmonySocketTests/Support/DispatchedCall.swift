/// A call on a thread of its own, for which another thread may block. Not for tasks: they have `blocking`.
final class DispatchedCall<Value: Sendable>: Sendable {
    private let value = TestLock<Value?>(nil)
    private let isOver = Gate()

    init(_ body: @escaping @Sendable () -> Value) {
        startThread { [self] in
            let value = body()
            self.value.withLock { $0 = value }
            isOver.open()
        }
    }

    /// The value; nil when it does not come in time.
    func wait() -> Value? {
        isOver.pass()
        return value.withLock { $0 }
    }
}

/// A UDP port at which nobody listens: it was free a moment ago.
func freeUDPPort(_ loopback: Loopback = .ipv4) throws -> Int {
    let socket = try RawSocket.datagram(on: loopback)
    defer { socket.close() }
    return socket.port
}
