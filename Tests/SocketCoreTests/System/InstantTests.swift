import SocketCore
import Testing

@Suite struct InstantTests {
    @Test(
        arguments: [
            (.zero, 0), (.nanoseconds(1), 1), (.seconds(1), 1_000_000_000), (.milliseconds(-5), -5_000_000),
            // Rounded up: a wait that ends early would spin.
            (Duration(secondsComponent: 0, attosecondsComponent: 1), 1),
            (Duration(secondsComponent: 0, attosecondsComponent: 1_000_000_001), 2),
            (Duration(secondsComponent: 0, attosecondsComponent: -1), 0),
            (.seconds(Int64(9_223_372_036)), 9_223_372_036_000_000_000),
            (.nanoseconds(Int64.max), .max), (.nanoseconds(Int64.min), .min),
            (.seconds(Int64(9_223_372_037)), .max), (.seconds(Int64(-9_223_372_037)), .min),
            (.seconds(Int64.max), .max), (.seconds(Int64.min), .min),
            (Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 999_999_999_999_999_999), .max),
            (Duration(secondsComponent: -9_223_372_036, attosecondsComponent: -999_999_999_999_999_999), .min),
        ] as [(Duration, Int64)])
    func saturatedNanoseconds_staysInRange(_ duration: Duration, _ nanoseconds: Int64) {
        #expect(duration.saturatedNanoseconds == nanoseconds)
    }

    @Test(
        arguments: [
            (0, .seconds(1), 1_000_000_000), (5, .nanoseconds(-3), 2), (5, .zero, 5),
            (1, .seconds(Int64.max), .max), (.max, .nanoseconds(1), .max), (.max - 1, .nanoseconds(1), .max),
            (.max, .seconds(5), .max), (1_000, .seconds(Int64.min), .min + 1_000),
        ] as [(Int64, Duration, Int64)])
    func advanced_saturates(_ start: Int64, _ duration: Duration, _ end: Int64) {
        #expect(Instant(nanoseconds: start).advanced(by: duration) == Instant(nanoseconds: end))
    }

    @Test func never_isAfterEveryOther() {
        #expect(Instant.now < .never)
        #expect(Instant.now.advanced(by: .seconds(Int64.max)) == .never)
        #expect(!(Instant.never < .never))
    }

    @Test func now_isMonotonic() {
        let moments = (0..<10_000).map { _ in Instant.now }
        #expect(zip(moments, moments.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test func duration_isTheDifference() {
        #expect(Instant(nanoseconds: 7).duration(since: Instant(nanoseconds: 2)) == .nanoseconds(5))
        #expect(Instant(nanoseconds: 2).duration(since: Instant(nanoseconds: 7)) == .nanoseconds(-5))
    }
}
