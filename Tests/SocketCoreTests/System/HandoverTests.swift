import SocketCore
import Testing

@Suite struct HandoverTests {
    @Test func value_givenFirst_isThere() {
        let handover = Handover<Int>()
        handover.give(7)
        #expect(handover.wait() == 7)
        #expect(handover.wait() == 7)
    }

    @Test func value_givenLater_isWaitedFor() {
        for number in 0..<200 {
            let question = Handover<Int>()
            let answer = Handover<Int>()
            let start = ProcessCalls.startThread("answering") { answer.give(question.wait() + 1) }
            guard case .success = start else {
                Issue.record("no thread: \(start)")
                return
            }
            question.give(number)
            #expect(answer.wait() == number + 1)
        }
    }
}
