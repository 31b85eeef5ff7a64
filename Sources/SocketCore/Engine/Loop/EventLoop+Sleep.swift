extension EventLoop {
    /// Suspends the calling task, of whatever executor, until `deadline`, or until it is cancelled.
    package func sleep(until deadline: Instant) async {
        let sleeper = Sleeper(loop: self)
        _ = await Waiter.wait { waiter in
            sleeper.begin(waiter, until: deadline)
        } onCancel: {
            sleeper.end()
        }
    }
}

/// Sleeps for one task, once.
private final class Sleeper: LoopClient {
    private let loop: EventLoop
    private let waiter = Lock<Waiter?>(nil)
    // On the loop only.
    nonisolated(unsafe) private var timer: TimerHandle?

    init(loop: EventLoop) { self.loop = loop }

    func begin(_ waiter: Waiter, until deadline: Instant) {
        self.waiter.withLock { $0 = waiter }
        if loop.isCurrent {
            timer = loop.setTimer(deadline, for: self)
            return
        }
        loop.execute { [self] in
            // A cancellation that came first has ended it.
            if self.waiter.withLock({ $0 != nil }) { timer = loop.setTimer(deadline, for: self) }
        }
    }

    func deadlineReached(now: Instant) { waiter.withLock { $0.take() }?.resume() }

    /// Ends the sleep early, unless it has ended.
    func end() {
        guard let waiter = waiter.withLock({ $0.take() }) else { return }
        waiter.resume()
        loop.execute { [self] in
            if let timer { loop.cancelTimer(timer) }
        }
    }
}
