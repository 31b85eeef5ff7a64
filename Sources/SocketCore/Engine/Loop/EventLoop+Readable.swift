extension EventLoop {
    /// Suspends the calling task until a descriptor that no socket owns has something to read, has ended, or is broken.
    /// Says why it cannot wait, or was cancelled.
    package func waitUntilReadable(_ number: Int32) async -> Failure? {
        switch FileCalls.size(number) {
        case .failure(let error): return .unusable(number, error)
        case .success(.some): return nil // A file's read(2) waits for nobody.
        case .success(nil): break
        }
        let watch = ReadableWatch(loop: self, number)
        return await Waiter.wait { waiter in
            watch.begin(waiter)
        } onCancel: {
            // On the loop: when the caller goes on, the descriptor is its own again.
            execute { watch.end(.cancelled()) }
        }
    }
}

/// Watches one descriptor for one task, once.
private final class ReadableWatch: LoopClient {
    private let loop: EventLoop
    private let number: Int32
    private let waiter = Lock<Waiter?>(nil)
    // On the loop only.
    nonisolated(unsafe) private var token: PollToken?

    init(loop: EventLoop, _ number: Int32) {
        self.loop = loop
        self.number = number
    }

    func begin(_ waiter: Waiter) {
        self.waiter.withLock { $0 = waiter }
        loop.execute { [self] in
            // A cancellation that came first has ended it.
            guard self.waiter.withLock({ $0 != nil }) else { return }
            switch loop.register(number, for: self) {
            case .success(let token): self.token = token
            case .failure(.notPermitted): end(nil) // One that never waits, as /dev/null.
            case .failure(let error): end(.unusable(number, error))
            }
        }
    }

    func ready(_ events: PollEvents) {
        if !events.isDisjoint(with: [.readable, .endOfInput, .hangUp, .error]) { end(nil) }
    }

    /// Ends the wait, unless something else has. On the loop.
    func end(_ failure: Failure?) {
        guard let waiter = waiter.withLock({ $0.take() }) else { return }
        if let token { loop.deregister(number, token) }
        waiter.resume(failure)
    }
}

extension Failure {
    /// This descriptor cannot be waited for.
    fileprivate static func unusable(_ number: Int32, _ error: SystemError) -> Failure {
        .invalidArgument(.init("descriptor", "\(number): \(error.message)"))
    }
}
