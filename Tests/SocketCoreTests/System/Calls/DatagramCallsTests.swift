import Testing

@testable import SocketCore

@Suite struct DatagramCallsTests {
    /// A datagram that is larger than the buffer loses its end, and says so.
    @Test(arguments: [0, 1, 99, 100, 101, 5_000])
    func receive_intoABufferOf100_flagsWhatWasCut(_ size: Int) throws {
        let receiver = try RawSocket.open(.v4, .datagram)
        defer { receiver.close() }
        try SocketCalls.bind(receiver.number, to: .loopback(.v4)).get()
        let sender = try RawSocket.open(.v4, .datagram)
        defer { sender.close() }
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let address = try receiver.address
        #expect(try bytes.withUnsafeBytes { DatagramCalls.send(sender.number, $0, to: address) }.get() == size)
        try receiver.wait(for: .readable)
        var buffer = [UInt8](repeating: 0xff, count: 100)
        let received = try buffer.withUnsafeMutableBytes { DatagramCalls.receive(receiver.number, into: $0) }.get()
        #expect(received.count == min(size, 100))
        #expect(received.isTruncated == (size > 100))
        #expect(buffer[..<received.count] == bytes[..<min(size, 100)])
        // The rest of it is gone: the next one is another.
        let next = buffer.withUnsafeMutableBytes { DatagramCalls.receive(receiver.number, into: $0) }
        #expect(throws: SystemError.wouldBlock) { try next.get() }
    }
}
