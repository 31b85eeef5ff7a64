import Testing

/// A bounded wait ran out.
struct WaitTimedOut: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited in vain: \(what)" }
}

/// Runs `body`, and fails the test when it takes longer than `limit`, also when it does not heed cancellation.
@discardableResult
func within<Value: Sendable>(
    _ limit: Duration = .seconds(60), _ what: String = "the body of within",
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let outcome = Outcome<Value>()
    let work = Task {
        do { outcome.set(.success(try await body())) } catch { outcome.set(.failure(error)) }
    }
    let alarm = Task {
        try await Task.sleep(for: limit)
        if outcome.set(.failure(WaitTimedOut(what: "\(what) took more than \(limit)"))) {
            Issue.record("\(what) took more than \(limit)", sourceLocation: sourceLocation)
            work.cancel()
        }
    }
    defer { alarm.cancel() }
    return try await outcome.value
}

/// One value, set once by anybody and awaited by anybody; completion handlers end here.
final class Outcome<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiters: [CheckedContinuation<Result<Value, any Error>, Never>] = []
        var count = 0
    }

    private let state = TestLock(State())

    /// Keeps the first result; false for a later one, which is only counted.
    @discardableResult
    func set(_ result: Result<Value, any Error>) -> Bool {
        let (isFirst, waiters) = state.withLock { state in
            state.count += 1
            guard state.result == nil else { return (false, [CheckedContinuation<Result<Value, any Error>, Never>]()) }
            state.result = result
            defer { state.waiters = [] }
            return (true, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: result) }
        return isFirst
    }

    /// How often a result was set: a handler that is called twice shows here.
    var count: Int { state.withLock { $0.count } }

    /// The result, once there is one.
    var result: Result<Value, any Error> {
        get async {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state in
                    if state.result == nil { state.waiters.append(continuation) }
                    return state.result
                }
                if let known { continuation.resume(returning: known) }
            }
        }
    }

    /// The value, once there is one.
    var value: Value { get async throws { try await result.get() } }
}

/// Calls an API in its completion-handler form, and waits for its one answer.
func answer<Value: Sendable, Failure: Error>(
    _ limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
    _ call: (@escaping @Sendable (Result<Value, Failure>) -> Void) -> Void
) async throws -> Result<Value, Failure> {
    let outcome = Outcome<Result<Value, Failure>>()
    call { outcome.set(.success($0)) }
    return try await within(limit, "the completion handler", sourceLocation: sourceLocation) { try await outcome.value }
}

/// Runs a blocking body on a thread of its own.
func blocking<Value: Sendable>(
    _ limit: Duration = .seconds(25), sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    let outcome = Outcome<Value>()
    startThread { outcome.set(Result { try body() }) }
    return try await within(limit, "the blocking body", sourceLocation: sourceLocation) { try await outcome.value }
}

/// Looks for a while in which none of the facts changes that `read` tells: what is still on its way is waited for, what
/// goes on and on is a failure.
func expectRest<Facts: Equatable & Sendable>(
    _ what: String, for time: Duration, sourceLocation: SourceLocation = #_sourceLocation,
    _ read: @Sendable () -> Facts
) async throws {
    // Not a wait for something: the time in which nothing may happen.
    try await eventually("\(what) is at rest for \(time)", limit: .seconds(20) + time, sourceLocation: sourceLocation) {
        let before = read()
        try? await Task.sleep(for: time)
        return read() == before
    }
}

/// Waits for something that the system does without telling anybody, as giving a descriptor back: looks, and looks
/// again. Everything that tells is waited for with `EventRecorder`, `Outcome` or an async call.
func eventually(
    _ what: String, limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: @Sendable () async -> Bool
) async throws {
    let end = ContinuousClock.now.advanced(by: limit)
    while !(await condition()) {
        if ContinuousClock.now >= end {
            Issue.record("not within \(limit): \(what)", sourceLocation: sourceLocation)
            throw WaitTimedOut(what: what)
        }
        try await Task.sleep(for: .milliseconds(1))
    }
}

extension ProcessFacts {
    /// How many descriptors are open, once that has stood still for 100 ms.
    static func settledDescriptors() async throws -> Int {
        let last = TestLock([Int]())
        try await eventually("the descriptors have settled") {
            try? await Task.sleep(for: .milliseconds(100))
            let now = descriptors
            return last.withLock { last in
                defer { last = now }
                return last == now
            }
        }
        return descriptors.count
    }
}
