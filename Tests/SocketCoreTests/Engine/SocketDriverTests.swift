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
