import ExampleSupport
import HarmonySocket

/// Measures what arrives, stream by stream, and tells each sender at the end what became of it.
struct Receiver {
    private struct Key: Hashable {
        let peer: NetAddress
        let stream: UInt32
    }

    /// Streams that somebody may begin, and never end, are not many at a time.
    private static let streamLimit = 64

    private let udp: UDPSocket
    private var meters: [Key: Meter] = [:]
    private var told: [Key: String] = [:]
    // The text of an address is made once for each sender, not for each datagram.
    private var peers: [UInt32: NetAddress] = [:]
    private let start = ContinuousClock.now

    init(_ udp: UDPSocket) { self.udp = udp }

    mutating func run() async throws {
        for try await batch in udp.messageBatches {
            // What came together arrived together, as far as this program can know.
            let arrived = nanoseconds(ContinuousClock.now - start)
            for datagram in batch { try await take(datagram, arrived) }
        }
    }

    private mutating func take(_ datagram: SocketMessageInfo, _ arrived: UInt64) async throws {
        guard let probe = Probe(datagram.message) else { return }
        let stream = probe.stream & ~1
        let peer = peers[stream] ?? datagram.remoteInfo.netAddress
        let key = Key(peer: peer, stream: stream)
        if probe.isLast {
            try? await udp.send(finish(key, probe.number), to: datagram.remoteInfo)
        } else if told[key] == nil {
            if meters[key] == nil {
                guard meters.count < Receiver.streamLimit else { return }
                peers[stream] = peer
            }
            meters[key, default: Meter()].add(probe, size: datagram.message.count, arrived: arrived)
        }
    }

    /// The report of a stream; the same again for a sender that did not get it.
    private mutating func finish(_ key: Key, _ total: UInt64) -> [UInt8] {
        let report = told[key] ?? (meters[key] ?? Meter()).report(total: total)
        if told[key] == nil {
            say("\(key.peer): \(report)")
            if told.count >= Receiver.streamLimit { told = [:] }
            told[key] = report
        }
        meters[key] = nil
        peers[key.stream] = nil
        return Array(report.utf8)
    }
}

/// Nanoseconds of a time that is not negative.
func nanoseconds(_ time: Duration) -> UInt64 {
    let (seconds, attoseconds) = time.components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
}
