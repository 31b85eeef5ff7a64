import CSocketShims
import Testing

@testable import SocketCore

@Suite struct SocketDriverTests {
    /// A socket of each kind that has a descriptor, and how it is closed.
    private func makeDrivers(_ group: EventLoopGroup) throws -> [(any SocketDriver, @Sendable () -> Void)] {
        let (stream, _) = try StreamDriver.connected(on: group)
        stream.startWatching()
        let listener = ListenerDriver(group: group) { $0 }
        try listener.listen(on: .loopback(.v4), backlog: 4)
        let datagram = DatagramDriver(group: group)
        try datagram.bind(to: .loopback(.v6))
        return [(stream, { stream.reset {} }), (listener, { listener.close {} }), (datagram, { datagram.close {} })]
    }

    @Test func descriptor_closedDuringACall_staysThatCallsUntilItsEnd() async throws {
        for (driver, close) in try makeDrivers(EventLoopGroup(count: 1)) {
            let address = try #require(driver.localAddress)
            let found = try await blocking {
                try driver.withOpenDescriptor(.getOption) { number in
                    close()
                    // Nobody else is lent it any more: the loop has let go.
                    while driver.withDescriptor({ _ in }) != nil { csocket_sleep(1_000_000) }
                    return SocketCalls.localAddress(number)
                }
            }
            #expect(found == address)
            try await eventually("the end of the socket") { driver.snapshot.isClosed }
            #expect(throws: Failure.closed) {
                try driver.withOpenDescriptor(.getOption) { SocketCalls.localAddress($0) }
            }
        }
    }

    // MARK: Binding

    /// The kinds whose bind gives them everything at once: their calls, under one name.
    enum Bound: CaseIterable, Sendable {
        case listener, datagrams

        struct Subject: Sendable {
            let driver: any SocketDriver
            let bind: @Sendable () -> Failure?
            let close: @Sendable (@escaping @Sendable () -> Void) -> Void
        }

        func make(_ group: EventLoopGroup) -> Subject {
            switch self {
            case .listener:
                let driver = ListenerDriver(group: group) { $0 }
                return Subject(
                    driver: driver,
                    bind: { failure { () throws(Failure) in try driver.listen(on: .loopback(.v4), backlog: 4) } },
                    close: { driver.close(completion: $0) })
            case .datagrams:
                let driver = DatagramDriver(group: group)
                return Subject(
                    driver: driver,
                    bind: { failure { () throws(Failure) in try driver.bind(to: .loopback(.v4)) } },
                    close: { driver.close(completion: $0) })
            }
        }
    }

    /// From many threads at once: one binds, and the others are told so.
    @Test(arguments: Bound.allCases)
    func bind_fromManyThreads_succeedsOnce(_ kind: Bound) async throws {
        let group = EventLoopGroup(count: 1)
        for _ in 0..<40 {
            let subject = kind.make(group)
            let outcomes = Mailbox<Failure?>()
            for _ in 0..<3 { try ProcessCalls.startThread("test-bind") { outcomes.put(subject.bind()) }.get() }
            let failures = try await outcomes.take(3)
            #expect(failures.filter { $0 == nil }.count == 1)
            #expect(failures.filter { $0 == .alreadyBound }.count == 2)
            let local = try #require(subject.driver.withDescriptor { SocketCalls.localAddress($0) })
            #expect(try local.get() == subject.driver.localAddress)
            try await close(subject)
        }
    }

    /// Whoever is first: afterwards it is closed, and stays so.
    @Test(arguments: Bound.allCases)
    func bind_againstClose_endsClosed(_ kind: Bound) async throws {
        let group = EventLoopGroup(count: 1)
        for round in 0..<100 {
            let subject = kind.make(group)
            let closed = Mailbox<Void>()
            let outcome = Mailbox<Failure?>()
            try ProcessCalls.startThread("test-bind") { outcome.put(subject.bind()) }.get()
            for _ in 0..<(round * 13 % 300) { _ = Instant.now }
            subject.close { closed.put(()) }
            let failure = try await outcome.take()
            try await closed.take("close")
            #expect(failure == nil || failure == .closed)
            #expect(subject.driver.snapshot.isClosed)
            #expect(subject.driver.withDescriptor { _ in } == nil)
            try await close(subject)
        }
    }

    private func close(_ subject: Bound.Subject) async throws {
        let closed = Mailbox<Void>()
        subject.close { closed.put(()) }
        try await closed.take("close")
    }

    @Test func descriptor_thatIsNotThereYet_isInvalidState() throws {
        let group = EventLoopGroup(count: 1)
        let drivers: [any SocketDriver] = [
            StreamDriver(group: group), ListenerDriver(group: group) { $0 }, DatagramDriver(group: group),
        ]
        for driver in drivers {
            #expect(throws: Failure.invalidState(.notBound)) {
                try driver.withOpenDescriptor(.getOption) { SocketCalls.localAddress($0) }
            }
        }
    }
}

/// How `body` fails; nil when it does not.
private func failure(_ body: () throws(Failure) -> Void) -> Failure? {
    do throws(Failure) {
        try body()
        return nil
    } catch {
        return error
    }
}
