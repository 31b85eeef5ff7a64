import SocketCore
import Testing

@Suite struct WaiterQueueTests {
    private static func waiting(
        _ number: UInt64, deadline: Instant = .never, isServing: Bool = false
    ) -> Waiting<Waiter> {
        Waiting(ticket: Ticket(number: number), waiter: .handler { _ in }, deadline: deadline, isServing: isServing)
    }

    private static func queue(_ numbers: [UInt64]) -> WaiterQueue<Waiter> {
        var queue = WaiterQueue<Waiter>()
        for number in numbers { queue.append(waiting(number)) }
        return queue
    }

    private func drain(_ queue: inout WaiterQueue<Waiter>) -> [UInt64] {
        var numbers: [UInt64] = []
        while let next = queue.popFirst() { numbers.append(next.ticket.number) }
        return numbers
    }

    @Test(arguments: [[], [1], [1, 2], [3, 1, 2]] as [[UInt64]])
    func popFirst_givesThemInOrder(_ numbers: [UInt64]) {
        var queue = WaiterQueueTests.queue(numbers)
        #expect(queue.isEmpty == numbers.isEmpty)
        #expect(drain(&queue) == numbers)
        #expect(queue.isEmpty)
        #expect(queue.popFirst() == nil)
    }

    @Test(arguments: [([], [9]), ([1], [9, 1]), ([1, 2], [9, 1, 2])] as [([UInt64], [UInt64])])
    func prepend_comesFirst(_ numbers: [UInt64], _ expected: [UInt64]) {
        var queue = WaiterQueueTests.queue(numbers)
        queue.prepend(WaiterQueueTests.waiting(9))
        #expect(drain(&queue) == expected)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func remove_takesOneOut_andOnlyOnce(_ number: UInt64) {
        var queue = WaiterQueueTests.queue([1, 2, 3, 4])
        let ticket = Ticket(number: number)
        #expect(queue.remove(ticket)?.ticket == ticket)
        #expect(queue.remove(ticket) == nil)
        #expect(drain(&queue) == [1, 2, 3, 4].filter { $0 != number })
    }

    @Test func remove_ofAnUnknownTicket_changesNothing() {
        var queue = WaiterQueueTests.queue([1, 2])
        #expect(queue.remove(Ticket(number: 7)) == nil)
        #expect(drain(&queue) == [1, 2])
    }

    @Test(
        arguments: [
            ([], []), ([1], [1]), ([2], [2]), ([3], [3]), ([1, 3], [1, 3]), ([1, 2, 3], [1, 2, 3]),
        ] as [([UInt64], [UInt64])])
    func removeAll_takesThoseOut_inOrder(_ wanted: [UInt64], _ removed: [UInt64]) {
        var queue = WaiterQueueTests.queue([1, 2, 3])
        #expect(queue.removeAll { wanted.contains($0.ticket.number) }.map(\.ticket.number) == removed)
        #expect(drain(&queue) == [1, 2, 3].filter { !removed.contains($0) })
    }

    @Test(
        arguments: [
            ([], nil), ([nil], nil), ([5], 5), ([nil, 5], 5), ([5, 3, nil], 3), ([3, 5], 3),
        ] as [([Int64?], Int64?)])
    func earliestDeadline_isTheFirstOfAll(_ deadlines: [Int64?], _ earliest: Int64?) {
        var queue = WaiterQueue<Waiter>()
        for (number, deadline) in deadlines.enumerated() {
            let deadline = deadline.map { Instant(nanoseconds: $0) } ?? .never
            queue.append(WaiterQueueTests.waiting(UInt64(number), deadline: deadline))
        }
        #expect(queue.earliestDeadline == earliest.map { Instant(nanoseconds: $0) } ?? .never)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func queue_agreesWithAList(_ seed: UInt64) {
        var generator = SplitMix(seed)
        var queue = WaiterQueue<Waiter>()
        var list: [UInt64] = []
        for number in UInt64(0)..<2_000 {
            switch Int.random(in: 0..<8, using: &generator) {
            case 0...3:
                queue.append(WaiterQueueTests.waiting(number))
                list.append(number)
            case 4:
                queue.prepend(WaiterQueueTests.waiting(number))
                list.insert(number, at: 0)
            case 5:
                let first = list.isEmpty ? nil : list.removeFirst()
                #expect(queue.popFirst()?.ticket.number == first)
            case 6:
                let some = list.randomElement(using: &generator) ?? 0
                let index = list.firstIndex(of: some)
                #expect((queue.remove(Ticket(number: some)) != nil) == (index != nil))
                if let index { list.remove(at: index) }
            default:
                let removed = queue.removeAll { $0.ticket.number % 3 == number % 3 }.map(\.ticket.number)
                #expect(removed == list.filter { $0 % 3 == number % 3 })
                list.removeAll { $0 % 3 == number % 3 }
            }
            #expect(queue.isEmpty == list.isEmpty)
        }
        #expect(drain(&queue) == list)
    }
}
