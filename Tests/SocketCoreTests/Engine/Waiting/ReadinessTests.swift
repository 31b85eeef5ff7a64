import SocketCore
import Testing

@Suite struct ReadinessTests {
    @Test(arguments: [true, false])
    func new_isAsTold(_ isReady: Bool) {
        #expect(Readiness(isReady: isReady).isReady == isReady)
    }

    @Test func mark_makesReady_andMovesTheTick() {
        var readiness = Readiness(isReady: false)
        let before = readiness.tick
        readiness.mark()
        #expect(readiness.isReady)
        #expect(readiness.tick != before)
    }

    @Test func clear_atTheSameTick_clears() {
        var readiness = Readiness(isReady: false)
        readiness.mark()
        #expect(readiness.clear(since: readiness.tick) == true)
        #expect(!readiness.isReady)
    }

    /// The race that loses events elsewhere: recv says "would block", an event comes, and only then the call's thread
    /// gets to clear what the call had found.
    @Test(arguments: 1...3)
    func clear_afterAnEventBetweenCallAndClear_keepsReadiness(_ events: Int) {
        var readiness = Readiness(isReady: true)
        let started = readiness.tick
        for _ in 0..<events { readiness.mark() }
        #expect(readiness.clear(since: started) == false)
        #expect(readiness.isReady)
        #expect(readiness.clear(since: readiness.tick) == true)
    }

    @Test func clear_whenNotReady_isHarmless() {
        var readiness = Readiness(isReady: false)
        #expect(readiness.clear(since: readiness.tick) == true)
        #expect(!readiness.isReady)
        readiness.mark()
        #expect(readiness.isReady)
    }
}
