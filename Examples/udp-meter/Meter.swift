import ExampleSupport

/// What one stream of datagrams has shown so far.
struct Meter {
    private(set) var count: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    private var highest: UInt64 = 0
    private var late: UInt64 = 0
    private var first: UInt64 = 0
    private var last: UInt64 = 0
    private var jitter = 0.0
    private var lastTransit: Int64?

    /// A datagram of `size` bytes came; the times are nanoseconds, each on its own side's clock.
    mutating func add(_ probe: Probe, size: Int, arrived: UInt64) {
        if count == 0 { first = arrived }
        last = arrived
        count += 1
        bytes += UInt64(size)
        if probe.number < highest { late += 1 } else { highest = probe.number + 1 }
        // RFC 3550, section 6.4.1. What the clocks differ by cancels out.
        let transit = Int64(bitPattern: arrived &- probe.sent)
        if let lastTransit { jitter += (Double(abs(transit &- lastTransit)) - jitter) / 16 }
        lastTransit = transit
    }

    /// One line; `total` is how many were sent, if that is known.
    func report(total: UInt64? = nil) -> String {
        let seconds = Double(last &- first) / 1e9
        let expected = max(total ?? highest, count)
        let lost = expected - count
        let rate = seconds > 0 ? Double(count) / seconds : 0
        let bits = seconds > 0 ? Double(bytes) * 8 / seconds / 1e6 : 0
        return
            "\(count) datagrams in \(rounded(seconds, 3)) s: \(Int(rate))/s, \(rounded(bits, 1)) Mbit/s, \(lost) lost ("
            + "\(rounded(expected > 0 ? Double(lost) / Double(expected) * 100 : 0, 2)) %), \(late) late, "
            + "jitter \(rounded(jitter / 1000, 1)) µs"
    }

    private func rounded(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }
}
