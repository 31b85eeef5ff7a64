internal import SocketCore

/// The connections that one `serve` is handling.
///
/// Its cancellation ends their waits from here, so that no connection's task needs a cancellation handler of its own,
/// neither for all of its life nor for each wait: that would cost memory and time on every connection for something
/// that happens once.
final class Serving: Sendable {
    private struct State: ~Copyable {
        var isCancelled = false
        var connections: [ObjectIdentifier: WebSocketDriver] = [:]
    }

    private let state = Lock(State())

    /// The calling task begins to serve `connection`.
    func begin(_ connection: WebSocketDriver) {
        connection.servingTask = .current
        let isCancelled = state.withLock { state in
            state.connections[ObjectIdentifier(connection)] = connection
            return state.isCancelled
        }
        if isCancelled { connection.cancelServing() }
    }

    /// The connection's handler has ended.
    func end(_ connection: WebSocketDriver) {
        connection.servingTask = .none
        state.withLock { _ = $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    /// Ends the waits of every handler, now and from here on.
    func cancel() {
        let connections = state.withLock { state in
            state.isCancelled = true
            return state.connections.values
        }
        for connection in connections { connection.cancelServing() }
    }
}
