internal import CSocketShims

/// Apple systems: kqueue(2). Each descriptor is registered once for both directions, with EV_CLEAR, which is kqueue's
/// edge-triggering. `KqueueTranslation` reads its events; this class only waits for them.
final class KqueuePoller: Poller {
    private static let capacity = 256

    private let descriptor: OwnedDescriptor
    private let wakeup: Wakeup
    // Used by the loop's thread only, inside `wait`.
    nonisolated(unsafe) private let events: UnsafeMutablePointer<csocket_kevent>

    init() throws(SystemError) {
        switch outcome(csocket_kqueue_create()) {
        case .success(let number): descriptor = OwnedDescriptor(adopting: Int32(number))
        case .failure(let error): throw error
        }
        wakeup = try Wakeup()
        events = .allocate(capacity: KqueuePoller.capacity)
        let added = csocket_kqueue_add_wakeup(descriptor.number, wakeup.receiver, PollToken.wakeup.rawValue)
        if case .failure(let error) = outcome(added) {
            events.deallocate()
            throw error
        }
    }

    deinit {
        events.deallocate()
    }

    var isLevelTriggered: Bool { false }

    func add(_ descriptor: Int32, token: PollToken) -> SystemResult<Void> {
        outcome(csocket_kqueue_add(self.descriptor.number, descriptor, token.rawValue)).map { _ in }
    }

    func remove(_ descriptor: Int32, token: PollToken) {
        // close(2) removes both filters, and the token's generation drops what was already reported.
    }

    func rearm(_ token: PollToken, _ direction: Direction) {}

    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void> {
        let limit = deadline.map { max(0, $0.nanoseconds - Instant.now.nanoseconds) } ?? -1
        switch outcome(csocket_kqueue_wait(descriptor.number, events, Int32(KqueuePoller.capacity), limit)) {
        case .success(let count):
            for index in 0..<count {
                let token = PollToken(rawValue: events[index].token)
                if token == .wakeup {
                    wakeup.clear()
                    continue
                }
                let native = events[index]
                let event = KqueueEvent(
                    filter: Int16(truncatingIfNeeded: native.filter), flags: UInt16(truncatingIfNeeded: native.flags),
                    filterFlags: native.fflags, data: Int(native.data))
                if case .ready(let events, _) = KqueueTranslation.translate(event) { body(token, events) }
            }
            return .success(())
        case .failure(.interrupted):
            return .success(())
        case .failure(let error):
            return .failure(error)
        }
    }

    func wake() { wakeup.signal() }
}
