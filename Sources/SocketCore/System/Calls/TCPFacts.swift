internal import CSocketShims

/// What the kernel tells of a TCP connection: TCP_INFO of tcp(7). Older kernels tell less.
package struct TCPFacts: Sendable {
    /// What may be told. Times are microseconds; sizes, windows and rates bytes. Declared in the order of the shims.
    package enum Fact: Int, Sendable, CaseIterable {
        case state
        case roundTripTime, roundTripVariance, minimumRoundTripTime, retransmissionTimeout
        case maximumSegmentSize, congestionWindow, slowStartThreshold, sendWindow, pathMTU
        case unacknowledgedSegments, lostSegments, retransmittedSegments
        case bytesSent, bytesAcknowledged, bytesRetransmitted, bytesReceived, bytesNotSent
        case deliveryRate
    }

    private let values: [Int64]

    private init(_ values: [Int64]) { self.values = values }

    /// Nil when the kernel does not tell.
    package subscript(_ fact: Fact) -> Int? { values[fact.rawValue] < 0 ? nil : Int(values[fact.rawValue]) }

    /// getsockopt(2) with TCP_INFO, or TCP_CONNECTION_INFO on Apple systems.
    package static func read(from descriptor: Int32) -> SystemResult<TCPFacts> {
        var values = [Int64](repeating: -1, count: Int(CSOCKET_TCP_FACT_COUNT))
        return outcome(csocket_tcp_facts(descriptor, &values)).map { _ in TCPFacts(values) }
    }

    /// The same from what some Linux kernel fills of its struct tcp_info.
    package init(linux bytes: [UInt8]) {
        var values = [Int64](repeating: -1, count: Int(CSOCKET_TCP_FACT_COUNT))
        csocket_tcp_facts_of_linux(bytes, bytes.count, &values)
        self.init(values)
    }
}
