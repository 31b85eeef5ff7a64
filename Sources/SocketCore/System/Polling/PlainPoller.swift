internal import CSocketShims

/// Any POSIX system: poll(2). Slow with many descriptors, but simple; the suite runs on it too, to keep the engine
/// honest about what it asks of a poller.
///
/// poll is level-triggered. A direction that was reported is not watched again until the driver has seen that it would
/// block and says so with `rearm`; otherwise an unread input or an idle output would spin.
final class PlainPoller: Poller {
    // Used by the loop's thread only.
    nonisolated(unsafe) private var entries: [csocket_poll_entry] = []
    nonisolated(unsafe) private var tokens: [PollToken] = []
    nonisolated(unsafe) private var indexes: [PollToken: Int] = [:]
    private let wakeup: Wakeup

    private static let readSide: PollEvents = [.readable, .endOfInput, .urgent]
    private static let both: PollEvents = [.readable, .endOfInput, .writable, .urgent]

    init() throws(SystemError) {
        wakeup = try Wakeup()
        append(wakeup.receiver, .wakeup, .readable)
    }

    var isLevelTriggered: Bool { true }

    func add(_ descriptor: Int32, token: PollToken) -> SystemResult<Void> {
        append(descriptor, token, PlainPoller.both)
        return .success(())
    }

    private func append(_ descriptor: Int32, _ token: PollToken, _ events: PollEvents) {
        indexes[token] = entries.count
        entries.append(csocket_poll_entry(descriptor: descriptor, events: UInt32(events.rawValue), revents: 0))
        tokens.append(token)
    }

    func remove(_ descriptor: Int32, token: PollToken) {
        guard let index = indexes.removeValue(forKey: token) else { return }
        entries.swapAt(index, entries.count - 1)
        tokens.swapAt(index, tokens.count - 1)
        entries.removeLast()
        tokens.removeLast()
        if index < tokens.count { indexes[tokens[index]] = index }
    }

    func rearm(_ token: PollToken, _ direction: Direction) {
        guard let index = indexes[token] else { return }
        let events: PollEvents = direction == .read ? PlainPoller.readSide : .writable
        entries[index].events |= UInt32(events.rawValue)
    }

    func wait(until deadline: Instant?, _ body: (PollToken, PollEvents) -> Void) -> SystemResult<Void> {
        let limit = deadline.map { max(0, $0.nanoseconds - Instant.now.nanoseconds) } ?? -1
        switch outcome(csocket_poll(&entries, Int32(entries.count), limit)) {
        case .failure(.interrupted): return .success(())
        case .failure(let error): return .failure(error)
        case .success(0): return .success(())
        case .success: break
        }
        // Collected first: `body` may add and remove entries.
        var ready: [(PollToken, PollEvents)] = []
        for index in entries.indices where entries[index].revents != 0 {
            let events = PollEvents(rawValue: UInt8(truncatingIfNeeded: entries[index].revents))
            if tokens[index] == .wakeup {
                wakeup.clear()
            } else {
                // A hang-up or error is reported whatever is asked for: watch nothing until the driver asks again.
                let seen = events.isDisjoint(with: [.hangUp, .error]) ? events : PlainPoller.both
                entries[index].events &= ~UInt32(seen.rawValue)
                ready.append((tokens[index], events))
            }
        }
        for (token, events) in ready { body(token, events) }
        return .success(())
    }

    func wake() { wakeup.signal() }
}
