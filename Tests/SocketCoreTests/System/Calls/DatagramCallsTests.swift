import Testing

@testable import SocketCore

@Suite struct DatagramCallsTests {
    /// A bound receiver and an unbound sender on loopback.
    private struct Pair {
        let receiver: RawSocket
        let sender: RawSocket
        let address: SocketAddress

        init(_ family: SocketAddress.Family = .v4) throws {
            receiver = try RawSocket.open(family, .datagram)
            try SocketCalls.bind(receiver.number, to: .loopback(family)).get()
            address = try receiver.address
            sender = try RawSocket.open(family, .datagram)
        }

        func batch(_ sizes: [Int]) -> [DatagramCalls.Outgoing] {
            sizes.enumerated().map { index, size in
                DatagramCalls.Outgoing(
                    bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: size), destination: address)
            }
        }

        /// What arrives, until `count` have.
        func receive(_ count: Int, limit: Int = DatagramCalls.receiveLimit) throws -> [[UInt8]] {
            var datagrams: [[UInt8]] = []
            while datagrams.count < count {
                try receiver.wait(for: .readable)
                _ = try DatagramCalls.receive(receiver.number, limit: limit) { datagrams.append(Array($0.bytes)) }.get()
            }
            return datagrams
        }

        func close() {
            receiver.close()
            sender.close()
        }
    }

    /// Whatever the kernel does to make it cheap, what arrives is what was sent: bounds, order, empty datagrams.
    @Test(
        arguments: [
            [7], [0], [5, 5, 5, 5, 2], [5, 5, 2, 5], [10, 0, 0, 10, 10], Array(repeating: 64, count: 100),
            Array(repeating: 1200, count: 60) + [3], [60_000, 60_000], [1, 2, 3, 4, 5],
        ], SocketAddress.Family.allCases)
    func batch_arrivesAsItWasSent(_ sizes: [Int], _ family: SocketAddress.Family) throws {
        for (segments, gathers) in [(false, false), (true, false), (false, true), (true, true)] {
            let pair = try Pair(family)
            defer { pair.close() }
            if gathers { _ = DatagramCalls.enableOffload(pair.receiver.number) }
            let maySegment = segments && DatagramCalls.enableOffload(pair.sender.number)
            var rest = pair.batch(sizes)[...]
            while !rest.isEmpty {
                let count = try DatagramCalls.send(pair.sender.number, rest, maySegment: maySegment).get()
                #expect((1...DatagramCalls.sendLimit).contains(count))
                rest = rest.dropFirst(count)
            }
            #expect(try pair.receive(sizes.count) == pair.batch(sizes).map(\.bytes), "\(segments) \(gathers)")
            #expect(throws: SystemError.wouldBlock) {
                try DatagramCalls.receive(pair.receiver.number, limit: 4) { _ in }.get()
            }
        }
    }

    @Test func receive_saysWhetherThereIsMore() throws {
        let pair = try Pair()
        defer { pair.close() }
        for _ in 0..<3 { _ = try DatagramCalls.send(pair.sender.number, pair.batch([1])[...], maySegment: false).get() }
        #expect(try DatagramCalls.receive(pair.receiver.number, limit: 2) { _ in }.get() == false)
        #expect(try DatagramCalls.receive(pair.receiver.number, limit: 2) { _ in }.get() == true)
    }

    /// The kernel's answer is about the first datagram that did not go.
    @Test func send_endsBeforeTheOneThatIsRefused() throws {
        let pair = try Pair()
        defer { pair.close() }
        let batch = pair.batch([1, 2, 65_508, 3])
        #expect(try DatagramCalls.send(pair.sender.number, batch[...], maySegment: false).get() == 2)
        let refused = DatagramCalls.send(pair.sender.number, batch[2...], maySegment: false)
        #expect(throws: SystemError.messageTooLong) { try refused.get() }
        #expect(try DatagramCalls.send(pair.sender.number, batch[3...], maySegment: false).get() == 1)
        #expect(try pair.receive(3).map(\.count) == [1, 2, 3])
    }

    /// A datagram that is larger than a slot loses its end, and says so.
    @Test(arguments: [65_535, 65_536, 65_537, 100_000])
    func receive_ofALargerDatagramThanASlot_flagsWhatWasCut(_ size: Int) throws {
        let pair = try LocalPair()
        let batch = [DatagramCalls.Outgoing(bytes: [UInt8](repeating: 1, count: size), destination: .none)]
        _ = try DatagramCalls.send(pair.first.number, batch[...], maySegment: false).get()
        var received: [(count: Int, isTruncated: Bool)] = []
        _ = try DatagramCalls.receive(pair.second.number, limit: 4) {
            received.append(($0.bytes.count, $0.details?.isTruncated ?? false))
        }.get()
        #expect(received.count == 1)
        #expect(received.first?.count == min(size, 65_536))
        #expect(received.first?.isTruncated == (size > 65_536))
    }
}
