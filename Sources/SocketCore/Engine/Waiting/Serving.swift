/// The connections that one `serve` is handling.
///
/// Its cancellation ends their waits from here, so that no connection's task needs a cancellation handler of its own,
/// neither for all of its life nor for each wait: that would cost memory and time on every connection for something
/// that happens once.
package final class Serving: Sendable {
    private struct State: ~Copyable {
        var isCancelled = false
        var connections: Set<StreamDriver> = []
    }

    private let state = Lock(State())

    package init() {}

    /// The calling task begins to serve `connection`, which is watched from here on.
    package func begin(_ connection: StreamDriver) {
        connection.servingTask = ServingTask.current
        let isCancelled = state.withLock { state in
            state.connections.insert(connection)
            return state.isCancelled
        }
        if isCancelled { connection.cancelServing() }
        connection.startWatching()
    }

    /// The connection's handler has ended.
    package func end(_ connection: StreamDriver) {
        connection.servingTask = .none
        state.withLock { _ = $0.connections.remove(connection) }
    }

    /// Ends the waits of every handler, now and from here on.
    package func cancel() {
        let connections = state.withLock { state in
            state.isCancelled = true
            return state.connections
        }
        for connection in connections { connection.cancelServing() }
    }
}
