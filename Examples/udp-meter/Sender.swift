import ExampleSupport
import HarmonySocket

/// Sends a stream of datagrams, many with each call, and asks its receiver what became of them.
struct Sender {
    let udp: UDPSocket
    let size: Int
    /// Datagrams a second; 0 is as many as go.
    let rate: Int
    let time: Duration

    private static let batch = 64

    /// The receiver's report; nil when it does not answer.
    func run() async throws -> String? {
        let stream = UInt32.random(in: 0 ... .max)
        let start = ContinuousClock.now
        var sent: UInt64 = 0
        while !Task.isCancelled {
            let elapsed = ContinuousClock.now - start
            guard elapsed < time else { break }
            let now = nanoseconds(elapsed)
            let due = rate == 0 ? sent + UInt64(Sender.batch) : UInt64(Double(now) / 1e9 * Double(rate)) + 1
            if due > sent {
                let count = min(due - sent, UInt64(Sender.batch))
                let datagrams = (0..<count).map {
                    Probe(stream: stream, number: sent + $0, sent: now).datagram(of: size)
                }
                // A datagram that the peer refuses is lost, and counted as such at the other end.
                try await udp.send(batch: datagrams)
                sent += count
            } else {
                // Until the next one is due, but not so short that waking up is all the work.
                try? await Task.sleep(for: max(.milliseconds(1), .seconds(Double(sent) / Double(rate)) - elapsed))
            }
        }
        return try await askForReport(stream, sent)
    }

    /// Datagrams get lost, the question and the answer too.
    private func askForReport(_ stream: UInt32, _ sent: UInt64) async throws -> String? {
        if Task.isCancelled { return "stopped after \(sent) datagrams" }
        let question = Probe.last(of: stream, count: sent).datagram(of: Probe.size)
        for _ in 0..<10 {
            try await udp.send(question)
            // Nobody is there, or not yet: asked again a few times.
            if let answer = try? await udp.receive(timeout: .milliseconds(300)) { return answer.text }
        }
        return nil
    }
}
