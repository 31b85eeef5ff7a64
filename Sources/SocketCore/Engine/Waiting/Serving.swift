/// A connection that a task of `serve` handles.
package protocol Served: AnyObject, Hashable, Sendable {
    /// The task that serves it. Set by that task, before its first call.
    var servingTask: ServingTask { get set }
    /// That task was cancelled: its waits end, now and from here on.
    func cancelServing()
}

extension Served {
    package static func == (left: Self, right: Self) -> Bool { left === right }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// The connections that one `serve` is handling.
///
/// Its cancellation ends their waits from here, so that no connection's task needs a cancellation handler of its own,
/// neither for all of its life nor for each wait: that would cost memory and time on every connection for something
/// that happens once.
package final class Serving<Connection: Served>: Sendable {
    private struct State: ~Copyable {
        var isCancelled = false
        var connections: Set<Connection> = []
    }

    private let state = Lock(State())

    package init() {}

    /// The calling task begins to serve `connection`.
    package func begin(_ connection: Connection) {
        connection.servingTask = .current
        let isCancelled = state.withLock { state in
            state.connections.insert(connection)
            return state.isCancelled
        }
        if isCancelled { connection.cancelServing() }
    }

    /// The connection's handler has ended.
    package func end(_ connection: Connection) {
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
