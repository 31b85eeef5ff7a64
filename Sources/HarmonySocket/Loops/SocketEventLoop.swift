internal import SocketCore

/// A thread that serves sockets, and an executor on which tasks can run beside them.
///
/// Each socket belongs to one loop for life; its listeners and completions run there. A task that prefers a socket's
/// loop awaits the socket without any thread hop:
///
/// ```swift
/// let loop = tcp.eventLoop
/// try await withTaskExecutorPreference(loop) {
///     try await tcp.send("ping")
///     _ = try await tcp.receive()
/// }
/// ```
///
/// Work that blocks stalls every socket of the loop; move it away, to a `Task.detached` or an actor of its own. The
/// preference reaches `async let`, children in task groups and actors without an executor of their own. It does not
/// reach `Task {}` and `Task.detached`, the main actor, and actors that have an executor.
public final class SocketEventLoop: TaskExecutor, SerialExecutor {
    let core: EventLoop

    init(core: EventLoop) {
        self.core = core
        core.setExecutor(self, serial: asUnownedSerialExecutor(), task: asUnownedTaskExecutor())
    }

    /// Whether the caller runs on this loop's thread.
    public var isCurrent: Bool { core.isCurrent }

    /// Runs `body` on the loop's thread, in order with everything else that was handed to it.
    ///
    /// Never runs it during the call, also not on the loop itself.
    public func execute(_ body: @escaping @Sendable () -> Void) { core.execute(body) }

    /// Runs a job of a task on the loop's thread.
    public func enqueue(_ job: consuming ExecutorJob) { core.enqueue(.job(UnownedJob(job))) }

    /// This loop as the executor of an actor.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// This loop as the executor that a task prefers.
    public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    /// Traps unless the caller runs on this loop: what `assumeIsolated` of an actor on this loop asks.
    public func checkIsolated() {
        precondition(isCurrent, "not on socket loop \(core.number)")
    }
}
