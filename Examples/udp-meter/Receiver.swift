import ExampleSupport
import HarmonySocket

/// Measures what arrives, stream by stream, and tells each sender at the end what became of it.
struct Receiver {
    private final class Stream {
        let peer: SocketRemoteInfo
        var meter = Meter()
        /// What its sender was told, when it is over.
        var report: String?

        init(_ peer: SocketRemoteInfo) { self.peer = peer }
    }

    /// Streams that somebody may begin, and never end, are not many at a time.
    private static let streamLimit = 64

    private let udp: UDPSocket
    private var streams: [UInt32: Stream] = [:]
    private let start = ContinuousClock.now

    init(_ udp: UDPSocket) { self.udp = udp }

    mutating func run() async throws {
        for try await batch in udp.messageBatches {
            // What came together arrived together, as far as this program can know.
            let arrived = nanoseconds(ContinuousClock.now - start)
            for datagram in batch {
                guard let probe = Probe(datagram.message), let stream = stream(probe, datagram.remoteInfo) else {
                    continue
                }
                if probe.isLast {
                    try? await udp.send(finish(stream, probe.number), to: datagram.remoteInfo)
                } else if stream.report == nil {
                    stream.meter.add(probe, size: datagram.message.count, arrived: arrived)
                }
            }
        }
    }

    private mutating func stream(_ probe: Probe, _ peer: SocketRemoteInfo) -> Stream? {
        if let known = streams[probe.stream] { return known }
        if streams.count >= Receiver.streamLimit { streams = streams.filter { $0.value.report == nil } }
        guard streams.count < Receiver.streamLimit else { return nil }
        let new = Stream(peer)
        streams[probe.stream] = new
        return new
    }

    /// The report of a stream; the same again for a sender that did not get it.
    private func finish(_ stream: Stream, _ total: UInt64) -> [UInt8] {
        if let report = stream.report { return Array(report.utf8) }
        let report = stream.meter.report(total: total)
        say("\(stream.peer.netAddress): \(report)")
        stream.report = report
        return Array(report.utf8)
    }
}

/// Nanoseconds of a time that is not negative.
func nanoseconds(_ time: Duration) -> UInt64 {
    let (seconds, attoseconds) = time.components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
}
