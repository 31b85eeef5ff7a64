/// Waits for changes of the network interfaces. The kernel keeps its news until somebody asks for the next change; if they
/// become too many there, the interfaces are listed anew, and compared.
package final class InterfaceWatch: LoopClient {
    private struct State {
        var changes = Ring<InterfaceMachine.Change>()
        var readers = WaiterQueue<Waiter>()
        var failure: Failure?
        var lastTicket: UInt64 = 0

        /// Somebody waits, and there is nothing for him yet.
        var wantsNews: Bool { !readers.isEmpty && changes.isEmpty && failure == nil }
    }

    private let loop: EventLoop
    // Kept alive, and its threads with it, as long as somebody watches.
    private let group: EventLoopGroup
    private let state = Lock(State())
    private let inquiry: InterfaceInquiry

    // On the loop only.
    nonisolated(unsafe) private var socket: OwnedDescriptor?
    nonisolated(unsafe) private var token: PollToken?
    nonisolated(unsafe) private var machine: InterfaceMachine
    nonisolated(unsafe) private var readiness = Readiness(isReady: true)
    nonisolated(unsafe) private var mustList = false
    nonisolated(unsafe) package var isLeftOver = false

    /// How many datagrams of news one turn reads.
    private static let readBudget = 16

    /// Watches from now on. The first changes are those that make what there is of `known`, if that is given.
    package init(group: EventLoopGroup, since known: [InterfaceRecord]?) throws(Failure) {
        self.group = group
        loop = group.next()
        // Before the list is read: what changes in between is told twice rather than not at all.
        switch InterfaceNewsCalls.open(watching: true) {
        case .success(let opened): socket = consume opened
        case .failure(let error): throw .system(error, .netlink)
        }
        inquiry = try InterfaceInquiry()
        let current = try inquiry.interfaces()
        machine = InterfaceMachine(known ?? current)
        if known != nil {
            let changes = machine.replace(with: current)
            state.withLock { state in for change in changes { state.changes.append(change) } }
        }
        loop.execute { [self] in start() }
    }

    /// Nobody will ask any more.
    package func close() {
        loop.execute { [self] in
            if let token { loop.deregister(socket?.number, token) }
            token = nil
            socket = nil
        }
    }

    /// The next change.
    package func next() async throws(Failure) -> InterfaceMachine.Change {
        while true {
            let (change, failure, ticket) = state.withLock { state in
                state.lastTicket += 1
                return (state.changes.popFirst(), state.failure.take(), Ticket(number: state.lastTicket))
            }
            if let change { return change }
            if let failure { throw failure }
            let ended = await Waiter.wait { waiter in
                state.withLock { state in
                    state.readers.append(Waiting(ticket: ticket, waiter: waiter, deadline: .never, isServing: false))
                }
                loop.schedule(self)
            } onCancel: { [self] in
                state.withLock { $0.readers.remove(ticket) }?.waiter.resume(.cancelled())
            }
            if let ended { throw ended }
        }
    }

    // MARK: On the loop

    private func start() {
        guard let number = socket?.number else { return }
        switch loop.register(number, for: self) {
        case .success(let token): self.token = token
        case .failure(let error): state.withLock { $0.failure = .system(error, .epoll) }
        }
        turn()
    }

    package func ready(_ events: PollEvents) {
        readiness.mark()
        turn()
    }

    package func turn() {
        var reads = 0
        while state.withLock({ $0.wantsNews }) {
            if token != nil, readiness.isReady {
                guard reads < InterfaceWatch.readBudget else { return loop.yieldTurn(self) }
                reads += 1
                read()
            } else if mustList {
                list()
            } else {
                return
            }
        }
        let readers = state.withLock { $0.readers.removeAll { _ in true } }
        for reader in readers { reader.waiter.resume() }
    }

    private func read() {
        guard let number = socket?.number else { return }
        let tick = readiness.tick
        let buffer = Scratch.buffer
        switch InterfaceNewsCalls.receive(number, into: buffer) {
        case .success(let count):
            guard InterfaceNewsCalls.hasDetails else {
                mustList = true
                return
            }
            var parser = NetlinkParser(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            while let news = parser.next() {
                if news == .incomplete { mustList = true }
                tell(machine.apply(news))
            }
        case .failure(.wouldBlock):
            if readiness.clear(since: tick), loop.isLevelTriggered, let token { loop.rearm(token, .read) }
        case .failure(.noBufferSpace): mustList = true
        case .failure(let error): state.withLock { $0.failure = .system(error, .netlink) }
        }
    }

    private func list() {
        do throws(Failure) {
            tell(machine.replace(with: try inquiry.interfaces()))
            mustList = false
        } catch {
            state.withLock { $0.failure = error }
        }
    }

    private func tell(_ changes: [InterfaceMachine.Change]) {
        state.withLock { state in for change in changes { state.changes.append(change) } }
    }
}
