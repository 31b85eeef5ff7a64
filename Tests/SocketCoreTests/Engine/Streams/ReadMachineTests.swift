import SocketCore
import Testing

@Suite struct ReadMachineTests {
    typealias Machine = ReadMachine

    /// Something that happens to the machine, with what it is to answer.
    enum Step: Sendable {
        case readsMayBeShort
        case ready(PollEvents)
        case admit(isNext: Bool = false, isEager: Bool = false, isQueueEmpty: Bool = true, Machine.Admission)
        case finish(Machine.Outcome, tick: UInt32, didClear: Bool, keepsTurn: Bool = false)
        case demand(Machine.Interest, Machine.Demand)
        case relinquish
        case keep(Int, isUntried: Bool)
        case retry
        case hasEnded(Bool)
        case isExhausted(Bool)
        case isReading(Bool)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [Step]

        init(_ description: String, _ steps: Step...) { (testDescription, self.steps) = (description, steps) }
    }

    static let rows = [
        // Admission
        Row("a new socket has nothing to read", .admit(.wait), .demand(.reader, .nothing), .isReading(false)),
        Row(
            "an eager call asks the kernel all the same", .admit(isEager: true, .turn(.init(tick: 0))),
            .isReading(true),
            .finish(.wouldBlock, tick: 0, didClear: true)),
        Row("input lets a call read", .ready(.readable), .admit(.turn(.init(tick: 1))), .isReading(true)),
        Row("room for output is no input", .ready(.writable), .admit(.wait)),
        Row("urgent data is no input", .ready(.urgent), .admit(.wait)),
        Row(
            "one reader at a time", .ready(.readable), .admit(.turn(.init(tick: 1))), .admit(.wait),
            .admit(isEager: true, .wait), .demand(.reader, .nothing), .demand(.listeners, .nothing)),
        Row("nobody overtakes the queue", .ready(.readable), .admit(isQueueEmpty: false, .wait)),
        Row(
            "whoever was given the turn reads, also with others behind it", .ready(.readable),
            .demand(.reader, .serveReader(tick: 1)), .admit(.wait),
            .admit(isNext: true, isQueueEmpty: false, .turn(.init(tick: 1)))),
        Row(
            "a turn that was given and not used goes back", .ready(.readable), .demand(.reader, .serveReader(tick: 1)),
            .relinquish, .admit(.turn(.init(tick: 1)))),

        // What a read says about the next one
        Row(
            "a short read has drained the socket", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.bytes(5, of: 10), tick: 1, didClear: true), .admit(.wait)),
        Row(
            "a short read of a local socket has not: a descriptor or a message's bound ends it", .readsMayBeShort,
            .ready(.readable), .admit(.turn(.init(tick: 1))), .finish(.bytes(5, of: 10), tick: 1, didClear: false),
            .admit(.turn(.init(tick: 1))), .finish(.wouldBlock, tick: 1, didClear: true), .admit(.wait)),
        Row(
            "a full read has not", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.bytes(10, of: 10), tick: 1, didClear: false), .admit(.turn(.init(tick: 1)))),
        Row(
            "would-block has", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.wouldBlock, tick: 1, didClear: true),
            .admit(.wait), .ready(.readable), .admit(.turn(.init(tick: 2)))),
        Row(
            "an event between would-block and its report is not lost", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .ready(.readable), .finish(.wouldBlock, tick: 1, didClear: false), .admit(.turn(.init(tick: 2)))),
        Row(
            "an event between a short read and its report is not lost", .ready(.readable),
            .admit(.turn(.init(tick: 1))),
            .ready(.readable), .finish(.bytes(1, of: 9), tick: 1, didClear: false), .admit(.turn(.init(tick: 2)))),
        Row(
            "a failure leaves readiness alone", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.failed, tick: 1, didClear: false), .isReading(false)),

        // The end
        Row(
            "the end is the end", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.ended, tick: 1, didClear: false),
            .hasEnded(true), .admit(.ended), .admit(isEager: true, .ended), .demand(.listeners, .nothing),
            .demand(.discard, .nothing), .demand([], .nothing)),
        Row(
            "a waiting reader hears of the end", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.ended, tick: 1, didClear: false), .demand(.reader, .serveReader(tick: 1)),
            .admit(isNext: true, .ended)),
        Row(
            "after FIN a short read proves nothing", .ready([.readable, .endOfInput]), .admit(.turn(.init(tick: 1))),
            .finish(.bytes(5, of: 10), tick: 1, didClear: false), .admit(.turn(.init(tick: 1))),
            .finish(.ended, tick: 1, didClear: false), .hasEnded(true)),
        Row(
            "after a hang-up too", .ready(.hangUp), .admit(.turn(.init(tick: 1))),
            .finish(.bytes(5, of: 10), tick: 1, didClear: false), .admit(.turn(.init(tick: 1)))),
        Row(
            "after an error too", .ready(.error), .admit(.turn(.init(tick: 1))),
            .finish(.bytes(5, of: 10), tick: 1, didClear: false), .admit(.turn(.init(tick: 1)))),
        Row(
            "the end stays known after later events", .ready([.readable, .endOfInput]), .ready(.readable),
            .admit(.turn(.init(tick: 2))), .finish(.bytes(5, of: 10), tick: 2, didClear: false),
            .admit(.turn(.init(tick: 2)))),

        // Who gets the input
        Row(
            "nobody wants it: nothing is read", .ready(.readable), .demand([], .nothing), .admit(.turn(.init(tick: 1)))),
        Row(
            "a reader comes before listeners", .ready(.readable),
            .demand([.reader, .listeners], .serveReader(tick: 1)),
            .isReading(true)),
        Row(
            "listeners", .ready(.readable), .demand(.listeners, .readForListeners(tick: 1)), .admit(.wait),
            .finish(.bytes(3, of: 9), tick: 1, didClear: true), .demand(.listeners, .nothing)),
        Row("listeners wait for input", .demand(.listeners, .nothing), .isReading(false)),
        Row(
            "a closed socket throws input away", .ready(.readable), .demand(.discard, .discard(tick: 1)),
            .finish(.bytes(9, of: 9), tick: 1, didClear: false), .demand(.discard, .discard(tick: 1)),
            .finish(.wouldBlock, tick: 1, didClear: true), .demand(.discard, .nothing)),

        // What was read ahead
        Row(
            "what is left over is the next reader's, without the kernel", .ready(.readable),
            .admit(.turn(.init(tick: 1))), .finish(.bytes(9, of: 20), tick: 1, didClear: true),
            .keep(4, isUntried: true),
            .admit(.turn(.init(tick: 1, mayReceive: false))), .keep(0, isUntried: false), .relinquish, .admit(.wait)),
        Row(
            "a waiting reader is given it once", .ready(.readable), .admit(.turn(.init(tick: 1))),
            .finish(.bytes(9, of: 20), tick: 1, didClear: true), .keep(4, isUntried: true),
            .demand(.reader, .serveReader(tick: 1)),
            .admit(isNext: true, .turn(.init(tick: 1, mayReceive: false))), .keep(4, isUntried: false), .relinquish,
            .demand(.reader, .nothing), .retry, .demand(.reader, .serveReader(tick: 1))),
        Row(
            "listeners are given it once", .ready(.readable), .demand(.listeners, .readForListeners(tick: 1)),
            .finish(.bytes(9, of: 20), tick: 1, didClear: true), .keep(4, isUntried: true),
            .demand(.listeners, .readForListeners(tick: 1)), .keep(4, isUntried: false), .relinquish,
            .demand(.listeners, .nothing), .ready(.readable), .demand(.listeners, .readForListeners(tick: 2))),
        Row(
            "a reader that must wait again may keep its turn", .ready(.readable),
            .demand(.reader, .serveReader(tick: 1)),
            .admit(isNext: true, .turn(.init(tick: 1))),
            .finish(.wouldBlock, tick: 1, didClear: true, keepsTurn: true), .admit(.wait), .relinquish),
        Row(
            "one that was woken for nothing keeps it too", .admit(isNext: true, .wait), .ready(.readable),
            .demand(.reader, .serveReader(tick: 1)), .admit(isNext: true, .turn(.init(tick: 1)))),
        Row(
            "the end is behind what is left over", .ready([.readable, .endOfInput]), .admit(.turn(.init(tick: 1))),
            .keep(3, isUntried: false), .finish(.ended, tick: 1, didClear: false), .hasEnded(true), .isExhausted(false),
            .admit(.turn(.init(tick: 1, mayReceive: false, hasEnded: true))), .keep(0, isUntried: false), .relinquish,
            .isExhausted(true), .admit(.ended)),
        Row(
            "listeners look once more at the end", .ready([.readable, .endOfInput]),
            .demand(.listeners, .readForListeners(tick: 1)), .keep(3, isUntried: false),
            .finish(.ended, tick: 1, didClear: false), .demand(.listeners, .readForListeners(tick: 1))),
        Row("nothing left over is nothing untried", .keep(0, isUntried: true), .retry, .demand(.reader, .nothing)),

        // Looking for the end without taking anything
        Row(
            "nobody reads: an end is probed for, once", .ready([.readable, .endOfInput]), .demand([], .probe(tick: 1)),
            .relinquish, .demand([], .nothing), .ready([.readable, .endOfInput]), .demand([], .probe(tick: 2))),
        Row(
            "a probe that finds the end", .ready(.endOfInput), .demand([], .probe(tick: 1)),
            .finish(.ended, tick: 1, didClear: false), .hasEnded(true), .admit(.ended)),
        Row("input alone is not probed", .ready(.readable), .demand([], .nothing)),
        Row(
            "a probe has the turn", .ready(.hangUp), .demand([], .probe(tick: 1)), .admit(.wait),
            .demand(.reader, .nothing), .relinquish, .demand(.reader, .serveReader(tick: 1))),
    ]

    @Test(arguments: rows)
    func machine_inThisStory_answersSo(_ row: Row) {
        var machine = Machine()
        for (number, step) in row.steps.enumerated() {
            switch step {
            case .readsMayBeShort: machine.readsMayBeShort = true
            case .ready(let events): machine.ready(events)
            case .admit(let isNext, let isEager, let isQueueEmpty, let answer):
                let given = machine.admit(isNext: isNext, isEager: isEager, isQueueEmpty: isQueueEmpty)
                #expect(given == answer, "step \(number)")
            case .finish(let outcome, let tick, let didClear, let keepsTurn):
                let cleared = machine.finish(outcome, tick: tick, keepsTurn: keepsTurn)
                #expect(cleared == didClear, "step \(number)")
            case .demand(let interest, let answer):
                #expect(machine.hasDemand(interest) == (answer != .nothing), "step \(number)")
                #expect(machine.demand(interest) == answer, "step \(number)")
            case .relinquish: machine.relinquish()
            case .keep(let count, let isUntried): machine.keep(count, isUntried: isUntried)
            case .retry: machine.retry()
            case .isExhausted(let answer): #expect(machine.isExhausted == answer, "step \(number)")
            case .hasEnded(let answer): #expect(machine.hasEnded == answer, "step \(number)")
            case .isReading(let answer): #expect(machine.isReading == answer, "step \(number)")
            }
        }
    }

    /// The kernel, a reader and the events between them, in any order: never is there input, or its end, that nobody
    /// would be told of.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func machine_inAnyOrder_neverForgetsInput(_ seed: UInt64) {
        var generator = SplitMix(seed)
        for _ in 0..<300 {
            var machine = Machine()
            var input = 0
            var isEnded = false
            var reading: UInt32?
            for _ in 0..<40 {
                switch Int.random(in: 0..<6, using: &generator) {
                case 0...1 where !isEnded:
                    input += Int.random(in: 1...12, using: &generator)
                    machine.ready(.readable)
                case 2 where !isEnded && Int.random(in: 0..<8, using: &generator) == 0:
                    isEnded = true
                    machine.ready([.readable, .endOfInput])
                case 3 where reading == nil:
                    let admission = machine.admit(isNext: false, isEager: false, isQueueEmpty: true)
                    if case .turn(let turn) = admission { reading = turn.tick }
                case 4...5:
                    guard let tick = reading.take() else { break }
                    read(&machine, &input, isEnded, tick, isRaced: Bool.random(using: &generator))
                default: break
                }
            }
            if let tick = reading { read(&machine, &input, isEnded, tick, isRaced: false) }
            // From here on nothing happens any more: whatever is left must be on offer.
            while case .turn(let turn) = machine.admit(isNext: false, isEager: false, isQueueEmpty: true) {
                read(&machine, &input, isEnded, turn.tick, isRaced: false)
            }
            #expect(input == 0)
            #expect(machine.hasEnded == isEnded)
        }
    }

    /// One call: takes at most eight bytes. Raced: more input, and its event, come before the call's report.
    private func read(_ machine: inout Machine, _ input: inout Int, _ isEnded: Bool, _ tick: UInt32, isRaced: Bool) {
        let count = min(8, input)
        input -= count
        let outcome: Machine.Outcome = count > 0 ? .bytes(count, of: 8) : isEnded ? .ended : .wouldBlock
        if isRaced, !isEnded {
            input += 3
            machine.ready(.readable)
        }
        _ = machine.finish(outcome, tick: tick)
    }
}
