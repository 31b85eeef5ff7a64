import Testing

@testable import SocketCore

@Suite struct ProgressMeterTests {
    @Test func report_isDue_onceInAnInterval_andOneAtATime() async throws {
        let heard = Journal<Int>()
        let meter = ProgressMeter<Int> { heard.note($0) }
        #expect(!meter.isDue(), "not at the very beginning")
        try await eventually("the first is due") { meter.isDue() }
        #expect(!meter.isDue(), "while one is on its way")
        meter.tell(1)
        #expect(!meter.isDue(), "right after one")
        try await eventually("the second is due") { meter.isDue() }
        meter.tell(2)
        meter.end(3)
        meter.end(4)
        #expect(heard.entries == [1, 2, 3])
    }

    @Test func endedMeter_tellsNothing_andLetsGo() async throws {
        final class Object: Sendable {}
        let heard = Journal<Int>()
        weak var object: Object?
        let meter: ProgressMeter<Int>
        do {
            let captured = Object()
            object = captured
            meter = ProgressMeter { [captured] amount in withExtendedLifetime(captured) { heard.note(amount) } }
        }
        try await eventually("a report is due") { meter.isDue() }
        meter.end(nil)
        meter.tell(1)
        #expect(heard.entries.isEmpty)
        #expect(object == nil)
    }
}
