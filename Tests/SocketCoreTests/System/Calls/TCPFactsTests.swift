import SocketCore
import Testing

@Suite struct TCPFactsTests {
    /// A fact, where struct tcp_info of <linux/tcp.h> has it, and in how many bytes.
    private static let layout: [(TCPFacts.Fact, offset: Int, size: Int)] = [
        (.state, 0, 1), (.retransmissionTimeout, 8, 4), (.maximumSegmentSize, 16, 4), (.unacknowledgedSegments, 24, 4),
        (.lostSegments, 32, 4), (.pathMTU, 60, 4), (.roundTripTime, 68, 4), (.roundTripVariance, 72, 4),
        (.slowStartThreshold, 76, 4), (.congestionWindow, 80, 4), (.retransmittedSegments, 100, 4),
        (.bytesAcknowledged, 120, 8), (.bytesReceived, 128, 8), (.bytesNotSent, 144, 4),
        (.minimumRoundTripTime, 148, 4),
        (.deliveryRate, 160, 8), (.bytesSent, 200, 8), (.bytesRetransmitted, 208, 8), (.sendWindow, 228, 4),
    ]

    /// What a kernel would fill: each fact has a value of its own.
    private static func filled(_ values: [TCPFacts.Fact: UInt64] = [:]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 300)
        for (fact, offset, size) in layout {
            let value = values[fact] ?? UInt64(fact.rawValue + 1)
            withUnsafeBytes(of: value.littleEndian) { source in
                for index in 0..<size { bytes[offset + index] = source[index] }
            }
        }
        return bytes
    }

    private static func expected(_ fact: TCPFacts.Fact) -> Int {
        let segment = TCPFacts.Fact.maximumSegmentSize.rawValue + 1
        // Counted in segments by the kernel.
        let isInSegments = fact == .congestionWindow || fact == .slowStartThreshold
        return (fact.rawValue + 1) * (isInSegments ? segment : 1)
    }

    @Test func everyFact_hasItsPlace() {
        #expect(Set(TCPFactsTests.layout.map(\.0)) == Set(TCPFacts.Fact.allCases))
        let facts = TCPFacts(linux: TCPFactsTests.filled())
        for fact in TCPFacts.Fact.allCases { #expect(facts[fact] == TCPFactsTests.expected(fact), "\(fact)") }
    }

    /// Linux 2.6 fills 104 bytes, 4.1 136, 4.9 192, 4.19 and later more; a kernel may also stop in the middle of a fact.
    @Test(arguments: [0, 1, 3, 84, 104, 127, 136, 152, 160, 192, 216, 231, 232, 300])
    func olderKernel_tellsLess(_ length: Int) {
        let facts = TCPFacts(linux: Array(TCPFactsTests.filled().prefix(length)))
        for (fact, offset, size) in TCPFactsTests.layout {
            #expect(facts[fact] == (offset + size <= length ? TCPFactsTests.expected(fact) : nil), "\(fact)")
        }
    }

    @Test func whatIsNotKnownYet_isNil() {
        let none = UInt64(UInt32.max)
        let facts = TCPFacts(
            linux: TCPFactsTests.filled([.minimumRoundTripTime: none, .slowStartThreshold: 0x7fff_ffff]))
        #expect(facts[.minimumRoundTripTime] == nil)
        #expect(facts[.slowStartThreshold] == nil)
        #expect(TCPFacts(linux: TCPFactsTests.filled([.deliveryRate: .max]))[.deliveryRate] == .max)
    }

    @Test func connection_ofThisKernel_isEstablished() throws {
        let pair = try RawPair()
        defer { pair.close() }
        let facts = try TCPFacts.read(from: pair.near.number).get()
        #expect(facts[.state] == 1)
        #expect((facts[.maximumSegmentSize] ?? 0) > 500)
        let datagram = try RawSocket.open(.v4, .datagram)
        defer { datagram.close() }
        #expect(throws: SystemError.self) { try TCPFacts.read(from: datagram.number).get() }
    }
}
