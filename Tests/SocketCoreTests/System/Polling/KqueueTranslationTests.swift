import SocketCore
import Testing

@Suite struct KqueueTranslationTests {
    typealias Event = KqueueEvent

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let event: KqueueEvent
        let meaning: KqueueMeaning

        init(_ description: String, _ event: KqueueEvent, _ meaning: KqueueMeaning) {
            (testDescription, self.event, self.meaning) = (description, event, meaning)
        }
    }

    /// ECONNRESET and ECONNREFUSED of Darwin.
    static let reset: UInt32 = 54
    static let refused: UInt32 = 61

    static func error(_ number: UInt32) -> SystemError { SystemError(rawValue: Int32(number)) }

    static let states = [
        Row("data", Event(filter: Event.read, data: 5), .ready(.readable, error: nil)),
        Row(
            "data, edge-triggered", Event(filter: Event.read, flags: Event.add | Event.clear, data: 5),
            .ready(.readable, error: nil)),
        Row("an error of an earlier datagram", Event(filter: Event.read), .ready(.readable, error: nil)),
        Row("FIN", Event(filter: Event.read, flags: Event.eof), .ready([.readable, .endOfInput], error: nil)),
        Row(
            "data, then FIN", Event(filter: Event.read, flags: Event.eof, data: 7),
            .ready([.readable, .endOfInput], error: nil)),
        Row(
            "RST on the reading side", Event(filter: Event.read, flags: Event.eof, filterFlags: reset),
            .ready([.readable, .endOfInput, .error], error: error(reset))),
        Row(
            "filter flags without EV_EOF are no error", Event(filter: Event.read, filterFlags: 1, data: 1),
            .ready(.readable, error: nil)),
        Row(
            "urgent data", Event(filter: Event.read, flags: Event.outOfBand, data: 1),
            .ready([.readable, .urgent], error: nil)),
        Row(
            "urgent data, then FIN", Event(filter: Event.read, flags: Event.outOfBand | Event.eof),
            .ready([.readable, .endOfInput, .urgent], error: nil)),
        Row("room", Event(filter: Event.write, data: 4096), .ready(.writable, error: nil)),
        Row(
            "our direction is over", Event(filter: Event.write, flags: Event.eof), .ready(.writable, error: nil)),
        Row(
            "RST on the writing side", Event(filter: Event.write, flags: Event.eof, filterFlags: reset),
            .ready([.writable, .hangUp, .error], error: error(reset))),
        Row(
            "connect refused", Event(filter: Event.write, flags: Event.eof, filterFlags: refused),
            .ready([.writable, .hangUp, .error], error: error(refused))),
        Row(
            "urgent data by itself", Event(filter: Event.except, filterFlags: Event.noteOutOfBand, data: 1),
            .ready(.urgent, error: nil)),
        Row(
            "FIN told by the urgent filter", Event(filter: Event.except, flags: Event.eof),
            .ready(.endOfInput, error: nil)),
        Row(
            "RST told by the urgent filter", Event(filter: Event.except, flags: Event.eof, filterFlags: reset),
            .ready([.endOfInput, .error], error: error(reset))),
        Row("nothing told by the urgent filter", Event(filter: Event.except), .nothing),
        Row("wake-up", Event(filter: Event.user, filterFlags: Event.noteTrigger), .wakeUp),
        Row("a timer, which we never set", Event(filter: -7), .nothing),
    ]

    @Test(arguments: states)
    func translatesStates(_ row: Row) {
        #expect(KqueueTranslation.translate(row.event) == row.meaning)
    }

    static func answer(_ filter: Int16, _ flags: UInt16, _ number: Int) -> KqueueEvent {
        Event(filter: filter, flags: flags | Event.error, data: number)
    }

    static let answers = [
        Row("receipt", answer(Event.read, Event.add | Event.receipt, 0), .nothing),
        Row("receipt of the wake-up filter", answer(Event.user, Event.add | Event.receipt, 0), .nothing),
        Row("ENOENT on delete", answer(Event.read, Event.delete, 2), .nothing),
        Row("ENOENT on a change", answer(Event.write, 0, 2), .nothing),
        Row("ENOENT on add", answer(Event.read, Event.add, 2), .ready(.error, error: error(2))),
        Row("EBADF on delete", answer(Event.write, Event.delete, 9), .nothing),
        Row("EBADF on add", answer(Event.write, Event.add, 9), .ready(.error, error: error(9))),
        Row(
            "EPIPE on watching to write", answer(Event.write, Event.add, 32), .ready([.writable, .hangUp], error: nil)),
        Row(
            "EPIPE on watching to read", answer(Event.read, Event.add, 32),
            .ready([.readable, .endOfInput], error: nil)),
        Row("ENOMEM on add", answer(Event.read, Event.add | Event.clear, 12), .ready(.error, error: error(12))),
        Row(
            "EINVAL with stray filter flags",
            Event(filter: Event.write, flags: Event.error | Event.eof, filterFlags: reset, data: 22),
            .ready(.error, error: error(22))),
    ]

    @Test(arguments: answers)
    func translatesAnswersToChanges(_ row: Row) {
        #expect(KqueueTranslation.translate(row.event) == row.meaning)
    }

    /// Our own shutdown(SHUT_WR) sets EV_EOF on EVFILT_WRITE while the peer may go on sending: it is no reason to look
    /// for the peer's end, nor to try each read once more. What the peer does is.
    @Test(
        arguments: [
            (Event(filter: Event.write, flags: Event.eof), false),
            (Event(filter: Event.write, flags: Event.eof, filterFlags: reset), true),
            (Event(filter: Event.read, flags: Event.eof), true),
        ])
    func ourOwnEnd_costsNoProbe(_ event: KqueueEvent, _ isThePeers: Bool) {
        guard case .ready(let events, _) = KqueueTranslation.translate(event) else {
            Issue.record("nothing")
            return
        }
        var read = ReadMachine()
        read.ready(.readable)
        read.ready(events)
        #expect(read.hasDemand([]) == isThePeers)
        guard case .turn(let turn) = read.admit(isNext: false, isEager: false, isQueueEmpty: true) else {
            Issue.record("no turn")
            return
        }
        let isDrained = read.finish(.bytes(1, of: 100), tick: turn.tick)
        #expect(isDrained == !isThePeers)
    }

    @Test(
        arguments: [
            (PollEvents.readable, 1), (.writable, 2), (.endOfInput, 4), (.hangUp, 8), (.error, 16), (.urgent, 32),
        ] as [(PollEvents, UInt8)])
    func eventsAreBitsOfTheirOwn(_ events: PollEvents, _ bits: UInt8) {
        #expect(events.rawValue == bits)
    }
}
