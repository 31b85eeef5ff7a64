import Testing

/// Ends the whole run, naming the test, when a test takes longer than `limit`: a hang is a failure like any other.
struct Bounded: TestTrait, SuiteTrait, TestScoping {
    let limit: Duration
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let alarm = Task.detached {
            try await Task.sleep(for: limit)
            fatalError("\(test.name) of \(test.sourceLocation) took more than \(limit)")
        }
        defer { alarm.cancel() }
        try await function()
    }
}

extension Trait where Self == Bounded {
    /// Every test of the suite ends within 40 s: several times what the slowest takes under a sanitizer.
    static var bounded: Bounded { Bounded(limit: .seconds(40)) }
}
