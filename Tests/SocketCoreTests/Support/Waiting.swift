import SocketCore
import Testing

/// Several times what the slowest wait takes under a sanitizer on a busy machine: it is there for hangs, not for speed.
let generous: Duration = .seconds(60)

/// A bounded wait ran out.
struct WaitTimedOut: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited in vain for \(what)" }
}

/// A queue that any thread fills and one task empties.
final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var waiter: CheckedContinuation<Element, Never>?
    }

    private let state = Lock(State())

    init() {}

    func put(_ element: Element) {
        let waiter = state.withLock { state -> CheckedContinuation<Element, Never>? in
            if let waiter = state.waiter.take() { return waiter }
            state.elements.append(element)
            return nil
        }
        waiter?.resume(returning: element)
    }

    /// The oldest element. Bounded.
    func take(
        _ what: String = "a message", limit: Duration = generous, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Element {
        try await bounded(what, limit: limit, sourceLocation: sourceLocation) { [self] in
            await withCheckedContinuation { continuation in
                let element = state.withLock { state -> Element? in
                    guard state.elements.isEmpty else { return state.elements.removeFirst() }
                    state.waiter = continuation
                    return nil
                }
                if let element { continuation.resume(returning: element) }
            }
        }
    }

    /// The oldest `count` elements. Bounded.
    func take(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [Element] {
        var taken: [Element] = []
        while taken.count < count {
            taken.append(try await take("message \(taken.count) of \(count)", sourceLocation: sourceLocation))
        }
        return taken
    }

    /// What is there now.
    var contents: [Element] { state.withLock { $0.elements } }
}

/// Runs `body`, and fails the test when it takes longer than `limit`, also when it does not heed cancellation.
@discardableResult
func bounded<Value: Sendable>(
    _ what: String = "the body", limit: Duration = generous, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let work = Task { try await body() }
    let result: Result<Value, any Error> = await withCheckedContinuation { continuation in
        let end = Once(continuation)
        let alarm = Task {
            try await Task.sleep(for: limit)
            end.resume(.failure(WaitTimedOut(what: what)))
            work.cancel()
        }
        Task {
            end.resume(await work.result)
            alarm.cancel()
        }
    }
    if case .failure(let error as WaitTimedOut) = result, error.what == what {
        Issue.record("\(what) took more than \(limit)", sourceLocation: sourceLocation)
    }
    return try result.get()
}

/// A continuation that several may try to resume.
private final class Once<Value: Sendable>: Sendable {
    private let continuation: Lock<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) {
        self.continuation = Lock(continuation)
    }

    func resume(_ value: Value) { continuation.withLock { $0.take() }?.resume(returning: value) }
}

/// Runs a blocking body on a thread of its own: Swift's pool has only a few.
func blocking<Value: Sendable>(
    _ what: String = "the blocking body", limit: Duration = generous * 2,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await bounded(what, limit: limit, sourceLocation: sourceLocation) {
        // A task, and not just a thread, so that its expectations know which test they belong to.
        try await Task(executorPreference: ThreadPerJob.shared) { try body() }.value
    }
}

/// Runs each job on a new thread.
private final class ThreadPerJob: TaskExecutor {
    static let shared = ThreadPerJob()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let started = ProcessCalls.startThread("test-blocking") {
            job.runSynchronously(on: ThreadPerJob.shared.asUnownedTaskExecutor())
        }
        precondition(started.error == nil, "no thread to be had")
    }
}

/// Waits for something that the system does without telling anybody, as giving a descriptor back: looks, and looks
/// again. Everything that tells is waited for with a `Mailbox` or an async call.
func eventually(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: @Sendable () -> Bool
) async throws {
    let end = Instant.now.advanced(by: generous)
    while !condition() {
        if Instant.now >= end {
            Issue.record("not within \(generous): \(what)", sourceLocation: sourceLocation)
            throw WaitTimedOut(what: what)
        }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// Holds the calling thread, which is a test's own, until `condition` holds; bounded.
func waitOnThread(until condition: () -> Bool) {
    let end = Instant.now.advanced(by: generous)
    while !condition(), Instant.now < end { ProcessThreads.yield() }
}

/// Counts, from any thread.
final class Counter: Sendable {
    private let number = Lock(0)

    init() {}

    var value: Int { number.withLock { $0 } }

    /// Adds one and returns the sum.
    @discardableResult
    func add(_ count: Int = 1) -> Int {
        number.withLock { number in
            number += count
            return number
        }
    }
}

/// Keeps what it is told, in order and from any thread.
final class Journal<Entry: Sendable>: Sendable {
    private let kept = Lock<[Entry]>([])

    init() {}

    func note(_ entry: Entry) { kept.withLock { $0.append(entry) } }

    var entries: [Entry] { kept.withLock { $0 } }
}

extension Result {
    /// Why it failed; nil when it did not.
    var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}
