import SocketCore
import Testing

/// Sends that are messages, and descriptors among them.
@Suite struct WriteMachineBoundsTests {
    private static func offer(_ machine: inout WriteMachine) -> String {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { buffer.deallocate() }
        return switch machine.beginFlush(into: buffer) {
        case .none: "nothing"
        case .copied(let count, _): "copied \(count)"
        case .piece(.bytes, let offset, let count, _): "bytes \(offset) \(count)"
        case .piece(.accompanied, let offset, let count, _): "accompanied \(offset) \(count)"
        case .piece: "something else"
        }
    }

    private static func ready(keepsBounds: Bool) -> WriteMachine {
        var machine = WriteMachine()
        machine.keepsBounds = keepsBounds
        for number in 1...3 {
            machine.enqueue(.init(bytes: [UInt8](repeating: 0, count: number)), ticket: .init(number: UInt64(number)))
        }
        machine.open()
        return machine
    }

    @Test func smallMessages_areGathered_unlessTheyKeepTheirBounds() {
        var stream = WriteMachineBoundsTests.ready(keepsBounds: false)
        #expect(WriteMachineBoundsTests.offer(&stream) == "copied 6")
        var packets = WriteMachineBoundsTests.ready(keepsBounds: true)
        for number in 1...3 {
            #expect(WriteMachineBoundsTests.offer(&packets) == "bytes 0 \(number)")
            #expect(packets.endFlush(number, of: number, tick: 1).ended.map(\.ticket.number) == [UInt64(number)])
        }
        #expect(WriteMachineBoundsTests.offer(&packets) == "nothing")
    }

    @Test func descriptors_endWhatIsGathered_andGoWithTheirFirstByte() {
        var machine = WriteMachine()
        let passed = PassedDescriptors(adopting: [])
        machine.enqueue(.init(bytes: [1, 2]), ticket: .init(number: 1))
        machine.enqueue(
            .init(.accompanied([3, 4, 5], passed), offset: 0, count: 3, sent: 0), ticket: .init(number: 2))
        machine.enqueue(.init(bytes: [6]), ticket: .init(number: 3))
        machine.open()
        #expect(WriteMachineBoundsTests.offer(&machine) == "copied 2")
        _ = machine.endFlush(2, of: 2, tick: 1)
        #expect(WriteMachineBoundsTests.offer(&machine) == "accompanied 0 3")
        #expect(machine.endFlush(1, of: 3, tick: 1).ended.isEmpty)
        machine.open()
        #expect(WriteMachineBoundsTests.offer(&machine) == "accompanied 1 2")
        #expect(machine.withdraw(.init(number: 2)) == .detached(sent: 1, remaining: 2))
    }
}
