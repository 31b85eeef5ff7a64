internal import CSocketShims

/// Linux: epoll(7). Each descriptor is registered once, edge-triggered, for both directions.
final class EpollPoller: Poller {
    private static let capacity = 256

    private let descriptor: OwnedDescriptor
    private let wakeup: Wakeup
    // Used by the loop's thread only, inside `wait`.
    nonisolated(unsafe) private let events: UnsafeMutablePointer<csocket_event>

    init() throws(SystemError) {
        switch outcome(csocket_epoll_create()) {
        case .success(let number): descriptor = OwnedDescriptor(adopting: Int32(number))
        case .failure(let error): throw error
        }
        wakeup = try Wakeup()
        events = .allocate(capacity: EpollPoller.capacity)
        let added = csocket_epoll_add_wakeup(descriptor.number, wakeup.receiver, PollToken.wakeup.rawValue)
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
        outcome(csocket_epoll_add(self.descriptor.number, descriptor, token.rawValue)).map { _ in }
    }

    func remove(_ descriptor: Int32, token: PollToken) {
        _ = csocket_epoll_remove(self.descriptor.number, descriptor)
    }

    func rearm(_ token: PollToken, _ direction: Direction) {}

    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void> {
        let limit = deadline.map { max(0, $0.nanoseconds - Instant.now.nanoseconds) } ?? -1
        switch outcome(csocket_epoll_wait(descriptor.number, events, Int32(EpollPoller.capacity), limit)) {
        case .success(let count):
            for index in 0..<count {
                let token = PollToken(rawValue: events[index].token)
                if token == .wakeup {
                    // Not cleared: edge-triggered, every signal is an edge, and an eventfd's counter never fills up.
                    continue
                }
                body(token, PollEvents(rawValue: UInt8(truncatingIfNeeded: events[index].events)))
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
