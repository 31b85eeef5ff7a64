/// One thread with one poller, a job queue and timers. Each socket belongs to one loop for life.
///
/// A turn: run the jobs, wait for events (not at all when work is left over), hand the events out, each followed by the
/// jobs that it brought, serve what earlier turns left over, expire timers. What a turn does is bounded, so that one busy
/// socket starves nobody.
package final class EventLoop: Sendable {
    /// How many jobs may run before the next look at the descriptors, and how many after it.
    private static let jobBudget = 256

    /// Work from other threads, and whether the loop has been told of it.
    private struct Inbox: ~Copyable {
        var tasks: [LoopTask] = []
        var isWakeupPending = false
        var isStarted = false
    }

    /// A number that tells loops apart in logs.
    package let number: Int

    private let poller: any Poller
    private let inbox = Lock(Inbox())
    // Everything in here belongs to the loop's own thread.
    nonisolated(unsafe) private let own: UnsafeMutablePointer<ThreadState>

    /// What is left to the stream whose turn it is. On the loop only.
    @exclusivity(unchecked) nonisolated(unsafe) var allowance = StreamDriver.Allowance()

    private struct ThreadState {
        var jobs = Ring<LoopTask>()
        var leftovers: [any LoopClient] = []
        var served: [any LoopClient] = []
        var registrations = Registrations()
        var timers = TimerHeap<any LoopClient>()
        var received: [LoopTask] = []
        var pipes = PipePool()
        var serialExecutor: UnownedSerialExecutor?
        var taskExecutor: UnownedTaskExecutor?
        var executorOwner: AnyObject?
        var detachedTask = ServingTask.none
        var isStopping = false
        var hosting = Hosting.none
        var stopped: (@Sendable () -> Void)?
    }

    /// Whether a thread of the program runs the loop.
    private enum Hosting { case none, ongoing, over }

    /// Makes a loop whose thread is not running yet.
    package init(number: Int, poller: any Poller) {
        self.number = number
        self.poller = poller
        own = .allocate(capacity: 1)
        own.initialize(to: ThreadState())
    }

    deinit {
        own.deinitialize(count: 1)
        own.deallocate()
    }

    /// Names the executor as which jobs run, before the first use. `owner` lives as long as the loop's thread.
    package func setExecutor(
        _ owner: AnyObject, serial: UnownedSerialExecutor, task: UnownedTaskExecutor
    ) {
        own.pointee.executorOwner = owner
        own.pointee.serialExecutor = serial
        own.pointee.taskExecutor = task
    }

    /// Starts the loop's thread. When the system has none to give, the next use tries again.
    private func start() {
        if case .failure = ProcessCalls.startThread("socket-loop-\(number)", { [self] in run() }) {
            inbox.withLock { $0.isStarted = false }
        }
    }

    /// Ends the thread once nothing is registered and nothing is queued; `done` runs as its last act.
    package func stop(_ done: @escaping @Sendable () -> Void) {
        execute { [self] in
            own.pointee.isStopping = true
            own.pointee.stopped = done
        }
    }

    /// The executor that `setExecutor` named; nil after the thread's end.
    package var executor: AnyObject? { own.pointee.executorOwner }

    /// Whether the calling thread is this loop's.
    package var isCurrent: Bool {
        ThreadCalls.currentLoop == Unmanaged.passUnretained(self).toOpaque()
    }

    /// The calling task, which runs on the loop, has no handle: nobody can cancel it but itself. Until `endDetachedTask`.
    package func beginDetachedTask() { own.pointee.detachedTask = .current }

    package func endDetachedTask() {
        if own.pointee.detachedTask.isCurrent { own.pointee.detachedTask = .none }
    }

    /// Whether the caller runs in such a task, on the loop, and will not be cancelled.
    var runsDetachedTask: Bool { isCurrent && own.pointee.detachedTask.isCurrent && !Task.isCancelled }

    // MARK: Work

    /// Hands in work from any thread. It runs on the loop, in order; never during this call.
    package func enqueue(_ task: LoopTask) {
        if isCurrent {
            own.pointee.jobs.append(task)
            return
        }
        let (mustWake, mustStart) = inbox.withLock { inbox in
            inbox.tasks.append(task)
            defer {
                inbox.isWakeupPending = true
                inbox.isStarted = true
            }
            return (!inbox.isWakeupPending, !inbox.isStarted)
        }
        if mustStart { start() } else if mustWake { poller.wake() }
    }

    /// Gives `client` a turn soon. From any thread.
    package func schedule(_ client: any LoopClient) { enqueue(.turn(client)) }

    /// Gives `client` a turn after the next look at the descriptors: it has used up its budget. On the loop only.
    package func yieldTurn(_ client: any LoopClient) {
        if client.isLeftOver { return }
        client.isLeftOver = true
        own.pointee.leftovers.append(client)
    }

    /// Runs `body` on the loop. From any thread; allocates.
    package func execute(_ body: @escaping @Sendable () -> Void) { enqueue(.call(body)) }

    // MARK: Descriptors and timers, on the loop only

    /// Watches a descriptor for `client`, which is kept alive until `deregister`.
    package func register(_ descriptor: Int32, for client: any LoopClient) -> SystemResult<PollToken> {
        let token = own.pointee.registrations.add(client)
        switch poller.add(descriptor, token: token) {
        case .success: return .success(token)
        case .failure(let error):
            own.pointee.registrations.remove(token)
            return .failure(error)
        }
    }

    /// Ends watching. Events of this registration that are still on their way are dropped.
    package func deregister(_ descriptor: Int32?, _ token: PollToken) {
        if let descriptor { poller.remove(descriptor, token: token) }
        own.pointee.registrations.remove(token)
    }

    /// Hands a registration on: its further events go to `client`.
    package func transfer(_ token: PollToken, to client: any LoopClient) {
        own.pointee.registrations.replace(token, with: client)
    }

    /// Whether `rearm` must be called; else it need not be.
    package var isLevelTriggered: Bool { poller.isLevelTriggered }

    /// A call in this direction would have blocked: report the direction again when it is ready. From any thread.
    package func rearm(_ token: PollToken, _ direction: Direction) {
        if isCurrent {
            poller.rearm(token, direction)
        } else {
            execute { [self] in poller.rearm(token, direction) }
        }
    }

    /// Calls `client.deadlineReached` at `deadline`.
    package func setTimer(_ deadline: Instant, for client: any LoopClient) -> TimerHandle {
        own.pointee.timers.insert(client, at: deadline.nanoseconds)
    }

    /// Takes a timer back. Harmless when it has run out already.
    package func cancelTimer(_ handle: TimerHandle) {
        own.pointee.timers.remove(handle)
    }

    // MARK: Pipes, on the loop only

    /// An empty pipe for splice(2); nil when there is none to be had, or the caller is not on the loop.
    func takePipe() -> Pipe? { isCurrent ? own.pointee.pipes.take() : nil }

    /// Gives back a pipe that is empty again.
    func keepPipe(_ pipe: Pipe) {
        if isCurrent { own.pointee.pipes.keep(pipe) }
    }

    // MARK: The thread

    private func run() {
        ThreadCalls.currentLoop = Unmanaged.passUnretained(self).toOpaque()
        takeInbox()
        while !isIdleAndStopping || !endUnlessTold() { turn() }
        ThreadCalls.currentLoop = nil
    }

    private func turn() {
        runJobs(atMost: EventLoop.jobBudget)
        wait()
        serveLeftovers()
        takeInbox()
        expireTimers()
    }

    /// Runs the loop on the calling thread, in place of one of its own, from `begin`, which is called first, until
    /// `endHosting`. False, and nothing has happened, when it has a thread already.
    ///
    /// A thread less: every system call is cheaper in a process that has only one, because no other thread can close the
    /// descriptor meanwhile, and so the kernel need not hold on to it.
    package func host(_ begin: () -> Void) -> Bool {
        let isFree = inbox.withLock { inbox in
            defer { inbox.isStarted = true }
            return !inbox.isStarted
        }
        guard isFree else { return false }
        let outer = ThreadCalls.currentLoop
        ThreadCalls.currentLoop = Unmanaged.passUnretained(self).toOpaque()
        ThreadCalls.withoutBrokenPipeSignal {
            own.pointee.hosting = .ongoing
            begin()
            takeInbox()
            while !isOver { turn() }
            own.pointee.hosting = .none
        }
        ThreadCalls.currentLoop = outer
        // Whatever else uses the loop goes on.
        start()
        return true
    }

    /// Lets `host` return. From any thread.
    package func endHosting() {
        execute { [self] in
            if own.pointee.hosting == .ongoing { own.pointee.hosting = .over }
        }
    }

    /// Whether this thread leaves the loop now.
    private var isOver: Bool {
        switch own.pointee.hosting {
        case .none: isIdleAndStopping
        case .ongoing: false
        case .over: true
        }
    }

    private var isIdleAndStopping: Bool {
        own.pointee.isStopping && own.pointee.registrations.count == 0 && own.pointee.jobs.isEmpty
    }

    /// Ends the thread, unless somebody has handed in work. Whoever does so from here on, because it still holds the
    /// loop or runs a task on it, starts another thread, which ends in the same way.
    private func endUnlessTold() -> Bool {
        let owner = own.pointee.executorOwner.take()
        let done = own.pointee.stopped.take()
        let hasEnded = inbox.withLock { inbox in
            guard inbox.tasks.isEmpty else { return false }
            inbox.isStarted = false
            inbox.isWakeupPending = false
            return true
        }
        // From here on `own` belongs to the next thread.
        if hasEnded {
            done?()
        } else {
            own.pointee.executorOwner = owner
            own.pointee.stopped = done
        }
        return hasEnded
    }

    private func wait() {
        let deadline: Instant?
        if !own.pointee.jobs.isEmpty || !own.pointee.leftovers.isEmpty || isOver {
            deadline = Instant(nanoseconds: 0)
        } else {
            deadline = own.pointee.timers.earliestDeadline.map { Instant(nanoseconds: $0) }
        }
        var budget = EventLoop.jobBudget
        _ = poller.wait(until: deadline) { token, events in
            let olderJobs = own.pointee.jobs.count
            if let client = own.pointee.registrations[token] { client.ready(events) }
            // A task that the event resumed runs while what it needs, its socket and itself, is in the cache. What this
            // brings in turn comes after the other events.
            let count = own.pointee.jobs.count
            if count > 0, olderJobs == 0, budget > 0 {
                runJobs(atMost: min(count, budget))
                budget -= count
            }
        }
    }

    private func serveLeftovers() {
        guard !own.pointee.leftovers.isEmpty else { return }
        swap(&own.pointee.leftovers, &own.pointee.served)
        for client in own.pointee.served {
            client.isLeftOver = false
            client.turn()
        }
        own.pointee.served.removeAll(keepingCapacity: true)
    }

    private func takeInbox() {
        // The two arrays change places, so neither is allocated again.
        inbox.withLock { inbox in
            inbox.isWakeupPending = false
            if !inbox.tasks.isEmpty { swap(&inbox.tasks, &own.pointee.received) }
        }
        guard !own.pointee.received.isEmpty else { return }
        for task in own.pointee.received { own.pointee.jobs.append(task) }
        own.pointee.received.removeAll(keepingCapacity: true)
    }

    private func runJobs(atMost most: Int) {
        var budget = most
        while budget > 0, let task = own.pointee.jobs.popFirst() {
            budget -= 1
            switch task {
            case .job(let job):
                // Not isolated to anything: a task that only prefers this loop would otherwise find itself on an
                // executor that is not its own, and go through the queue at every return from an async call.
                if let executor = own.pointee.taskExecutor { job.runSynchronously(on: executor) }
            case .actorJob(let job): run(job)
            case .turn(let client): client.turn()
            case .call(let body): body()
            }
        }
    }

    private func run(_ job: UnownedJob) {
        if let serial = own.pointee.serialExecutor, let task = own.pointee.taskExecutor {
            job.runSynchronously(isolatedTo: serial, taskExecutor: task)
        }
    }

    private func expireTimers() {
        guard let earliest = own.pointee.timers.earliestDeadline else { return }
        let now = Instant.now
        guard earliest <= now.nanoseconds else { return }
        while let client = own.pointee.timers.popExpired(upTo: now.nanoseconds) {
            client.deadlineReached(now: now)
        }
    }
}
