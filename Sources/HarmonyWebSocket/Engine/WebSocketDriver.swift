internal import HarmonySocket
internal import SocketCore

/// Does what the machines of a WebSocket decide, over a stream socket of any kind.
///
/// A WebSocket is one domain of isolation: frames are read, compressed and written on the loop of its stream, and nowhere
/// else; calls from other threads go there, in their order. What a lock guards is only what such calls look at.
final class WebSocketDriver: LoopClient, Sendable {
    let isServer: Bool
    /// Where it lives; its streams too.
    let loop: EventLoop
    // Kept alive, and its threads with it.
    let group: SocketEventLoopGroup?
    private let guardian = Guardian()
    // In here and not in a `Lock`, which other modules cannot specialise. `withState` alone touches it.
    @exclusivity(unchecked) nonisolated(unsafe) private var guarded = WebSocketState()

    // On the loop only.
    @exclusivity(unchecked) nonisolated(unsafe) var link: Link?
    nonisolated(unsafe) var isLeftOver = false
    nonisolated(unsafe) var client: ClientPart?
    @exclusivity(unchecked) nonisolated(unsafe) private var isServicing = false
    @exclusivity(unchecked) nonisolated(unsafe) private var timer: (handle: TimerHandle, deadline: Instant)?
    @exclusivity(unchecked) nonisolated(unsafe) private var deliveryAllowance = 0
    /// What was told last, which is still to be ended.
    @exclusivity(unchecked) nonisolated(unsafe) var endedTelling = WebSocketState.EndedTelling.nothing
    /// The task of `serve` that has the connection. Set before its first call.
    @exclusivity(unchecked) nonisolated(unsafe) var servingTask = ServingTask.none

    /// How many deliveries one turn may make: each may start the next one, as a completion that sends again does.
    private static let deliveryBudget = 32

    init(isServer: Bool, loop: EventLoop, group: SocketEventLoopGroup?) {
        self.isServer = isServer
        self.loop = loop
        self.group = group
    }

    /// Runs `body` alone with the state. It calls nothing that could call back: see `Lock.withLock`.
    @inline(__always)
    func withState<Result, Failure: Error>(
        _ body: (inout WebSocketState) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guardian.lock()
        defer { guardian.unlock() }
        return try body(&guarded)
    }

    // MARK: Turns

    /// Asks for a turn, unless one is under way that will see the change. From any thread.
    func requestTurn() {
        if loop.isCurrent, isServicing { return }
        loop.schedule(self)
    }

    /// Runs `body`, and then everything that has become possible by it. On the loop.
    func service(_ body: () -> Void) {
        if isServicing { return body() }
        isServicing = true
        deliveryAllowance = WebSocketDriver.deliveryBudget
        body()
        settle()
        isServicing = false
    }

    func turn() { service {} }

    private func settle() {
        while true {
            let (ended, budget, mayRead) = (takeEndedTelling(), deliveryAllowance, link != nil)
            let step = withState { $0.nextStep(endsTelling: ended, budget: budget, mayRead: mayRead) }
            switch step {
            case .call(let calls): for call in calls { call() }
            case .tell(let delivery):
                deliveryAllowance -= 1
                delivery.perform()
                endedTelling = .delivery
            case .hand(let delivery, let run):
                run { [self] in
                    delivery.perform()
                    withState { $0.queue.end() }
                    loop.schedule(self)
                }
            case .read: readOn()
            case .rest(let rest):
                if rest.mustYield { loop.yieldTurn(self) }
                // It closes, after everything that was sent.
                if rest.isAbandoned { beginClosing(ClosingMachine.Frame(code: .goingAway)) }
                return setTimer(rest.deadline)
            }
        }
    }

    func takeEndedTelling() -> WebSocketState.EndedTelling {
        defer { endedTelling = .nothing }
        return endedTelling
    }

    func deadlineReached(now: Instant) {
        timer = nil
        service {
            expireReaders(now)
            guard let link else { return }
            if now >= link.closeDeadline {
                link.closeDeadline = .never
                perform(link.closing.expire(), link)
            }
            let isReading = withState { !$0.isStalled }
            switch link.heartbeat?.expire(now, isReading: isReading) ?? .nothing {
            case .nothing: break
            case .ping: sendControl(.ping, [], link)
            case .fail: perform(link.closing.fail(WebSocketError(.pongTimedOut), .policyViolation, "no pong"), link)
            }
        }
    }

    private func setTimer(_ readersDeadline: Instant) {
        var deadline = readersDeadline
        if let link {
            deadline = min(deadline, link.closeDeadline)
            if let heartbeat = link.heartbeat, link.closing.isOpen { deadline = min(deadline, heartbeat.deadline) }
        }
        if timer?.deadline == deadline || timer == nil && deadline == .never { return }
        if let timer { loop.cancelTimer(timer.handle) }
        timer = deadline == .never ? nil : (loop.setTimer(deadline, for: self), deadline)
    }

    // MARK: Calls from elsewhere

    /// Makes a call on the loop: now, if the caller is there, and otherwise in its order among such calls. `bytes`: how
    /// many of a message are in it.
    func post(bytes: Int = 0, _ call: @escaping @Sendable () -> Void) {
        if loop.isCurrent {
            service {
                takeMail()
                call()
            }
            return
        }
        let isFirst = withState { state in
            state.mail.append(call)
            state.mailedBytes += bytes
            return state.mail.count == 1
        }
        if isFirst { loop.schedule(self) }
    }

    /// Makes the calls that came from other threads. On the loop.
    func takeMail() {
        while let calls = withState({ $0.takeMail() }) {
            for call in calls { call() }
        }
    }

    /// Runs `body` as a part of the calling task, on the loop.
    func onLoop<Value: Sendable>(
        _ body: @Sendable () async throws(WebSocketError) -> Value
    ) async throws(WebSocketError) -> Value {
        try await withTaskExecutorPreference(SocketEventLoop.face(of: loop)) {
            () async throws(WebSocketError) -> Value in
            try await runOnLoop(body)
        }
    }

    @concurrent
    private func runOnLoop<Value: Sendable>(
        _ body: @Sendable () async throws(WebSocketError) -> Value
    ) async throws(WebSocketError) -> Value {
        service {}
        return try await body()
    }

    // MARK: Telling

    /// Queues an event, and has it told. On the loop.
    func emit(_ occurrence: Occurrence) {
        withState { $0.queue.emit(occurrence) }
    }

    /// Queues a completion behind the events that came before it. From any thread.
    func complete(_ body: @escaping @Sendable () -> Void) {
        withState { $0.queue.append(body) }
        requestTurn()
    }

    /// Queues the completion of a send that has succeeded. On the loop.
    func completeSent(_ body: @escaping @Sendable (Result<Void, WebSocketError>) -> Void) {
        withState { $0.queue.appendSent(body) }
        requestTurn()
    }

    /// Returns when everything has been told that happened until now.
    func whenTold() async {
        let mustWait = withState { !$0.queue.isIdle }
        if mustWait { _ = await Waiter.wait { waiter in complete { waiter.resume() } } }
    }

    // MARK: Listeners

    func on(_ kind: Occurrence.Kind, once: Bool, _ body: @escaping @Sendable (Occurrence) -> Void) -> Ticket {
        let ticket = withState { state in
            let ticket = state.nextTicket()
            // A closed WebSocket has told its last: keeping the listener would keep what it captures.
            if state.readyState != .closed {
                state.queue.add(EventQueue.Listener(ticket: ticket, kind: kind, isOnce: once, body: body))
            }
            return ticket
        }
        if kind == .message || kind == .dataEnd { requestTurn() }
        return ticket
    }

    func off(where isIncluded: (EventQueue.Listener) -> Bool) {
        let (before, mustTurn) = withState { state in
            (state.queue.remove(where: isIncluded), !state.hasHandle || state.isStalled)
        }
        if mustTurn { requestTurn() }
        withExtendedLifetime(before) {}
    }

    /// The program let go of the object.
    func handleReleased() {
        withState { $0.hasHandle = false }
        requestTurn()
    }
}
