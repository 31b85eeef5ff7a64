extension Resolver {
    /// A task that waits for an answer.
    private struct Waiting: Sendable {
        var waiter: Waiter?
        var lookUp: LookUp?
        var result: Result<[Answer], NameCalls.Failure>?
    }

    /// Looks `name` up for one family. A cancelled task stops waiting at once.
    package func addresses(
        of name: String, _ family: SocketAddress.Family
    ) async throws(Failure) -> [Answer] {
        let waiting = Lock(Waiting())
        let failure = await Waiter.wait { waiter in
            waiting.withLock { $0.waiter = waiter }
            let lookUp = lookUp(name, family) { result in
                waiting.withLock { waiting in
                    waiting.result = result
                    return waiting.waiter.take()
                }?.resume()
            }
            waiting.withLock { $0.lookUp = lookUp }
        } onCancel: {
            let (waiter, lookUp) = waiting.withLock { ($0.waiter.take(), $0.lookUp.take()) }
            lookUp?.cancel()
            waiter?.resume(.cancelled())
        }
        if let failure { throw failure }
        switch waiting.withLock({ $0.result }) {
        case .success(let answers): return answers
        case .failure(let failure): throw Failure(failure, name)
        case nil: return []
        }
    }
}

extension Failure {
    /// Why `name` has no addresses.
    init(_ failure: NameCalls.Failure, _ name: String) {
        switch failure {
        case .unknownName: self = .unknownHost(name)
        case .resolver(let message): self = .resolver(name: name, message: message)
        case .system(let error): self = .system(error, .resolve)
        }
    }
}
