import Testing

@testable import SocketCore

@Suite struct DatagramWriteMachineTests {
    typealias Machine = DatagramWriteMachine

    private static func entry(_ number: UInt64, _ size: Int = 1) -> Machine.Entry {
        Machine.Entry(
            ticket: Ticket(number: number),
            .init(
                bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size),
                destination: .loopback(.v4, port: 9)))
    }

    /// A machine that met "would block".
    private static func blocked() -> Machine {
        var machine = Machine()
        if case .write(let tick) = machine.admit() { _ = machine.wrote(isBlocked: true, tick: tick) }
        return machine
    }

    @Test func admit_withRoomAndNothingBefore_writes() {
        var machine = Machine()
        #expect(machine.admit() == .write(tick: 0))
        #expect(machine.admit() == .queue)
        #expect(!machine.isFlushed)
        #expect(machine.wrote(isBlocked: false, tick: 0) == false)
        #expect(machine.isFlushed)
        #expect(machine.admit() == .write(tick: 0))
    }

    @Test func admit_afterWouldBlock_queues_untilThereIsRoom() {
        var machine = DatagramWriteMachineTests.blocked()
        #expect(machine.admit() == .queue)
        machine.ready(.readable)
        #expect(machine.admit() == .queue)
        machine.ready(.writable)
        #expect(machine.admit() == .write(tick: 1))
    }

    @Test func wrote_afterAnEventBetweenCallAndReport_keepsReadiness() {
        var machine = Machine()
        #expect(machine.admit() == .write(tick: 0))
        machine.ready(.writable)
        #expect(machine.wrote(isBlocked: true, tick: 0) == false)
        machine.enqueue(DatagramWriteMachineTests.entry(1))
        #expect(machine.canFlush)
    }

    @Test func queue_goesOutInOrder_andABlockedDatagramStaysFirst() {
        var machine = DatagramWriteMachineTests.blocked()
        for number in UInt64(1)...3 { machine.enqueue(DatagramWriteMachineTests.entry(number, 10)) }
        #expect(machine.queuedBytes == 30)
        #expect(!machine.canFlush)
        #expect(machine.beginFlush() == nil)
        machine.ready(.writable)
        #expect(DatagramWriteMachineTests.flush(&machine) == 1)
        #expect(DatagramWriteMachineTests.flush(&machine, isBlocked: true) == 2)
        #expect(DatagramWriteMachineTests.flush(&machine) == nil)
        machine.ready(.writable)
        #expect(DatagramWriteMachineTests.flush(&machine) == 2)
        #expect(machine.queuedBytes == 10)
        #expect(DatagramWriteMachineTests.flush(&machine) == 3)
        #expect(machine.queuedBytes == 0)
        #expect(machine.isFlushed)
    }

    private static func flush(_ machine: inout Machine, isBlocked: Bool = false) -> UInt64? {
        guard let (flush, tick) = machine.beginFlush() else { return nil }
        _ = machine.endFlush(isBlocked: isBlocked, tick: tick)
        return isBlocked ? flush.datagrams.first?.bytes.first.map(UInt64.init) : machine.takeFirst()?.ticket.number
    }

    /// What a direct write left over goes before what was queued meanwhile.
    @Test func enqueueFirst_goesBeforeWhatIsQueued() {
        var machine = Machine()
        if case .write(let tick) = machine.admit() {
            machine.enqueue(DatagramWriteMachineTests.entry(3, 10))
            _ = machine.wrote(isBlocked: false, tick: tick)
        }
        machine.enqueueFirst([DatagramWriteMachineTests.entry(1, 10), DatagramWriteMachineTests.entry(2, 10)])
        #expect(machine.queuedBytes == 30)
        #expect(machine.queuedCount == 3)
        #expect((1...3).map { _ in DatagramWriteMachineTests.flush(&machine) } == [1, 2, 3])
    }

    @Test func hold_collects_untilRelease() {
        var machine = Machine()
        machine.hold()
        #expect(machine.admit() == .queue)
        for number in UInt64(1)...100 { machine.enqueue(DatagramWriteMachineTests.entry(number)) }
        #expect(!machine.canFlush)
        machine.release()
        let most = DatagramCalls.sendLimit
        guard let (flush, tick) = machine.beginFlush() else { return #expect(machine.canFlush) }
        #expect(flush.datagrams.map(\.bytes) == (1...UInt8(most)).map { [$0] })
        _ = machine.endFlush(isBlocked: false, tick: tick)
        #expect((0..<most).map { _ in machine.takeFirst()?.ticket.number } == Array(1...UInt64(most)))
        #expect(machine.queuedCount == 100 - most)
    }

    /// A batch has one ticket, and is given up as a whole; but not while one of it is being written.
    @Test func withdraw_takesOutAllOfATicket() {
        var machine = DatagramWriteMachineTests.blocked()
        for number in [UInt64(1), 2, 2, 3, 2] { machine.enqueue(DatagramWriteMachineTests.entry(number, 10)) }
        #expect(machine.withdraw(Ticket(number: 2)) == .removed)
        #expect(machine.queuedBytes == 20)
        for _ in 0..<100 { machine.enqueue(DatagramWriteMachineTests.entry(4)) }
        machine.ready(.writable)
        #expect(machine.beginFlush()?.flush.datagrams.count == DatagramCalls.sendLimit)
        #expect(machine.withdraw(Ticket(number: 4)) == .underWay)
        _ = machine.endFlush(isBlocked: true, tick: 1)
        #expect((0..<2).map { _ in machine.takeFirst()?.ticket.number } == [1, 3])
        #expect(machine.withdraw(Ticket(number: 4)) == .removed)
        #expect(machine.isFlushed)
        #expect(machine.queuedBytes == 0)
    }

    @Test func emptyDatagram_isADatagram() {
        var machine = DatagramWriteMachineTests.blocked()
        machine.enqueue(DatagramWriteMachineTests.entry(1, 0))
        #expect(!machine.isFlushed)
        machine.ready(.writable)
        #expect(DatagramWriteMachineTests.flush(&machine) == 1)
        #expect(machine.isFlushed)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func withdraw_takesOneOut(_ number: UInt64) {
        var machine = DatagramWriteMachineTests.blocked()
        for number in UInt64(1)...3 { machine.enqueue(DatagramWriteMachineTests.entry(number, 10)) }
        #expect(machine.withdraw(Ticket(number: number)) == .removed)
        #expect(machine.queuedBytes == 20)
        machine.ready(.writable)
        var out: [UInt64] = []
        while let next = DatagramWriteMachineTests.flush(&machine) { out.append(next) }
        #expect(out == [1, 2, 3].filter { $0 != number })
        #expect(machine.isFlushed)
        #expect(machine.queuedBytes == 0)
    }

    @Test func withdraw_ofTheLastOne_leavesNothingToFlush() {
        var machine = DatagramWriteMachineTests.blocked()
        machine.enqueue(DatagramWriteMachineTests.entry(1, 10))
        #expect(machine.withdraw(Ticket(number: 1)) == .removed)
        #expect(machine.queuedBytes == 0)
        #expect(machine.isFlushed)
        #expect(!machine.canFlush)
    }

    /// Taken by the kernel, it has gone and there is nothing to withdraw; not taken, it can be withdrawn after all.
    @Test(arguments: [(false, Machine.Withdrawal.unknown), (true, .removed)])
    func withdraw_ofOneThatIsBeingWritten_isDecidedWhenThatIsOver(_ isBlocked: Bool, _ later: Machine.Withdrawal) {
        var machine = Machine()
        machine.enqueue(DatagramWriteMachineTests.entry(1))
        #expect(machine.beginFlush()?.flush.datagrams.count == 1)
        #expect(machine.withdraw(Ticket(number: 1)) == .underWay)
        _ = machine.endFlush(isBlocked: isBlocked, tick: 0)
        if !isBlocked { #expect(machine.takeFirst()?.ticket.number == 1) }
        #expect(machine.withdraw(Ticket(number: 1)) == later)
        #expect(machine.withdraw(Ticket(number: 1)) == .unknown)
        #expect(machine.isFlushed)
        #expect(machine.queuedBytes == 0)
    }

    /// Another thread's direct write does not hold up what was queued behind it.
    @Test func withdraw_whileAnotherDatagramIsBeingWritten_takesItOut() {
        var machine = Machine()
        #expect(machine.admit() == .write(tick: 0))
        machine.enqueue(DatagramWriteMachineTests.entry(1))
        #expect(machine.withdraw(Ticket(number: 1)) == .removed)
        #expect(machine.wrote(isBlocked: false, tick: 0) == false)
        #expect(DatagramWriteMachineTests.flush(&machine) == nil)
    }

    @Test func takeDrained_isTrueOnce_whenTheQueueHasFallenToHalf() {
        var machine = DatagramWriteMachineTests.blocked()
        machine.highWaterMark = 25
        for number in UInt64(1)...3 { machine.enqueue(DatagramWriteMachineTests.entry(number, 10)) }
        machine.ready(.writable)
        #expect(DatagramWriteMachineTests.flush(&machine) == 1)
        #expect(machine.takeDrained() == false)
        #expect(DatagramWriteMachineTests.flush(&machine) == 2)
        #expect(machine.takeDrained() == true)
        #expect(machine.takeDrained() == false)
    }

    @Test func takeDrained_whenDatagramsAreGivenUp_isTrueToo() {
        var machine = DatagramWriteMachineTests.blocked()
        machine.highWaterMark = 25
        for number in UInt64(1)...3 { machine.enqueue(DatagramWriteMachineTests.entry(number, 10)) }
        #expect(machine.withdraw(Ticket(number: 2)) == .removed)
        #expect(machine.takeDrained() == false)
        #expect(machine.withdraw(Ticket(number: 1)) == .removed)
        #expect(machine.takeDrained() == true)
    }

    @Test func takeFirst_givesThoseThatAreStillWanted() {
        var machine = DatagramWriteMachineTests.blocked()
        for number in UInt64(1)...3 { machine.enqueue(DatagramWriteMachineTests.entry(number)) }
        #expect(machine.withdraw(Ticket(number: 2)) == .removed)
        #expect((0..<3).map { _ in machine.takeFirst()?.ticket.number } == [1, 3, nil])
        #expect(machine.isFlushed)
        #expect(machine.queuedBytes == 0)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func machine_agreesWithAList(_ seed: UInt64) {
        var generator = SplitMix(seed)
        var machine = Machine()
        var list: [Machine.Entry] = []
        for number in UInt64(1)...2_000 {
            switch Int.random(in: 0..<6, using: &generator) {
            case 0...2:
                let entry = DatagramWriteMachineTests.entry(number, Int.random(in: 0...99, using: &generator))
                switch machine.admit() {
                case .queue:
                    machine.enqueue(entry)
                    list.append(entry)
                case .write(let tick):
                    let isBlocked = Bool.random(using: &generator)
                    _ = machine.wrote(isBlocked: isBlocked, tick: tick)
                    guard isBlocked else { break }
                    machine.enqueue(entry)
                    list.append(entry)
                }
            case 3...4:
                machine.ready(.writable)
                let isBlocked = Bool.random(using: &generator)
                let flushed = DatagramWriteMachineTests.flush(&machine, isBlocked: isBlocked)
                if !isBlocked { #expect(flushed == list.first?.ticket.number) }
                if !isBlocked, !list.isEmpty { list.removeFirst() }
            default:
                guard let some = list.randomElement(using: &generator)?.ticket else { break }
                #expect(machine.withdraw(some) == .removed)
                list.removeAll { $0.ticket == some }
            }
            #expect(machine.queuedBytes == list.reduce(0) { $0 + $1.datagram.bytes.count }, "step \(number)")
            #expect(machine.isFlushed == list.isEmpty, "step \(number)")
        }
        #expect(list.map { _ in machine.takeFirst()?.ticket } == list.map(\.ticket))
        #expect(machine.takeFirst() == nil)
    }
}

extension DatagramWriteMachine.Flush {
    fileprivate var datagrams: [DatagramCalls.Outgoing] {
        switch self {
        case .one(let datagram): [datagram]
        case .several(let datagrams): datagrams
        }
    }
}
