import Testing

@testable import SocketCore

@Suite struct WriteMachineTests {
    typealias Machine = WriteMachine

    private static func ticket(_ number: UInt64) -> Ticket { Ticket(number: number) }

    /// A machine with room, or one that met "would block".
    private static func opened(hasRoom: Bool = true) -> Machine {
        var machine = Machine()
        machine.open()
        if !hasRoom, case .write(let tick) = machine.admit() { _ = machine.wrote(0, of: 1, tick: tick) }
        return machine
    }

    /// Writes what is queued, at most `room` bytes; returns what went out.
    private static func flush(_ machine: inout Machine, room: Int) -> (bytes: [UInt8], ended: [Machine.Ended])? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { buffer.deallocate() }
        machine.beginTurn()
        switch machine.beginFlush(into: buffer) {
        case .none: return nil
        case .copied(let total, let tick):
            let count = min(total, room)
            return (Array(buffer[..<count]), machine.endFlush(count, of: total, tick: tick).ended)
        case .piece(.urgent(let byte), _, let total, let tick):
            let count = min(total, room)
            return (Array([byte][..<count]), machine.endFlush(count, of: total, tick: tick).ended)
        case .piece(.bytes(let bytes), let offset, let total, let tick):
            let count = min(total, room)
            return (Array(bytes[offset..<(offset + count)]), machine.endFlush(count, of: total, tick: tick).ended)
        case .piece: return nil
        }
    }

    @Test("A send of whose bytes some have begun to go out, in a record, stays, and says how many")
    func withdraw_ofWhatHasBegun_detaches() {
        var machine = WriteMachineTests.opened()
        guard case .write(let tick) = machine.admit() else { return #expect(Bool(false)) }
        // Ten bytes of the first send are out, four more have begun to.
        let didClear = machine.wrote(10, of: 100, tick: tick, begun: 4)
        #expect(didClear)
        machine.enqueue(
            .init(bytes: [UInt8](repeating: 1, count: 90), sentBefore: 10), ticket: Ticket(number: 1), atFront: true)
        machine.enqueue(.init(bytes: [2, 2]), ticket: Ticket(number: 2))
        let withdrawals = [machine.withdraw(Ticket(number: 1)), machine.withdraw(Ticket(number: 2))]
        #expect(withdrawals == [.detached(sent: 14, remaining: 86), .removed(remaining: 2)])
    }

    @Test("Of small sends that share a record which has begun, each stays as far as the record goes")
    func withdraw_ofARecordOfSeveral_detachesThose() {
        var machine = WriteMachineTests.opened(hasRoom: false)
        for number in UInt64(1)...4 { machine.enqueue(.init(bytes: [1, 2, 3]), ticket: Ticket(number: number)) }
        machine.ready(.writable)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { buffer.deallocate() }
        guard case .copied(12, let tick) = machine.beginFlush(into: buffer) else { return #expect(Bool(false)) }
        let didClear = machine.endFlush(0, of: 12, tick: tick, begun: 5).didClear
        #expect(didClear)
        let withdrawals = (UInt64(1)...4).reversed().map { machine.withdraw(Ticket(number: $0)) }
        let removed = WriteMachine.Withdrawal.removed(remaining: 3)
        #expect(
            withdrawals == [removed, removed, .detached(sent: 2, remaining: 1), .detached(sent: 3, remaining: 0)])
        #expect(machine.queuedBytes == 6)
        machine.ready(.writable)
        #expect(WriteMachineTests.flush(&machine, room: 100)?.bytes == [1, 2, 3, 1, 2, 3])
        #expect(machine.begunCount == 0)
    }

    @Test("An end that must be told waits for room, and only then shuts down")
    func shutDown_withAnEndToTell_waitsForRoom() {
        var machine = WriteMachineTests.opened()
        machine.tellsEnd = true
        #expect(!machine.isOver)
        machine.beginFinishing()
        #expect(machine.mustShutDown)
        machine.didShutDown()
        machine.delayShutDown()
        #expect(!machine.mustShutDown)
        #expect(!machine.isOver)
        machine.ready(.writable)
        #expect(machine.mustShutDown)
        machine.didShutDown()
        #expect(machine.isOver)
    }

    @Test func urgentByte_goesAlone_inItsPlace() {
        var machine = WriteMachineTests.opened(hasRoom: false)
        machine.enqueue(.init(bytes: [1, 2]), ticket: Ticket(number: 1))
        machine.enqueue(.init(.urgent(3), offset: 0, count: 1, sent: 0), ticket: Ticket(number: 2))
        machine.enqueue(.init(bytes: [4]), ticket: Ticket(number: 3))
        machine.ready(.writable)
        #expect(WriteMachineTests.flush(&machine, room: 9)?.bytes == [1, 2])
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
        defer { buffer.deallocate() }
        guard case .piece(.urgent(3), _, 1, let tick) = machine.beginFlush(into: buffer) else {
            return #expect(Bool(false))
        }
        #expect(machine.endFlush(1, of: 1, tick: tick).ended.map(\.ticket.number) == [2])
        #expect(WriteMachineTests.flush(&machine, room: 9)?.bytes == [4])
        #expect(machine.isFlushed)
    }

    @Test func whoeverMissedRoom_isToldOnce_whenThereIsSome() {
        var machine = WriteMachineTests.opened(hasRoom: true)
        var told = [machine.takeRoom()]
        guard case .write(let tick) = machine.admit() else { return #expect(Bool(false)) }
        _ = machine.wrote(1, of: 5, tick: tick)
        machine.missRoom()
        told.append(machine.takeRoom())
        machine.ready(.writable)
        told += [machine.takeRoom(), machine.takeRoom()]
        #expect(told == [false, false, true, false])
    }

    // MARK: Admission

    @Test func admit_beforeThereIsAConnection_queues() {
        var machine = Machine()
        #expect(machine.admit() == .queue)
    }

    @Test func admit_withRoomAndNothingBefore_writes() {
        var machine = WriteMachineTests.opened()
        #expect(machine.admit() == .write(tick: 1))
        // Another thread meanwhile.
        #expect(machine.admit() == .queue)
        #expect(machine.wrote(5, of: 5, tick: 1) == false)
        #expect(machine.admit() == .write(tick: 1))
    }

    @Test func admit_withoutRoom_queues() {
        var machine = WriteMachineTests.opened(hasRoom: false)
        #expect(machine.admit() == .queue)
        machine.ready(.readable)
        #expect(machine.admit() == .queue)
        machine.ready(.writable)
        #expect(machine.admit() == .write(tick: 2))
    }

    @Test(arguments: [PollEvents.writable, .hangUp, .error])
    func ready_letsACallTry(_ events: PollEvents) {
        var machine = WriteMachineTests.opened(hasRoom: false)
        machine.ready(events)
        #expect(machine.admit() == .write(tick: 2))
    }

    @Test func admit_behindAQueue_queues() {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [1]), ticket: WriteMachineTests.ticket(1))
        #expect(machine.admit() == .queue)
    }

    @Test func admit_afterFinish_isRefused() {
        var machine = WriteMachineTests.opened()
        machine.beginFinishing()
        #expect(machine.admit() == .finished)
        #expect(machine.isFinishing)
        #expect(!machine.hasFinished)
    }

    /// The lost event: the kernel says "full", room comes, and only then the writer gets to report.
    @Test func wrote_afterAnEventBetweenCallAndReport_keepsReadiness() {
        var machine = WriteMachineTests.opened()
        #expect(machine.admit() == .write(tick: 1))
        machine.ready(.writable)
        #expect(machine.wrote(3, of: 9, tick: 1) == false)
        machine.enqueue(.init(bytes: [1, 2, 3], offset: 1), ticket: WriteMachineTests.ticket(1), atFront: true)
        #expect(machine.canFlush)
    }

    @Test func wrote_lessThanAll_clearsReadiness() {
        var machine = WriteMachineTests.opened()
        #expect(machine.admit() == .write(tick: 1))
        #expect(machine.wrote(3, of: 9, tick: 1) == true)
        #expect(!machine.canFlush)
    }

    @Test func endFlush_afterAnEventBetweenCallAndReport_keepsReadiness() {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [1, 2, 3]), ticket: WriteMachineTests.ticket(1))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
        defer { buffer.deallocate() }
        guard case .copied(3, let tick) = machine.beginFlush(into: buffer) else {
            Issue.record("nothing to flush")
            return
        }
        machine.ready(.writable)
        #expect(machine.endFlush(1, of: 3, tick: tick).didClear == false)
        #expect(machine.canFlush)
    }

    // MARK: Order

    @Test func remainder_ofADirectWrite_goesBeforeThoseWhoCameMeanwhile() {
        var machine = WriteMachineTests.opened()
        #expect(machine.admit() == .write(tick: 1))
        #expect(machine.admit() == .queue)
        machine.enqueue(.init(bytes: [7, 8]), ticket: WriteMachineTests.ticket(2))
        #expect(machine.wrote(2, of: 4, tick: 1) == true)
        machine.enqueue(.init(bytes: [1, 2, 3, 4], offset: 2), ticket: WriteMachineTests.ticket(1), atFront: true)
        machine.ready(.writable)
        let out = WriteMachineTests.flush(&machine, room: 100)
        #expect(out?.bytes == [3, 4, 7, 8])
        #expect(out?.ended.map(\.ticket.number) == [1, 2])
        #expect(out?.ended.map(\.sent) == [4, 2])
    }

    @Test func remainder_ofBorrowedBytes_countsThoseSentBefore() {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [3, 4], sentBefore: 10), ticket: WriteMachineTests.ticket(1))
        #expect(WriteMachineTests.flush(&machine, room: 1)?.ended.isEmpty == true)
        machine.ready(.writable)
        #expect(
            WriteMachineTests.flush(&machine, room: 1)?.ended
                == [Machine.Ended(ticket: WriteMachineTests.ticket(1), sent: 12, remaining: 0)])
    }

    /// Small chunks go out together, a large one from where it is.
    @Test(
        arguments: [
            ([1, 1, 1], 3), ([16_384, 1], 16_384), ([1, 16_384, 1], 16_386), ([100_000, 5], 100_000),
            ([5, 100_000, 5], 5), ([16_383, 16_383, 16_383, 16_383, 16_383], 65_532),
        ] as [([Int], Int)])
    func flush_takesThisMuchAtOnce(_ sizes: [Int], _ count: Int) {
        var machine = WriteMachineTests.opened()
        for (number, size) in sizes.enumerated() {
            let bytes = [UInt8](repeating: UInt8(number), count: size)
            machine.enqueue(.init(bytes: bytes), ticket: WriteMachineTests.ticket(UInt64(number)))
        }
        #expect(WriteMachineTests.flush(&machine, room: .max)?.bytes.count == count)
    }

    // MARK: Giving up

    @Test func withdraw_ofOneThatHasNotBegun_removesIt() {
        var machine = WriteMachineTests.opened(hasRoom: false)
        for number in UInt64(1)...3 {
            machine.enqueue(.init(bytes: [UInt8(number), 0]), ticket: WriteMachineTests.ticket(number))
        }
        #expect(machine.withdraw(WriteMachineTests.ticket(2)) == .removed(remaining: 2))
        #expect(machine.queuedBytes == 4)
        #expect(machine.withdraw(WriteMachineTests.ticket(2)) == .unknown)
        machine.ready(.writable)
        #expect(WriteMachineTests.flush(&machine, room: 100)?.bytes == [1, 0, 3, 0])
    }

    @Test func withdraw_ofOneThatHasBegun_leavesItInTheStream() {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [1, 2, 3, 4]), ticket: WriteMachineTests.ticket(1))
        _ = WriteMachineTests.flush(&machine, room: 1)
        #expect(machine.withdraw(WriteMachineTests.ticket(1)) == .detached(sent: 1, remaining: 3))
        #expect(machine.queuedBytes == 3)
        machine.ready(.writable)
        #expect(WriteMachineTests.flush(&machine, room: 100)?.bytes == [2, 3, 4])
        #expect(machine.withdraw(WriteMachineTests.ticket(1)) == .unknown)
    }

    @Test func withdraw_ofADirectWritesRemainder_leavesItInTheStream() {
        var machine = WriteMachineTests.opened()
        #expect(machine.admit() == .write(tick: 1))
        #expect(machine.wrote(2, of: 6, tick: 1) == true)
        machine.enqueue(
            .init(bytes: [1, 2, 3, 4, 5, 6], offset: 2), ticket: WriteMachineTests.ticket(1), atFront: true)
        #expect(machine.withdraw(WriteMachineTests.ticket(1)) == .detached(sent: 2, remaining: 4))
    }

    @Test func withdraw_whileTheLoopIsWritingIt_leavesIt() {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [1, 2]), ticket: WriteMachineTests.ticket(1))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
        defer { buffer.deallocate() }
        guard case .copied(2, let tick) = machine.beginFlush(into: buffer) else {
            Issue.record("nothing to flush")
            return
        }
        #expect(machine.withdraw(WriteMachineTests.ticket(1)) == .underWay)
        #expect(machine.endFlush(2, of: 2, tick: tick).ended.map(\.sent) == [2])
    }

    /// Gathered into one call with others, of which the kernel took a part that ended before it: it has not begun.
    @Test(arguments: [0, 1, 2])
    func withdraw_ofOneThatWasGatheredButNotTaken_removesIt(_ room: Int) {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [1, 2]), ticket: WriteMachineTests.ticket(1))
        machine.enqueue(.init(bytes: [3, 4]), ticket: WriteMachineTests.ticket(2))
        #expect(WriteMachineTests.flush(&machine, room: room)?.bytes.count == room)
        #expect(machine.withdraw(WriteMachineTests.ticket(2)) == .removed(remaining: 2))
        #expect(machine.queuedBytes == 2 - room)
    }

    @Test func dropAll_tellsHowFarEachGot() {
        var machine = WriteMachineTests.opened()
        for number in UInt64(1)...3 {
            machine.enqueue(.init(bytes: [1, 2, 3]), ticket: WriteMachineTests.ticket(number))
        }
        _ = WriteMachineTests.flush(&machine, room: 4)
        #expect(
            machine.dropAll() == [
                Machine.Ended(ticket: WriteMachineTests.ticket(2), sent: 1, remaining: 2),
                Machine.Ended(ticket: WriteMachineTests.ticket(3), sent: 0, remaining: 3),
            ])
        #expect(machine.queuedBytes == 0)
        #expect(machine.isFlushed)
        #expect(!machine.canFlush)
        #expect(machine.dropAll() == [])
    }

    // MARK: Marks and ends

    @Test func takeDrained_isTrueOnce_whenTheQueueHasFallenToHalf() {
        var machine = WriteMachineTests.opened()
        machine.highWaterMark = 10
        machine.enqueue(.init(bytes: [UInt8](repeating: 0, count: 10)), ticket: WriteMachineTests.ticket(1))
        #expect(machine.takeDrained() == false)
        machine.enqueue(.init(bytes: [0]), ticket: WriteMachineTests.ticket(2))
        #expect(machine.takeDrained() == false)
        _ = WriteMachineTests.flush(&machine, room: 5)
        #expect(machine.queuedBytes == 6)
        #expect(machine.takeDrained() == false)
        machine.ready(.writable)
        _ = WriteMachineTests.flush(&machine, room: 1)
        #expect(machine.takeDrained() == true)
        #expect(machine.takeDrained() == false)
    }

    @Test func takeDrained_whenSendsAreGivenUp_isTrueToo() {
        var machine = WriteMachineTests.opened(hasRoom: false)
        machine.highWaterMark = 10
        for number in UInt64(1)...2 {
            machine.enqueue(.init(bytes: [UInt8](repeating: 0, count: 6)), ticket: WriteMachineTests.ticket(number))
        }
        #expect(machine.withdraw(WriteMachineTests.ticket(1)) == .removed(remaining: 6))
        #expect(machine.takeDrained() == false)
        #expect(machine.withdraw(WriteMachineTests.ticket(2)) == .removed(remaining: 6))
        #expect(machine.takeDrained() == true)
    }

    @Test func takeDrained_belowTheMark_isFalse() {
        var machine = WriteMachineTests.opened()
        machine.highWaterMark = 10
        machine.enqueue(.init(bytes: [1, 2]), ticket: WriteMachineTests.ticket(1))
        _ = WriteMachineTests.flush(&machine, room: 100)
        #expect(machine.takeDrained() == false)
    }

    @Test func mustShutDown_comesAfterTheLastByte_once() {
        var machine = WriteMachineTests.opened()
        machine.enqueue(.init(bytes: [1, 2]), ticket: WriteMachineTests.ticket(1))
        #expect(!machine.mustShutDown)
        machine.beginFinishing()
        #expect(!machine.mustShutDown)
        _ = WriteMachineTests.flush(&machine, room: 1)
        #expect(!machine.mustShutDown)
        machine.ready(.writable)
        _ = WriteMachineTests.flush(&machine, room: 1)
        #expect(machine.mustShutDown)
        machine.didShutDown()
        #expect(!machine.mustShutDown)
        #expect(machine.hasFinished)
    }

    @Test func mustShutDown_waitsForAWriteUnderWay() {
        var machine = WriteMachineTests.opened()
        #expect(machine.admit() == .write(tick: 1))
        machine.beginFinishing()
        #expect(!machine.mustShutDown)
        #expect(machine.wrote(1, of: 1, tick: 1) == false)
        #expect(machine.mustShutDown)
    }

    // MARK: Against a naive model

    /// What the machine must do, done slowly: sends in a list, and the bytes that went out.
    private struct Naive {
        struct Send {
            let ticket: Ticket
            let bytes: [UInt8]
            var sent: Int
        }

        var queue: [Send] = []
        var out: [UInt8] = []
        var ended: [Ticket] = []

        var queuedBytes: Int { queue.reduce(0) { $0 + $1.bytes.count - $1.sent } }

        mutating func write(_ room: Int) {
            var room = room
            while room > 0, var first = queue.first {
                let count = min(room, first.bytes.count - first.sent)
                out += first.bytes[first.sent..<(first.sent + count)]
                first.sent += count
                room -= count
                if first.sent == first.bytes.count {
                    ended.append(first.ticket)
                    queue.removeFirst()
                } else {
                    queue[0] = first
                }
            }
        }

        mutating func withdraw(_ ticket: Ticket) -> Machine.Withdrawal {
            guard let index = queue.firstIndex(where: { $0.ticket == ticket }) else { return .unknown }
            let send = queue[index]
            if send.sent > 0 { return .detached(sent: send.sent, remaining: send.bytes.count - send.sent) }
            queue.remove(at: index)
            return .removed(remaining: send.bytes.count)
        }
    }

    /// Repeats itself after 251 bytes only.
    private static let pattern = (0..<80_000).map { UInt8($0 % 251) }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func machine_agreesWithANaiveModel(_ seed: UInt64) {
        var generator = SplitMix(seed)
        var machine = WriteMachineTests.opened()
        var naive = Naive()
        var out: [UInt8] = []
        var ended: [Ticket] = []
        var stamp = 0
        let sizes = [1, 2, 3, 10, 500, 5_000, 16_383, 16_384, 20_000, 70_000]
        for number in UInt64(1)...500 {
            switch Int.random(in: 0..<8, using: &generator) {
            case 0...2:
                // Each byte is told from its neighbours, so that a wrong order or a gap shows.
                let size = sizes.randomElement(using: &generator) ?? 1
                let bytes = Array(WriteMachineTests.pattern[stamp..<(stamp + size)])
                stamp = (stamp + size) % 251
                let room = Int.random(in: 0...(2 * size), using: &generator)
                WriteMachineTests.send(bytes, number, room: room, &machine, &naive, &out)
            case 3...5:
                machine.ready(.writable)
                let room = Int.random(in: 0...40_000, using: &generator)
                let flushed = WriteMachineTests.flush(&machine, room: room)
                out += flushed?.bytes ?? []
                ended += flushed?.ended.map(\.ticket) ?? []
                naive.write(flushed?.bytes.count ?? 0)
            default:
                let some = Ticket(number: UInt64.random(in: 1...number, using: &generator))
                let ticket =
                    Bool.random(using: &generator) ? some : naive.queue.randomElement(using: &generator)?.ticket ?? some
                #expect(machine.withdraw(ticket) == naive.withdraw(ticket), "step \(number)")
            }
            #expect(machine.queuedBytes == naive.queuedBytes, "step \(number)")
            #expect(machine.isFlushed == naive.queue.isEmpty, "step \(number)")
            #expect(ended == naive.ended, "step \(number)")
        }
        while !naive.queue.isEmpty {
            machine.ready(.writable)
            guard let flushed = WriteMachineTests.flush(&machine, room: .max), !flushed.bytes.isEmpty else {
                Issue.record("\(naive.queuedBytes) bytes are left, and not flushed")
                return
            }
            out += flushed.bytes
            naive.write(flushed.bytes.count)
        }
        #expect(out == naive.out)
        #expect(machine.isFlushed)
    }

    /// As the driver does it: at once when admitted, else queued; the rest of a direct write goes to the front.
    private static func send(
        _ bytes: [UInt8], _ number: UInt64, room: Int, _ machine: inout Machine, _ naive: inout Naive,
        _ out: inout [UInt8]
    ) {
        let ticket = Ticket(number: number)
        switch machine.admit() {
        case .finished: Issue.record("not finished")
        case .queue:
            machine.enqueue(.init(bytes: bytes), ticket: ticket)
            naive.queue.append(.init(ticket: ticket, bytes: bytes, sent: 0))
        case .write(let tick):
            let count = min(room, bytes.count)
            out += bytes[..<count]
            naive.out += bytes[..<count]
            _ = machine.wrote(count, of: bytes.count, tick: tick)
            guard count < bytes.count else { return }
            machine.enqueue(.init(bytes: bytes, offset: count), ticket: ticket, atFront: true)
            naive.queue.insert(.init(ticket: ticket, bytes: bytes, sent: count), at: 0)
        }
    }
}
