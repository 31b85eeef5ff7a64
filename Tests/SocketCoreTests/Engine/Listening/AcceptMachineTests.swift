import SocketCore
import Testing

@Suite struct AcceptMachineTests {
    enum Step: Sendable {
        case ready(PollEvents)
        case admit(isNext: Bool = false, isQueueEmpty: Bool = true, AcceptMachine.Admission)
        case take(UInt32?)
        case finish(AcceptMachine.Outcome, tick: UInt32, didClear: Bool = false, pause: Duration? = nil)
        case relinquish
        case resume
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [Step]

        init(_ description: String, _ steps: Step...) { (testDescription, self.steps) = (description, steps) }
    }

    static let rows = [
        Row("a new listener has nobody", .admit(.wait), .take(nil)),
        Row("a connection is accepted", .ready(.readable), .admit(.accept(tick: 1)), .admit(.wait), .take(nil)),
        Row("room for output means nothing", .ready(.writable), .admit(.wait)),
        Row("nobody overtakes the queue", .ready(.readable), .admit(isQueueEmpty: false, .wait), .take(1)),
        Row(
            "who was given the turn accepts", .ready(.readable), .take(1), .admit(.wait),
            .admit(isNext: true, isQueueEmpty: false, .accept(tick: 1))),
        Row("a turn that is given back is free", .ready(.readable), .take(1), .relinquish, .take(1)),
        Row(
            "accepting goes on until would-block", .ready(.readable), .take(1), .finish(.accepted, tick: 1), .take(1),
            .finish(.accepted, tick: 1), .take(1), .finish(.wouldBlock, tick: 1, didClear: true), .take(nil)),
        Row(
            "an event between would-block and its report is not lost", .ready(.readable), .take(1), .ready(.readable),
            .finish(.wouldBlock, tick: 1), .take(2)),
        Row(
            "a connection that was gone again does not stop it", .ready(.readable), .take(1), .finish(.lost, tick: 1),
            .take(1)),
        Row(
            "out of descriptors: a pause, also for new events", .ready(.readable), .take(1),
            .finish(.exhausted, tick: 1, pause: .milliseconds(10)), .take(nil), .admit(.wait), .ready(.readable),
            .take(nil),
            .resume, .take(3)),
        Row(
            "after the pause the backlog is looked at without an event", .ready(.readable), .take(1),
            .finish(.exhausted, tick: 1, pause: .milliseconds(10)), .resume, .take(2),
            .finish(.wouldBlock, tick: 2, didClear: true), .take(nil)),
        Row(
            "pauses grow, and a success makes them short again", .ready(.readable), .take(1),
            .finish(.exhausted, tick: 1, pause: .milliseconds(10)), .resume, .take(2),
            .finish(.exhausted, tick: 2, pause: .milliseconds(20)), .resume, .take(3),
            .finish(.exhausted, tick: 3, pause: .milliseconds(40)), .resume, .take(4), .finish(.accepted, tick: 4),
            .take(4),
            .finish(.exhausted, tick: 4, pause: .milliseconds(10))),
    ]

    @Test(arguments: rows)
    func machine_inThisStory_answersSo(_ row: Row) {
        var machine = AcceptMachine()
        for (number, step) in row.steps.enumerated() {
            switch step {
            case .ready(let events): machine.ready(events)
            case .admit(let isNext, let isQueueEmpty, let answer):
                #expect(machine.admit(isNext: isNext, isQueueEmpty: isQueueEmpty) == answer, "step \(number)")
            case .take(let tick): #expect(machine.takeTurn() == tick, "step \(number)")
            case .finish(let outcome, let tick, let didClear, let pause):
                let given = machine.finish(outcome, tick: tick)
                #expect(given.didClear == didClear, "step \(number)")
                #expect(given.pause == pause, "step \(number)")
            case .relinquish: machine.relinquish()
            case .resume: machine.resume()
            }
        }
    }

    @Test func pause_grows_toOneSecond() {
        var machine = AcceptMachine()
        var pauses: [Duration] = []
        for _ in 0..<10 {
            machine.resume()
            guard let tick = machine.takeTurn(), let pause = machine.finish(.exhausted, tick: tick).pause else { break }
            #expect(machine.isPaused)
            pauses.append(pause)
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000].map { .milliseconds($0) })
    }

    @Test(
        arguments: [
            (.wouldBlock, .wouldBlock), (.tooManyOpenFiles, .exhausted), (.tooManyOpenFilesInSystem, .exhausted),
            (.noBufferSpace, .exhausted), (.outOfMemory, .exhausted), (.connectionAborted, .lost),
            (.protocolError, .lost),
            (.notPermitted, .lost), (.hostUnreachable, .lost), (.networkDown, .lost), (.timedOut, .lost),
        ] as [(SystemError, AcceptMachine.Outcome)])
    func outcome_ofAnError_isThis(_ error: SystemError, _ outcome: AcceptMachine.Outcome) {
        #expect(AcceptMachine.Outcome(error) == outcome)
    }
}
