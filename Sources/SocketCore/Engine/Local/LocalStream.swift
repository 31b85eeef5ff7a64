/// What a local stream socket has beside what all stream sockets have. Descriptors that came and nobody took are closed
/// with it.
package final class LocalStream: Sendable {
    private struct State: ~Copyable {
        /// How many descriptors may wait to be taken; 0 receives none.
        var limit = 0
        /// Those that came and nobody has taken.
        var waiting = Ring<Int32>()
        var boundPath: BoundPath?
    }

    /// Whether it keeps the bounds of messages (SOCK_SEQPACKET).
    package let keepsBounds: Bool
    private let state = Lock(State())

    package init(_ kind: SocketCalls.Kind) { keepsBounds = kind == .seqpacket }

    /// What to open.
    var kind: SocketCalls.Kind { keepsBounds ? .seqpacket : .stream }

    /// How long a message may be where bounds are kept: what one read has room for.
    package static var longestPacket: Int { Scratch.size }

    /// Keeps in mind what is to be removed.
    func bound(_ path: BoundPath?) { state.withLock { $0.boundPath = path } }

    /// The socket has ended: its path goes before its descriptor does.
    func removePath() {
        let path = state.withLock { $0.boundPath.take() }
        path?.remove()
    }

    // MARK: Descriptors

    /// How many descriptors may wait to be taken; further ones are closed, and with 0 none are received.
    package var descriptorLimit: Int {
        get { state.withLock { $0.limit } }
        set { state.withLock { $0.limit = newValue } }
    }

    /// How many descriptors wait.
    package var descriptorCount: Int { state.withLock { $0.waiting.count } }

    /// The next descriptor, in the order in which they came, for the caller to own; nil when there is none.
    package func takeDescriptor() -> Int32? { state.withLock { $0.waiting.popFirst() } }

    /// One read. `isLost`: descriptors came that there was no room for.
    func receive(
        _ number: Int32, into buffer: UnsafeMutableRawBufferPointer, isLost: inout Bool
    ) -> SystemResult<Int> {
        let room = state.withLock { $0.limit == 0 ? nil : max(0, $0.limit - $0.waiting.count) }
        if room == nil, !keepsBounds { return StreamCalls.receive(number, into: buffer) }
        var passed: PassedDescriptors?
        // Room for one at least, where any are wanted: only so those that are too many are noticed.
        let result = LocalCalls.receive(
            number, into: buffer, keepsBounds: keepsBounds, capacity: room.map { max(1, $0) } ?? 0, &passed,
            isLost: &isLost)
        guard let passed else { return result }
        if room == 0 {
            isLost = true
        } else {
            let numbers = passed.take()
            state.withLock { state in for number in numbers { state.waiting.append(number) } }
        }
        return result
    }

    deinit {
        while let number = takeDescriptor() { _ = OwnedDescriptor(adopting: number) }
    }
}
