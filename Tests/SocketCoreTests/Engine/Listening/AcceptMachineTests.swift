import SocketCore
import Testing

@Suite struct AcceptMachineTests {
    typealias Turn = AcceptMachine.Turn
    typealias Verdict = AcceptMachine.Verdict

    enum Step: Sendable {
        case ready(PollEvents)
        case limit(Int?, AcceptMachine.Excess = .wait)
        case admit(isEager: Bool = false, Turn?)
        case take(Turn?)
        case finish(Turn, AcceptMachine.Outcome, Verdict = Verdict())
        case relinquish(Turn)
        case resume
        /// A connection ended; whether that made room.
        case ended(Bool)
        case open(Int, isDrained: Bool)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [Step]

        init(_ description: String, _ steps: Step...) { (testDescription, self.steps) = (description, steps) }
    }

    private static func accept(_ tick: UInt32) -> Turn { Turn(.accept, tick: tick) }
    private static func refuse(_ tick: UInt32) -> Turn { Turn(.refuse, tick: tick) }
    private static func look(_ tick: UInt32) -> Turn { Turn(.look, tick: tick) }
    private static let cleared = Verdict(didClear: true)
    private static let overload = Verdict(isOverload: true)
    private static func pause(_ milliseconds: Int) -> Verdict { Verdict(pause: .milliseconds(milliseconds)) }

    static let rows = [
        Row("a new listener has nobody", .admit(nil), .take(nil), .open(0, isDrained: true)),
        Row("a connection is accepted", .ready(.readable), .admit(accept(1)), .finish(accept(1), .connection)),
        Row("room for output means nothing", .ready(.writable), .admit(nil)),
        Row(
            "two callers accept side by side", .ready(.readable), .admit(accept(1)), .admit(accept(1)),
            .finish(accept(1), .connection), .finish(accept(1), .wouldBlock, cleared), .admit(nil)),
        Row(
            "without a second try the backlog is looked at unasked", .admit(isEager: true, accept(0)),
            .finish(accept(0), .connection), .admit(isEager: true, accept(0)),
            .finish(accept(0), .wouldBlock, cleared)),
        Row(
            "a turn that is given back is free", .ready(.readable), .take(accept(1)), .relinquish(accept(1)),
            .open(0, isDrained: true)),
        Row(
            "accepting goes on until would-block", .ready(.readable), .take(accept(1)), .finish(accept(1), .connection),
            .take(accept(1)), .finish(accept(1), .connection), .take(accept(1)),
            .finish(accept(1), .wouldBlock, cleared), .take(nil), .open(2, isDrained: false)),
        Row(
            "an event between would-block and its report is not lost", .ready(.readable), .take(accept(1)),
            .ready(.readable), .finish(accept(1), .wouldBlock), .take(accept(2))),
        Row(
            "a connection that was gone again does not stop it", .ready(.readable), .take(accept(1)),
            .finish(accept(1), .lost), .take(accept(1))),
        Row(
            "an accept under way may yet bring a connection", .ready(.readable), .take(accept(1)),
            .open(0, isDrained: false), .finish(accept(1), .lost), .open(0, isDrained: true)),
        Row(
            "out of descriptors: a pause, also for new events and unasked looks", .ready(.readable), .take(accept(1)),
            .finish(accept(1), .exhausted, pause(10)), .take(nil), .admit(nil), .admit(isEager: true, nil),
            .ready(.readable), .take(nil), .resume, .take(accept(3))),
        Row(
            "after the pause the backlog is looked at without an event", .ready(.readable), .take(accept(1)),
            .finish(accept(1), .exhausted, pause(10)), .resume, .take(accept(2)),
            .finish(accept(2), .wouldBlock, cleared), .take(nil)),
        Row(
            "pauses grow, and a success makes them short again", .ready(.readable), .take(accept(1)),
            .finish(accept(1), .exhausted, pause(10)), .resume, .take(accept(2)),
            .finish(accept(2), .exhausted, pause(20)), .resume, .take(accept(3)),
            .finish(accept(3), .exhausted, pause(40)), .resume, .take(accept(4)), .finish(accept(4), .connection),
            .take(accept(4)), .finish(accept(4), .exhausted, pause(10))),
        Row(
            "of several who run out side by side the first makes the pause", .ready(.readable), .admit(accept(1)),
            .admit(accept(1)), .finish(accept(1), .exhausted, pause(10)), .finish(accept(1), .exhausted), .resume,
            .take(accept(2)), .finish(accept(2), .exhausted, pause(20))),
        // The limit.
        Row(
            "at the limit nobody is accepted, asked or unasked", .limit(1), .ready(.readable), .admit(accept(1)),
            .finish(accept(1), .connection), .admit(nil), .admit(isEager: true, nil)),
        Row(
            "an accept under way has its place", .limit(1), .ready(.readable), .admit(accept(1)), .admit(nil),
            .take(nil), .finish(accept(1), .wouldBlock, cleared)),
        Row(
            "a place that an accept did not need is free again", .limit(1), .ready(.readable), .admit(accept(1)),
            .finish(accept(1), .lost), .take(accept(1))),
        Row(
            "waiting: at the limit it is seen whether anybody comes", .limit(1), .ready(.readable), .take(accept(1)),
            .finish(accept(1), .connection), .take(look(1)), .finish(look(1), .wouldBlock, cleared), .take(nil),
            .ready(.readable), .take(look(2)), .finish(look(2), .connection, overload), .take(nil), .ready(.readable),
            .take(nil)),
        Row(
            "waiting: whoever waits is accepted when there is room", .limit(1), .ready(.readable), .take(accept(1)),
            .finish(accept(1), .connection), .take(look(1)), .finish(look(1), .connection, overload), .ended(true),
            .take(accept(1)), .finish(accept(1), .connection), .open(1, isDrained: false)),
        Row(
            "waiting: a crowd that does not end is told once", .limit(1), .ready(.readable), .take(accept(1)),
            .finish(accept(1), .connection), .take(look(1)), .finish(look(1), .connection, overload), .ended(true),
            .take(accept(1)), .finish(accept(1), .connection), .take(nil), .ended(true), .take(accept(1)),
            .finish(accept(1), .connection), .take(nil)),
        Row(
            "waiting: after nobody waited while there was room, a crowd is a new one", .limit(1), .ready(.readable),
            .take(accept(1)), .finish(accept(1), .connection), .take(look(1)),
            .finish(look(1), .connection, overload), .ended(true), .take(accept(1)),
            .finish(accept(1), .wouldBlock, cleared), .ready(.readable), .take(accept(2)),
            .finish(accept(2), .connection), .take(look(2)), .finish(look(2), .connection, overload)),
        Row(
            "refusing: everybody beyond the limit, told once", .limit(1, .refuse), .ready(.readable),
            .take(accept(1)), .finish(accept(1), .connection), .take(refuse(1)),
            .finish(refuse(1), .connection, overload), .take(refuse(1)), .finish(refuse(1), .connection),
            .take(refuse(1)), .finish(refuse(1), .wouldBlock, cleared), .take(nil), .ready(.readable),
            .take(refuse(2)), .finish(refuse(2), .connection), .open(1, isDrained: false)),
        Row(
            "refusing: not while an accept under way may need the place and the peer", .limit(1, .refuse),
            .ready(.readable), .admit(accept(1)), .take(nil), .finish(accept(1), .connection), .take(refuse(1))),
        Row(
            "refusing runs out of descriptors as well", .limit(0, .refuse), .ready(.readable), .take(refuse(1)),
            .finish(refuse(1), .exhausted, pause(10)), .take(nil), .resume, .take(refuse(2))),
        Row("a limit of zero accepts nobody", .limit(0), .ready(.readable), .admit(nil), .take(look(1))),
        Row(
            "a higher limit makes room", .limit(1), .ready(.readable), .take(accept(1)),
            .finish(accept(1), .connection), .limit(2), .take(accept(1))),
        Row(
            "a lower limit closes nobody, and waits until enough have ended", .ready(.readable), .take(accept(1)),
            .finish(accept(1), .connection), .take(accept(1)), .finish(accept(1), .connection), .limit(1),
            .take(look(1)), .finish(look(1), .wouldBlock, cleared), .open(2, isDrained: false), .ended(false),
            .ended(true), .open(0, isDrained: true)),
        Row(
            "without a limit an end makes no room that was not there", .ready(.readable), .take(accept(1)),
            .finish(accept(1), .connection), .ended(false)),
    ]

    @Test(arguments: rows)
    func machine_inThisStory_answersSo(_ row: Row) {
        var machine = AcceptMachine()
        for (number, step) in row.steps.enumerated() {
            switch step {
            case .ready(let events): machine.ready(events)
            case .limit(let limit, let excess): (machine.limit, machine.excess) = (limit, excess)
            case .admit(let isEager, let turn): #expect(machine.admit(isEager: isEager) == turn, "step \(number)")
            case .take(let turn): #expect(machine.takeTurn() == turn, "step \(number)")
            case .finish(let turn, let outcome, let verdict):
                #expect(machine.finish(turn, outcome) == verdict, "step \(number)")
            case .relinquish(let turn): machine.relinquish(turn)
            case .resume: machine.resume()
            case .ended(let hasRoomNow): #expect(machine.ended() == hasRoomNow, "step \(number)")
            case .open(let count, let isDrained):
                #expect(machine.open == count, "step \(number)")
                #expect(machine.isDrained == isDrained, "step \(number)")
            }
        }
    }

    @Test func pause_grows_toOneSecond() {
        var machine = AcceptMachine()
        var pauses: [Duration] = []
        for _ in 0..<10 {
            machine.resume()
            guard let turn = machine.takeTurn(), let pause = machine.finish(turn, .exhausted).pause else { break }
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
