import Testing

@testable import SocketCore

/// Chunks of the queue that are no bytes of the program, and what the loop may write in a turn.
@Suite struct WriteMachineContentTests {
    private static func ticket(_ number: UInt64) -> Ticket { Ticket(number: number) }

    /// A machine with room for the loop to write.
    private static func ready() -> WriteMachine {
        var machine = WriteMachine()
        machine.open()
        return machine
    }

    private static func taken(_ bytes: [UInt8]) -> WriteMachine.Remainder {
        .init(.bytes(bytes), offset: 0, count: bytes.count, sent: 0, isTaken: true)
    }

    private static func file(_ count: Int) throws -> WriteMachine.Remainder {
        let file = try SentFile.open(CommandLine.arguments[0], offset: 0, count: count, progress: nil)
        return .init(.file(file), offset: 0, count: count, sent: 0)
    }

    /// What is offered, as text.
    private static func offer(_ machine: inout WriteMachine) -> String {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { buffer.deallocate() }
        return switch machine.beginFlush(into: buffer) {
        case .none: "nothing"
        case .copied(let count, _): "copied \(count)"
        case .piece(.bytes, let offset, let count, _): "bytes \(offset) \(count)"
        case .piece(.urgent, _, let count, _): "urgent \(count)"
        case .piece(.accompanied, let offset, let count, _): "accompanied \(offset) \(count)"
        case .piece(.file, let offset, let count, _): "file \(offset) \(count)"
        case .piece(.pipe, let offset, let count, _): "pipe \(offset) \(count)"
        }
    }

    @Test func takenBytes_thatAreGivenUp_stayInTheQueue() {
        var machine = WriteMachineContentTests.ready()
        machine.enqueue(WriteMachineContentTests.taken([1, 2, 3]), ticket: WriteMachineContentTests.ticket(1))
        #expect(machine.withdraw(WriteMachineContentTests.ticket(1)) == .detached(sent: 0, remaining: 3))
        #expect(WriteMachineContentTests.offer(&machine) == "copied 3")
        // Under way is no difference: they go out.
        #expect(machine.withdraw(WriteMachineContentTests.ticket(1)) == .detached(sent: 0, remaining: 3))
        #expect(machine.endFlush(3, of: 3, tick: 1).ended == [.init(ticket: .init(number: 1), sent: 3, remaining: 0)])
    }

    @Test func largeChunk_isOfferedInPieces() {
        var machine = WriteMachineContentTests.ready()
        let size = WriteMachine.turnAllowance + 1000
        machine.enqueue(.init(bytes: [UInt8](repeating: 0, count: size)), ticket: WriteMachineContentTests.ticket(1))
        #expect(WriteMachineContentTests.offer(&machine) == "bytes 0 \(WriteMachine.turnAllowance)")
        _ = machine.endFlush(WriteMachine.turnAllowance, of: WriteMachine.turnAllowance, tick: 1)
        // The turn's allowance is used up, and the kernel would take more.
        #expect(!machine.canFlush && machine.wantsFlush)
        #expect(WriteMachineContentTests.offer(&machine) == "nothing")
        machine.beginTurn()
        #expect(machine.canFlush)
        #expect(WriteMachineContentTests.offer(&machine) == "copied 1000")
    }

    @Test func fileAmongOthers_goesAlone_inItsPlace() throws {
        var machine = WriteMachineContentTests.ready()
        machine.enqueue(.init(bytes: [1, 2]), ticket: WriteMachineContentTests.ticket(1))
        machine.enqueue(try WriteMachineContentTests.file(10), ticket: WriteMachineContentTests.ticket(2))
        machine.enqueue(.init(bytes: [3]), ticket: WriteMachineContentTests.ticket(3))
        #expect(machine.queuedBytes == 13)
        #expect(WriteMachineContentTests.offer(&machine) == "copied 2")
        _ = machine.endFlush(2, of: 2, tick: 1)
        #expect(WriteMachineContentTests.offer(&machine) == "file 0 10")
        _ = machine.endFlush(4, of: 4, tick: 1)
        #expect(machine.withdraw(WriteMachineContentTests.ticket(2)) == .detached(sent: 4, remaining: 6))
        #expect(WriteMachineContentTests.offer(&machine) == "file 4 6")
        #expect(machine.endFlush(6, of: 6, tick: 1).ended.map(\.sent) == [10])
        #expect(WriteMachineContentTests.offer(&machine) == "copied 1")
    }

    @Test func headThatIsNotThere_isDropped_andTheNextGoesOn() throws {
        var machine = WriteMachineContentTests.ready()
        machine.enqueue(try WriteMachineContentTests.file(10), ticket: WriteMachineContentTests.ticket(1))
        machine.enqueue(.init(bytes: [3]), ticket: WriteMachineContentTests.ticket(2))
        #expect(WriteMachineContentTests.offer(&machine) == "file 0 10")
        _ = machine.endFlush(0, of: 0, tick: 1)
        #expect(machine.dropHead() == .init(ticket: .init(number: 1), sent: 0, remaining: 10))
        #expect(machine.queuedBytes == 1)
        #expect(WriteMachineContentTests.offer(&machine) == "copied 1")
        _ = machine.endFlush(1, of: 1, tick: 1)
        #expect(machine.isFlushed && machine.dropHead() == nil)
    }
}
