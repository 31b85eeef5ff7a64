import Testing

@testable import SocketCore

/// The life of a connection, whatever happens in whatever order.
@Suite struct StreamDriverTests {
    enum Action: String, Sendable, CaseIterable {
        case peerSends, peerEnds, peerResets, send, receive, finish, close, reset
    }

    /// More than the kernel takes: the queue is full until the peer reads.
    private static let large = [UInt8](repeating: 9, count: 1_000_000)

    /// What completed, and what was told.
    private final class Story: Sendable {
        let journal = Journal<String>()
        let completions = Mailbox<String>()
        let closed = Mailbox<Void>()
        let expected = Counter()

        func complete(_ name: String) {
            journal.note("completion of \(name)")
            completions.put(name)
        }
    }

    /// Every order of three of the actions, with and without a message listener. Whatever happens: every call completes
    /// once, "close" is told once and last, and the descriptor is given back.
    @Test(arguments: Action.allCases, [true, false])
    func connection_inEveryOrderOfEvents_endsOnce(_ first: Action, _ listens: Bool) async throws {
        let group = EventLoopGroup(count: 1)
        var ports: Set<Set<UInt16>> = []
        for second in Action.allCases where second != first {
            for third in Action.allCases where third != first && third != second {
                ports.insert(try await tell([first, second, third], listens: listens, on: group))
            }
        }
        try await eventually("every descriptor is given back") { [ports] in OpenSockets.count(between: ports) == 0 }
    }

    /// Returns the ports by which the descriptors of this story are known.
    private func tell(_ actions: [Action], listens: Bool, on group: EventLoopGroup) async throws -> Set<UInt16> {
        let names = actions.map(\.rawValue).joined(separator: ", ")
        let (driver, peer) = try StreamDriver.connected(on: group, sendBuffer: 200_000)
        let ports = try Set([peer.address.port, driver.localAddress?.port ?? 0])
        let story = Story()
        for kind in [EventKind.end, .error, .drain] { _ = driver.on(kind) { _ in story.journal.note("\(kind)") } }
        if listens { _ = driver.on(.message) { _ in story.journal.note("message") } }
        _ = driver.on(.close) { _ in
            story.journal.note("close")
            story.closed.put(())
        }
        driver.startWatching()
        for action in actions { perform(action, driver, peer, story) }
        // The peer reads on, and goes; then we do.
        Task {
            _ = try? await blocking(names) {
                _ = try? peer.receiveAll()
                peer.close()
            }
        }
        story.expected.add()
        driver.close { story.complete("last close") }
        let count = story.expected.value
        var completed: [String] = []
        while completed.count < count {
            completed.append(try await story.completions.take("completion \(completed) of: \(names)"))
        }
        try await story.closed.take("the close event of: \(names)")
        // Everything that was still on its way has been told when this has.
        let told = Mailbox<Void>()
        driver.complete { told.put(()) }
        try await told.take("the end of: \(names)")
        #expect(story.completions.contents.isEmpty, "\(names): completed twice")
        #expect(story.closed.contents.isEmpty, "\(names): closed twice")
        let events = story.journal.entries.filter { !$0.hasPrefix("completion") }
        #expect(events.last == "close", "\(names): \(events)")
        #expect(events.filter { $0 == "end" }.count <= 1, "\(names): \(events)")
        #expect(driver.snapshot.isClosed && !driver.snapshot.isConnected && !driver.snapshot.isBound, "\(names)")
        return ports
    }

    private func perform(_ action: Action, _ driver: StreamDriver, _ peer: RawSocket, _ story: Story) {
        switch action {
        case .peerSends: try? peer.send([1, 2, 3])
        case .peerEnds: try? peer.finish()
        case .peerResets: peer.reset()
        case .send:
            story.expected.add(2)
            for name in ["send", "second send"] {
                driver.send(
                    .array(StreamDriverTests.large), timeout: nil, SendCompletion { _, _ in story.complete(name) })
            }
        case .receive:
            story.expected.add()
            driver.receive(timeout: nil, ReceiveCompletion { _, _ in story.complete("receive") })
        case .finish:
            story.expected.add()
            driver.finish { _ in story.complete("finish") }
        case .close:
            story.expected.add()
            driver.close { story.complete("close") }
        case .reset:
            story.expected.add()
            driver.reset { story.complete("reset") }
        }
    }

    @Test func connection_thatCannotBeWatched_isClosed() async throws {
        let (driver, peer) = try StreamDriver.connected(on: RefusingPoller.makeGroup())
        let closed = Mailbox<Failure?>()
        _ = driver.on(.close) { if case .close(let failure) = $0 { closed.put(failure) } }
        driver.startWatching()
        #expect(try await closed.take() == .system(.noSpace, .epoll))
        peer.close()
    }

    /// A connect needs the descriptor that bind() made, and another thread is in the middle of a call on it: it begins
    /// when that has ended, with that very descriptor. Or never, when the socket is closed meanwhile.
    @Test(arguments: [true, false])
    func connect_whileACallUsesTheBoundDescriptor_waitsForIt(_ isClosed: Bool) async throws {
        let group = EventLoopGroup(count: 1)
        let listener = try RawSocket.listener()
        let driver = StreamDriver(group: group)
        try driver.bind(to: .loopback(.v4))
        let own = try #require(driver.localAddress)
        let (begun, mayEnd) = (Mailbox<Void>(), Counter())
        try ProcessCalls.startThread("test-option") {
            driver.withDescriptor { _ in
                begun.put(())
                waitOnThread { mayEnd.value > 0 }
            }
        }.get()
        try await begun.take()
        let connected = Mailbox<Result<Void, Failure>>()
        driver.connect(to: .address(try listener.address), timeout: .seconds(10)) { connected.put($0) }
        // Behind the start of the attempt, which finds the descriptor in use.
        try await onLoop(driver.loop) {}
        #expect(connected.contents.isEmpty)
        if isClosed {
            try await bounded("close") { await driver.close() }
            let outcome = try await connected.take()
            #expect(throws: Failure.aborted()) { try outcome.get() }
        }
        mayEnd.add()
        if isClosed {
            try await eventually("the descriptor is given back") { OpenSockets.count(touching: [own.port]) == 0 }
        } else {
            try await connected.take().get()
            #expect(driver.localAddress == own)
            try listener.accept().close()
            try await bounded("close") { await driver.close() }
        }
        listener.close()
    }

    /// A reset while another thread is in the middle of its system call: what that did not take is dropped, and its
    /// caller hears so.
    @Test(arguments: [true, false])
    func send_thatAResetOvertakes_ends(_ isAsync: Bool) async throws {
        let group = EventLoopGroup(count: 1)
        let bytes = [UInt8](repeating: 3, count: 16_000_000)
        // A loop that is awake meets the system call; one that must wake up first comes too late.
        let isOver = Counter()
        group.loops[0].schedule(
            RecordingClient(turn: { client in if isOver.value == 0 { group.loops[0].yieldTurn(client) } }))
        for round in 0..<12 {
            let (driver, peer) = try StreamDriver.connected(on: group)
            driver.startWatching()
            let ended = Mailbox<Void>()
            try ProcessCalls.startThread("test-sender") {
                guard isAsync else {
                    return driver.send(.array(bytes), timeout: nil, SendCompletion { _, _ in ended.put(()) })
                }
                switch driver.beginSend(.array(bytes)) {
                case .queued(let ticket):
                    Task {
                        try? await driver.waitForSend(ticket, timeout: nil)
                        ended.put(())
                    }
                case .sent, .failed: ended.put(())
                }
            }.get()
            try await blocking {
                waitOnThread { driver.withState { !$0.write.isFlushed } }
            }
            driver.reset {}
            try await ended.take("the end of the send in round \(round)")
            peer.close()
        }
        isOver.add()
    }

    /// The same with close: it flushes, so the send ends as soon as the peer has read it.
    @Test func send_thatACloseOvertakes_isFlushed() async throws {
        let group = EventLoopGroup(count: 1)
        let bytes = [UInt8](repeating: 3, count: 1_000_000)
        for round in 0..<25 {
            let (driver, peer) = try StreamDriver.connected(on: group)
            driver.startWatching()
            let ended = Mailbox<Failure?>()
            let started = Mailbox<Void>()
            try ProcessCalls.startThread("test-sender") {
                started.put(())
                driver.send(.array(bytes), timeout: nil, SendCompletion { ended.put($1) })
            }.get()
            try await started.take()
            for _ in 0..<(round * 37 % 500) { _ = Instant.now }
            driver.close {}
            let received = try await blocking { try peer.receiveAll().count }
            switch try await ended.take("the end of the send in round \(round)") {
            case nil: #expect(received == bytes.count)
            case let failure?:
                #expect(failure == .closed)
                #expect(received == 0)
            }
            peer.close()
        }
    }
}
