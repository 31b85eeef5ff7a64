/// A look-up under way. Whoever asked is told once, on any thread, or not at all after `cancel`.
package final class LookUp: Sendable {
    package typealias Completion = @Sendable (Result<[Resolver.Answer], NameCalls.Failure>) -> Void

    private struct State: Sendable {
        var completion: Completion?
        var task: Task<Void, Never>?
    }

    private let state: Lock<State>

    init(_ completion: @escaping Completion) {
        state = Lock(State(completion: completion))
    }

    /// Asks a resolver of the program, in a task of its own: it may block its thread, take its time, or never answer.
    convenience init(
        _ name: String, _ family: SocketAddress.Family, asking resolver: @escaping NameResolver,
        _ completion: @escaping Completion
    ) {
        self.init(completion)
        let task = Task {
            complete(
                await resolver(name, family).map { addresses in
                    addresses.lazy.filter { $0.family == family }.prefix(NameCalls.limit).map(Resolver.Answer.init)
                })
        }
        state.withLock { $0.task = task }
    }

    /// Whether whoever asked still listens.
    var isWanted: Bool { state.withLock { $0.completion != nil } }

    /// Stops listening, and lets go of whoever asked. The look-up ends by itself, if it has begun.
    package func cancel() {
        let given = state.withLock { state in
            let given = state
            state = State()
            return given
        }
        given.task?.cancel()
    }

    func complete(_ result: Result<[Resolver.Answer], NameCalls.Failure>) {
        state.withLock { $0.completion.take() }?(result)
    }
}
