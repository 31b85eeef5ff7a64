extension EventLoop {
    /// Suspends the calling task, which runs on this loop, until `deadline`, or until it is cancelled.
    package func sleep(until deadline: Instant) async {
        let sleeper = Sleeper()
        _ = await Waiter.wait { waiter in
            sleeper.begin(waiter, setTimer(deadline, for: sleeper))
        } onCancel: { [self] in
            guard sleeper.end() else { return }
            execute { [self] in
                if let timer = sleeper.timer { cancelTimer(timer) }
            }
        }
    }

    private final class Sleeper: LoopClient {
        private let waiter = Lock<Waiter?>(nil)
        // On the loop only.
        nonisolated(unsafe) private(set) var timer: TimerHandle?

        func begin(_ waiter: Waiter, _ timer: TimerHandle) {
            self.timer = timer
            self.waiter.withLock { $0 = waiter }
        }

        func deadlineReached(now: Instant) { _ = end() }

        /// Ends the sleep, unless something else has.
        func end() -> Bool {
            guard let waiter = waiter.withLock({ $0.take() }) else { return false }
            waiter.resume()
            return true
        }
    }
}
