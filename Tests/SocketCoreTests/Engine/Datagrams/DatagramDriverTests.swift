import Testing

@testable import SocketCore

@Suite struct DatagramDriverTests {
    /// Unwatched it would be deaf for ever: it says why, and closes.
    @Test func socket_thatCannotBeWatched_isClosed() async throws {
        let driver = DatagramDriver(group: RefusingPoller.makeGroup())
        let story = Mailbox<String>()
        _ = driver.on(.error) { if case .error(let failure, _) = $0 { story.put("\(failure)") } }
        _ = driver.on(.close) { _ in story.put("close") }
        try driver.bind(to: .loopback(.v4))
        let address = try #require(driver.localAddress)
        driver.receive(
            .one(), timeout: nil,
            DatagramsCompletion { _, result in
                // Before the loop found out, or later.
                if case .failure(.aborted) = result { story.put("receive") }
                if case .failure(.closed) = result { story.put("receive") }
            })
        let failure = Failure.system(.noSpace, .epoll)
        #expect(Set(try await story.take(3)) == ["\(failure)", "receive", "close"])
        #expect(driver.snapshot.isClosed)
        #expect(driver.lastError == failure)
        try await eventually("the descriptor is given back") { OpenSockets.count(touching: [address.port]) == 0 }
    }

    /// Receives in both styles, against datagrams, cancellation, time-outs and close: each ends exactly once, and no
    /// datagram is told twice.
    @Test(arguments: [UInt64(1), 2])
    func everyReceive_endsExactlyOnce(_ seed: UInt64) async throws {
        let group = EventLoopGroup(count: 1)
        var generator = SplitMix(seed)
        for _ in 0..<10 {
            let driver = DatagramDriver(group: group)
            try driver.bind(to: .loopback(.v4))
            let address = try #require(driver.localAddress)
            let peer = try RawSocket.open(.v4, .datagram)
            defer { peer.close() }
            let got = Journal<[UInt8]>()
            let ended = Mailbox<Int>()
            let count = 40
            var sent: UInt8 = 0
            for number in 0..<count {
                let timeout: Duration? = [nil, .zero, .microseconds(50)].randomElement(using: &generator) ?? nil
                let wish: DatagramDriver.Wish =
                    [.one(), .one(hearsErrors: false), .batch(3)].randomElement(using: &generator) ?? .one()
                let keep: @Sendable (Result<[Datagram], Failure>) -> Void = { result in
                    if case .success(let datagrams) = result { for each in datagrams { got.note(each.bytes) } }
                    ended.put(number)
                }
                if Bool.random(using: &generator) {
                    driver.receive(wish, timeout: timeout, DatagramsCompletion { _, result in keep(result) })
                } else {
                    let task = Task {
                        do throws(Failure) {
                            keep(.success(try await driver.receive(wish, timeout: timeout)))
                        } catch {
                            keep(.failure(error))
                        }
                    }
                    if Bool.random(using: &generator) { task.cancel() }
                }
                if Bool.random(using: &generator) {
                    _ = [sent].withUnsafeBytes { DatagramCalls.send(peer.number, $0, to: address) }
                    sent += 1
                }
            }
            driver.close {}
            let numbers = try await ended.take(count)
            #expect(Set(numbers) == Set(0..<count))
            #expect(ended.contents.isEmpty, "ended twice")
            #expect(Set(got.entries).count == got.entries.count)
        }
    }
}
