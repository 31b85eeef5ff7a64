package import SocketCore

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
public final class SocketEventLoop: TaskExecutor {
    /// This loop as the executor of actors. An actor on a socket's loop reaches the socket without a thread hop:
    ///
    /// ```swift
    /// actor Session {
    ///     let tcp = TCPSocket()
    ///     nonisolated var unownedExecutor: UnownedSerialExecutor {
    ///         tcp.eventLoop.serialExecutor.asUnownedSerialExecutor()
    ///     }
    /// }
    /// ```
    public let serialExecutor: SocketEventLoopSerialExecutor
    package let core: EventLoop

    init(core: EventLoop) {
        self.core = core
        serialExecutor = SocketEventLoopSerialExecutor(core: core)
        core.setExecutor(
            self, serial: serialExecutor.asUnownedSerialExecutor(), task: asUnownedTaskExecutor())
    }

    /// The public face of a loop.
    package static func face(of loop: EventLoop) -> SocketEventLoop {
        guard let face = loop.executor as? SocketEventLoop else {
            // Out of any program's reach: a SocketEventLoopGroup gives each loop its face before it can make a socket, and
            // a socket keeps the group, which keeps the faces. Only a mistake of ours in that gets here.
            preconditionFailure("a loop without a face")
        }
        return face
    }

    /// Whether the caller runs on this loop's thread.
    public var isCurrent: Bool { core.isCurrent }

    /// Runs `body` on the loop's thread, in order with everything else that was handed to it.
    ///
    /// Never runs it during the call, also not on the loop itself.
    public func execute(_ body: @escaping @Sendable () -> Void) { core.execute(body) }

    /// Runs an async `body` on the loop, and keeps the calling thread until it has ended; returns or throws what it does.
    ///
    /// For programs whose main function is not async. A loop that has no thread yet runs on the calling one, until `body`
    /// has ended; then it gets its own. All that `body` awaits of sockets happens on loops, so a program that is written
    /// around this call does without the threads of Swift's own pool, which it would start otherwise. With one loop it may
    /// have a single thread, which makes every system call cheaper; while nothing happens, it does not run at all:
    ///
    /// ```swift
    /// func main() throws {
    ///     let server = TCPSocketServer()
    ///     try server.eventLoop.run {
    ///         try await server.listen(NetAddress("127.0.0.1", port: 7007))
    ///         try await server.serve { client in
    ///             for try await chunk in client.messages { try await client.send(chunk.message) }
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// `body` runs as a task that prefers this loop; what follows from that is said at `SocketEventLoop`. On the main
    /// thread this call keeps the main actor from running, so a `body` that waits for it waits forever. On the loop's
    /// own thread it would wait for itself, and traps.
    ///
    /// ## Cancellation
    /// Not cancellable: the caller is no task. What `body` awaits can be ended in other ways, as by closing a socket.
    @available(*, noasync, message: "await the body instead, in withTaskExecutorPreference(loop)")
    public func run<Success: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () async throws(Failure) -> Success
    ) throws(Failure) -> Success {
        precondition(!isCurrent, "socket loop \(core.number) cannot wait for itself")
        let result = Handover<Result<Success, Failure>>()
        func begin(isHosted: Bool) {
            Task(executorPreference: self) { [core] in
                core.beginDetachedTask()
                let outcome: Result<Success, Failure>
                do throws(Failure) {
                    outcome = .success(try await body())
                } catch {
                    outcome = .failure(error)
                }
                core.endDetachedTask()
                result.give(outcome)
                if isHosted { core.endHosting() }
            }
        }
        if !core.host({ begin(isHosted: true) }) { begin(isHosted: false) }
        return try result.wait().get()
    }

    /// Waits until a descriptor that is none of the SDK's has something to read, or has ended: a pipe, a terminal, a signalfd.
    ///
    /// One read(2) does not block after that. A file on a disk always has something to read. The descriptor stays the
    /// caller's, who keeps it open meanwhile; one wait at a time. So a program does without a thread that reads:
    ///
    /// ```swift
    /// try await tcp.eventLoop.waitUntilReadable(0)
    /// print(readLine() ?? "the end")
    /// ```
    ///
    /// - Throws: `.invalidArgument` for a descriptor that is not open, or is waited for already; `.cancelled`.
    ///
    /// ## Cancellation
    /// Ends the wait; nothing is read.
    public func waitUntilReadable(_ descriptor: Int) async throws(SocketError) {
        let failure: Failure? =
            if let number = Int32(exactly: descriptor) {
                await core.waitUntilReadable(number)
            } else {
                .invalidArgument(.init("descriptor", "\(descriptor) is no descriptor"))
            }
        if let failure { throw SocketError(failure, .wait, nil) }
    }

    /// Suspends the calling task for at least `duration`.
    ///
    /// The loop keeps the time: a program whose tasks run on loops does without the threads that `Task.sleep` starts, and a
    /// task of the loop without a thread hop.
    ///
    /// ```swift
    /// for round in 1...3 {
    ///     try await tcp.send("round \(round)")
    ///     try await tcp.eventLoop.sleep(for: .milliseconds(500))
    /// }
    /// ```
    ///
    /// - Throws: `.cancelled`.
    ///
    /// ## Cancellation
    /// Ends the sleep at once.
    public func sleep(for duration: Duration) async throws(SocketError) {
        await core.sleep(until: .after(duration))
        if Task.isCancelled { throw SocketError(.cancelled(), .wait, nil) }
    }

    /// Runs a job of a task on the loop's thread.
    public func enqueue(_ job: consuming ExecutorJob) { core.enqueue(.job(UnownedJob(job))) }

    /// This loop as the executor that a task prefers.
    public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
}

/// A socket loop as the executor of actors: see `SocketEventLoop.serialExecutor`.
///
/// An object of its own, because the jobs of an actor run isolated to it, and those of a task that only prefers the
/// loop must not.
public final class SocketEventLoopSerialExecutor: SerialExecutor {
    private let core: EventLoop

    init(core: EventLoop) { self.core = core }

    /// Runs a job of an actor on the loop's thread.
    public func enqueue(_ job: consuming ExecutorJob) { core.enqueue(.actorJob(UnownedJob(job))) }

    /// This executor, for an actor's `unownedExecutor`.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Traps unless the caller runs on this loop: what `assumeIsolated` of an actor on this loop asks.
    public func checkIsolated() {
        precondition(core.isCurrent, "not on socket loop \(core.number)")
    }
}
