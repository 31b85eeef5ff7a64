import Testing

@testable import SocketCore

@Suite struct EventLoopSleepTests {
    /// A task that prefers a loop, as those of the faces do.
    private func sleeping(_ time: Duration, on group: SocketLoops) -> Task<Duration, Never> {
        Task(executorPreference: group.executor) {
            let start = Instant.now
            await group.loop.sleep(until: start.advanced(by: time))
            return Instant.now.duration(since: start)
        }
    }

    @Test func sleep_endsAtItsDeadline() async throws {
        let loops = SocketLoops()
        let slept = await sleeping(.milliseconds(20), on: loops).value
        #expect(slept >= .milliseconds(20))
    }

    @Test func sleep_ofATaskElsewhere_endsAtItsDeadlineToo() async throws {
        let loops = SocketLoops()
        let slept = try await bounded("the sleep ends") {
            let start = Instant.now
            await loops.loop.sleep(until: start.advanced(by: .milliseconds(20)))
            return Instant.now.duration(since: start)
        }
        #expect(slept >= .milliseconds(20))
    }

    @Test(arguments: [true, false]) func cancelledSleep_endsAtOnce(isOnLoop: Bool) async throws {
        let loops = SocketLoops()
        for round in 0..<50 {
            let task =
                isOnLoop
                ? sleeping(.seconds(3600), on: loops)
                : Task {
                    let start = Instant.now
                    await loops.loop.sleep(until: start.advanced(by: .seconds(3600)))
                    return Instant.now.duration(since: start)
                }
            if round.isMultiple(of: 2) { await Task.yield() }
            task.cancel()
            let slept = try await bounded("the sleep ends") { await task.value }
            #expect(slept < .seconds(60))
        }
    }
}

/// A loop as an executor.
private final class SocketLoops: Sendable {
    final class Executor: TaskExecutor {
        let loop: EventLoop
        init(_ loop: EventLoop) { self.loop = loop }
        func enqueue(_ job: consuming ExecutorJob) { loop.enqueue(.job(UnownedJob(job))) }
    }

    private final class Serial: SerialExecutor {
        func enqueue(_ job: consuming ExecutorJob) {}
    }

    private let group = EventLoopGroup(count: 1)
    private let serial = Serial()
    let executor: Executor
    var loop: EventLoop { group.loops[0] }

    init() {
        executor = Executor(group.loops[0])
        group.loops[0].setExecutor(
            executor, serial: serial.asUnownedSerialExecutor(), task: executor.asUnownedTaskExecutor())
    }
}
