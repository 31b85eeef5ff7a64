internal import CSocketShims

/// Stands in for a poller that could not be made because the process had no descriptor left, and becomes it as soon as
/// one is free. Until then the loop runs its jobs, and sockets that want to be watched are told why they cannot be.
final class DeferredPoller: Poller {
    private let real = Lock<(any Poller)?>(nil)
    private static let retryInterval: Int64 = 50_000_000

    var isLevelTriggered: Bool { poller?.isLevelTriggered ?? false }

    private var poller: (any Poller)? { real.withLock { $0 } }

    func add(_ descriptor: Int32, token: PollToken) -> SystemResult<Void> {
        poller?.add(descriptor, token: token) ?? .failure(.tooManyOpenFiles)
    }

    func remove(_ descriptor: Int32, token: PollToken) { poller?.remove(descriptor, token: token) }

    func rearm(_ token: PollToken, _ direction: Direction) { poller?.rearm(token, direction) }

    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void> {
        if let poller { return poller.wait(until: deadline, body) }
        if case .success(let made) = PollerKind.makeDefault() {
            real.withLock { $0 = made }
            return .success(())
        }
        let left = deadline.map { $0.nanoseconds - Instant.now.nanoseconds } ?? DeferredPoller.retryInterval
        csocket_sleep(max(0, min(left, DeferredPoller.retryInterval)))
        return .success(())
    }

    func wake() { poller?.wake() }
}
