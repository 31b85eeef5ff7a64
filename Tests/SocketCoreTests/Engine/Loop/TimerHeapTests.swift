import SocketCore
import Testing

@Suite struct TimerHeapTests {
    /// Everything that is due, in the order it comes out.
    private func drain(_ heap: inout TimerHeap<Int>, upTo now: Int64 = .max) -> [Int] {
        var expired: [Int] = []
        heap.popAllExpired(upTo: now, into: &expired)
        return expired
    }

    @Test(
        arguments: [
            ([], []),
            ([5], [0]),
            ([3, 1, 2], [1, 2, 0]),
            ([1, 1, 1, 1], [0, 1, 2, 3]),
            ([2, 1, 2, 1, 2], [1, 3, 0, 2, 4]),
            ([.max, .min, 0, -1], [1, 3, 2, 0]),
            ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ] as [([Int64], [Int])])
    func comesOutByDeadlineThenInsertion(_ deadlines: [Int64], _ order: [Int]) {
        var heap = TimerHeap<Int>()
        for (index, deadline) in deadlines.enumerated() { _ = heap.insert(index, at: deadline) }
        #expect(heap.count == deadlines.count)
        #expect(heap.earliestDeadline == deadlines.min())
        #expect(drain(&heap) == order)
        #expect(heap.isEmpty)
        #expect(heap.earliestDeadline == nil)
    }

    @Test(arguments: [(9, []), (10, [0]), (11, [0]), (20, [0, 1]), (.max, [0, 1, 2])] as [(Int64, [Int])])
    func onlyWhatIsDueExpires(_ now: Int64, _ expired: [Int]) {
        var heap = TimerHeap<Int>()
        for index in 0..<3 { _ = heap.insert(index, at: Int64(10 * (index + 1))) }
        #expect(drain(&heap, upTo: now) == expired)
        #expect(heap.count == 3 - expired.count)
    }

    @Test(
        arguments: [
            (0, 25, [1, 0, 2]), (0, 40, [1, 2, 0]), (2, 5, [2, 0, 1]), (1, 20, [0, 1, 2]),
            (0, 20, [1, 0, 2]), // behind its equal: a move counts as a new insertion
        ] as [(Int, Int64, [Int])])
    func aMovedEntryComesOutAtItsNewPlace(_ index: Int, _ deadline: Int64, _ order: [Int]) {
        var heap = TimerHeap<Int>()
        let handles = (0..<3).map { heap.insert($0, at: Int64(10 * ($0 + 1))) }
        #expect(heap.move(handles[index], to: deadline) == true)
        #expect(drain(&heap) == order)
    }

    @Test(arguments: 0..<7)
    func aRemovedEntryIsGone(_ index: Int) {
        var heap = TimerHeap<Int>()
        let handles = [5, 3, 6, 1, 4, 2, 0].map { heap.insert($0, at: Int64($0)) }
        let payload = heap.remove(handles[index])
        #expect(payload == [5, 3, 6, 1, 4, 2, 0][index])
        #expect(heap.remove(handles[index]) == nil)
        #expect(drain(&heap) == (0..<7).filter { $0 != payload })
    }

    @Test func aHandleOfAnEntryThatLeftIsHarmless() {
        var heap = TimerHeap<Int>()
        let popped = heap.insert(1, at: 1)
        #expect(heap.popExpired(upTo: 1) == 1)
        let reused = heap.insert(2, at: 2)
        #expect(heap.move(popped, to: 0) == false)
        #expect(heap.remove(popped) == nil)
        #expect(heap.count == 1)
        #expect(heap.earliestDeadline == 2)
        #expect(heap.remove(reused) == 2)
    }

    @Test func aHandleOfALargerHeapIsHarmless() {
        var large = TimerHeap<Int>()
        var small = TimerHeap<Int>()
        let handle = (0..<3).map { large.insert($0, at: 0) }[2]
        #expect(small.move(handle, to: 1) == false)
        #expect(small.remove(handle) == nil)
    }

    @Test func aPayloadIsReleasedWhenItLeaves() {
        final class Payload {}
        var heap = TimerHeap<Payload>(minimumCapacity: 2)
        weak var removed: Payload?
        weak var popped: Payload?
        do {
            let (first, second) = (Payload(), Payload())
            (removed, popped) = (first, second)
            heap.remove(heap.insert(first, at: 1))
            _ = heap.insert(second, at: 2)
            _ = heap.popExpired(upTo: 2)
        }
        #expect(removed == nil)
        #expect(popped == nil)
    }

    @Test func anEntryInsertedWhileWorkingWaits() {
        var heap = TimerHeap<Int>()
        _ = heap.insert(1, at: 0)
        var rounds = 0
        for payload in drain(&heap, upTo: 5) {
            rounds += payload
            _ = heap.insert(1, at: 0)
        }
        #expect(rounds == 1)
        #expect(heap.count == 1)
    }

    /// What the heap must do, done slowly: entries in a list, sorted by deadline and age.
    private struct Naive {
        var entries: [(deadline: Int64, age: Int, payload: Int)] = []
        var age = 0

        mutating func insert(_ payload: Int, at deadline: Int64) {
            entries.append((deadline, age, payload))
            age += 1
            entries.sort { ($0.deadline, $0.age) < ($1.deadline, $1.age) }
        }

        mutating func remove(_ payload: Int) -> Int? {
            guard let index = entries.firstIndex(where: { $0.payload == payload }) else { return nil }
            return entries.remove(at: index).payload
        }

        mutating func popAllExpired(upTo now: Int64) -> [Int] {
            let due = entries.prefix { $0.deadline <= now }
            entries.removeFirst(due.count)
            return due.map(\.payload)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
    func agreesWithASortedList(_ seed: UInt64) {
        var generator = SplitMix(seed)
        var heap = TimerHeap<Int>()
        var naive = Naive()
        var handles: [TimerHandle] = []
        for step in 0..<3_000 {
            // Few different deadlines, so that equals are common.
            let deadline = Int64.random(in: 0..<200, using: &generator)
            let some = handles.isEmpty ? nil : Int.random(in: 0..<handles.count, using: &generator)
            switch (Int.random(in: 0..<10, using: &generator), some) {
            case (0...4, _), (_, nil):
                naive.insert(handles.count, at: deadline)
                handles.append(heap.insert(handles.count, at: deadline))
            case (5...6, let payload?):
                let isThere = naive.remove(payload) != nil
                if isThere { naive.insert(payload, at: deadline) }
                #expect(heap.move(handles[payload], to: deadline) == isThere)
            case (7...8, let payload?):
                #expect(heap.remove(handles[payload]) == naive.remove(payload), "step \(step)")
            default:
                #expect(drain(&heap, upTo: deadline / 4) == naive.popAllExpired(upTo: deadline / 4), "step \(step)")
            }
            #expect(heap.count == naive.entries.count)
            #expect(heap.earliestDeadline == naive.entries.first?.deadline)
        }
        #expect(drain(&heap) == naive.popAllExpired(upTo: .max))
    }
}
