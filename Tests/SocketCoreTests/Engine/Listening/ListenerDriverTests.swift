import Testing

@testable import SocketCore

@Suite struct ListenerDriverTests {
    private func makeListener(_ group: EventLoopGroup) -> ListenerDriver {
        ListenerDriver(group: group) { $0 }
    }

    /// Unwatched it would be deaf for ever: it says why, and closes.
    @Test func listener_thatCannotBeWatched_isClosed() async throws {
        let driver = makeListener(RefusingPoller.makeGroup())
        let story = Mailbox<String>()
        _ = driver.on(.error) { if case .error(let failure, _) = $0 { story.put("\(failure)") } }
        _ = driver.on(.close) { _ in story.put("close") }
        try driver.listen(on: .loopback(.v4), backlog: 4)
        let failure = Failure.system(.noSpace, .epoll)
        #expect(try await story.take(2) == ["\(failure)", "close"])
        #expect(driver.snapshot.isClosed)
        #expect(driver.lastError == failure)
    }

    /// Another thread is in the middle of a call: the descriptor is handed over when that has ended, and not before.
    @Test func detach_whileACallUsesTheDescriptor_waitsForIt() async throws {
        let group = EventLoopGroup(count: 1)
        let driver = makeListener(group)
        try driver.listen(on: .loopback(.v4), backlog: 4)
        let address = try #require(driver.localAddress)
        let (begun, mayEnd) = (Mailbox<Void>(), Counter())
        try ProcessCalls.startThread("test-option") {
            driver.withDescriptor { _ in
                begun.put(())
                waitOnThread { mayEnd.value > 0 }
            }
        }.get()
        try await begun.take()
        let detached = Mailbox<Result<Int32, Failure>>()
        driver.detach { detached.put($0) }
        try await eventually("closed") { driver.snapshot.isClosed }
        try await onLoop(driver.loop) {}
        #expect(detached.contents.isEmpty)
        mayEnd.add()
        let socket = RawSocket(OwnedDescriptor(adopting: try await detached.take().get()))
        #expect(try socket.address == address)
        await #expect(throws: Failure.closed) { try await driver.detach() }
        let client = try RawSocket.connected(to: address)
        try socket.accept().close()
        client.close()
        socket.close()
    }

    /// Connections go to those who wait, or stay for the next who asks; those who give up take none with them.
    @Test func accepts_thatAreCancelledOrTimedOut_loseNoConnection() async throws {
        let group = EventLoopGroup(count: 1)
        let driver = makeListener(group)
        try driver.listen(on: .loopback(.v4), backlog: 64)
        let address = try #require(driver.localAddress)
        let accepted = Counter()
        let ended = Mailbox<Void>()
        var clients: [RawSocket] = []
        let count = 60
        for number in 0..<count {
            let task = Task {
                if let connection = try? await driver.accept(timeout: .microseconds(100 * (number % 40))) {
                    accepted.add()
                    // Not by a reset, which could overtake the peer's connect(2).
                    connection.end(.flush)
                }
                ended.put(())
            }
            if number % 2 == 0 { clients.append(try RawSocket.connected(to: address)) }
            if number % 4 == 1 { task.cancel() }
        }
        _ = try await ended.take(count)
        for _ in 0..<(clients.count - accepted.value) {
            try await bounded("a connection that was left over") { try await driver.accept().end(.reset) }
        }
        try await bounded("close") { await driver.close() }
        for client in clients { client.close() }
    }
}
