internal import SocketCore

/// What the kernel knows of a TCP connection (TCP_INFO in tcp(7); TCP_CONNECTION_INFO on Apple systems).
///
/// A value that the kernel does not tell is nil; since which Linux it does is noted, and so is what Apple systems leave
/// out. Sizes and windows are bytes.
public struct TCPInfo: Sendable, Hashable, Codable {
    /// The states of RFC 9293.
    public enum State: String, Sendable, Hashable, Codable, CaseIterable {
        /// Connected.
        case established
        /// A connect is under way.
        case synSent
        /// A peer's connect is under way.
        case synReceived
        /// We have ended our direction.
        case finWait1
        /// We have ended our direction, and the peer knows.
        case finWait2
        /// Both directions have ended; the port is kept for a while.
        case timeWait
        /// No connection.
        case closed
        /// The peer has ended its direction.
        case closeWait
        /// The peer has ended its direction, and we have ended ours.
        case lastAck
        /// A server's.
        case listen
        /// Both directions have ended at the same time.
        case closing
    }

    /// The state of the connection.
    public let state: State

    /// How long a packet and its acknowledgement take, smoothed; zero before the first measurement.
    public let roundTripTime: Duration

    /// How much that varies.
    public let roundTripVariance: Duration

    /// The shortest so far. Linux 4.6, not Apple.
    public let minimumRoundTripTime: Duration?

    /// How long the kernel waits for an acknowledgement before it sends again.
    public let retransmissionTimeout: Duration

    /// The most that one segment carries.
    public let maximumSegmentSize: Int

    /// How much may be under way without being acknowledged, as congestion control sees it.
    public let congestionWindow: Int

    /// The congestion window at which slow start ends; nil when it has no bound yet.
    public let slowStartThreshold: Int?

    /// How much the peer has room for. Linux 5.4.
    public let sendWindow: Int?

    /// The largest packet that the way carries. Not Apple.
    public let pathMTU: Int?

    /// Segments under way. Not Apple.
    public let unacknowledgedSegments: Int?

    /// Segments that are taken to be lost, at this moment. Not Apple.
    public let lostSegments: Int?

    /// Segments that were sent again, in all.
    public let retransmittedSegments: Int

    /// Bytes sent, in all, those sent again included. Linux 4.19.
    public let bytesSent: Int?

    /// Bytes that the peer has acknowledged, in all; a connect and our end count as one each. Linux 4.1, not Apple.
    public let bytesAcknowledged: Int?

    /// Bytes sent again, in all. Linux 4.19.
    public let bytesRetransmitted: Int?

    /// Bytes received, in all; on Linux the peer's end counts as one. Linux 4.1.
    public let bytesReceived: Int?

    /// Bytes in the kernel's buffer that were not sent yet. Linux 4.6, not Apple.
    public let bytesNotSent: Int?

    /// How fast the peer takes what is sent, in bytes a second, as last measured; nil before that. Linux 4.9, not Apple.
    public let deliveryRate: Int?

    init(_ facts: TCPFacts) {
        func time(_ fact: TCPFacts.Fact) -> Duration? { facts[fact].map { .microseconds($0) } }
        state = facts[.state].flatMap(State.init(linux:)) ?? .closed
        roundTripTime = time(.roundTripTime) ?? .zero
        roundTripVariance = time(.roundTripVariance) ?? .zero
        minimumRoundTripTime = time(.minimumRoundTripTime)
        retransmissionTimeout = time(.retransmissionTimeout) ?? .zero
        maximumSegmentSize = facts[.maximumSegmentSize] ?? 0
        congestionWindow = facts[.congestionWindow] ?? 0
        slowStartThreshold = facts[.slowStartThreshold]
        sendWindow = facts[.sendWindow]
        pathMTU = facts[.pathMTU]
        unacknowledgedSegments = facts[.unacknowledgedSegments]
        lostSegments = facts[.lostSegments]
        retransmittedSegments = facts[.retransmittedSegments] ?? 0
        bytesSent = facts[.bytesSent]
        bytesAcknowledged = facts[.bytesAcknowledged]
        bytesRetransmitted = facts[.bytesRetransmitted]
        bytesReceived = facts[.bytesReceived]
        bytesNotSent = facts[.bytesNotSent]
        deliveryRate = facts[.deliveryRate].flatMap { $0 > 0 ? $0 : nil }
    }
}

extension TCPInfo.State {
    /// From Linux's numbers, which begin at 1.
    fileprivate init?(linux number: Int) {
        let states: [TCPInfo.State] = [
            .established, .synSent, .synReceived, .finWait1, .finWait2, .timeWait, .closed, .closeWait, .lastAck,
            .listen, .closing, .synReceived,
        ]
        guard states.indices.contains(number - 1) else { return nil }
        self = states[number - 1]
    }
}

extension TCPInfo: CustomStringConvertible {
    /// `established, rtt 48.0 µs, window 655360 bytes, 3 segments sent again`.
    public var description: String {
        "\(state), rtt \(roundTripTime.rounded), window \(congestionWindow) bytes, \(retransmittedSegments) segments sent again"
    }
}

extension StreamSocket {
    /// What the kernel knows of the connection at this moment: round-trip times, windows, losses, bytes.
    ///
    /// ```swift
    /// let info = try await tcp.getTCPInfo()
    /// print(info.roundTripTime, info.retransmittedSegments)
    /// ```
    ///
    /// - Throws: `.notConnected` before connect; `.closed` after close; `.notSupported` when the kernel has none.
    public func getTCPInfo() async throws(SocketError) -> TCPInfo { try readTCPInfo() }

    /// What the kernel knows of the connection; the handler is called in the socket's order of events.
    public func getTCPInfo(completion: @escaping @Sendable (Result<TCPInfo, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readTCPInfo() }
        stream.driver.complete { completion(result) }
    }

    /// The same at once, for statistics.
    func readTCPInfo() throws(SocketError) -> TCPInfo {
        do throws(Failure) {
            return TCPInfo(try stream.driver.readTCPFacts())
        } catch {
            throw stream.error(error, .getInfo)
        }
    }
}
