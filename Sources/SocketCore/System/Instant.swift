internal import CSocketShims

/// A point in monotonic time, in nanoseconds (`CLOCK_MONOTONIC`). It never jumps with the wall clock.
package struct Instant: Comparable, Hashable, Sendable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Now.
    package static var now: Instant { Instant(nanoseconds: csocket_now()) }

    /// The instant after every other: a deadline that never comes.
    package static var never: Instant { Instant(nanoseconds: .max) }

    /// The end of a time-out that begins now; never without one.
    package static func after(_ timeout: Duration?) -> Instant {
        guard let timeout else { return .never }
        return .now.advanced(by: timeout)
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The instant `duration` later. Saturates: a time-out of a million years is a time-out that never comes.
    package func advanced(by duration: Duration) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.saturatedNanoseconds)
        return overflow ? .never : Instant(nanoseconds: sum)
    }

    /// How long after `earlier` this is.
    package func duration(since earlier: Instant) -> Duration {
        .nanoseconds(nanoseconds - earlier.nanoseconds)
    }
}

extension Duration {
    /// Whole nanoseconds, rounded up, and cut to what 64 bits hold.
    package var saturatedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let fraction = attoseconds / 1_000_000_000 + (attoseconds % 1_000_000_000 > 0 ? 1 : 0)
        let (sum, carried) = product.addingReportingOverflow(fraction)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }
}
