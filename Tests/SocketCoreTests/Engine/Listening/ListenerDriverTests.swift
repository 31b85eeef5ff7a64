import Testing

@testable import SocketCore

@Suite struct ListenerDriverTests {
    private func makeListener(_ group: EventLoopGroup) -> ListenerDriver {
        ListenerDriver(group: group) { $0 }
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
