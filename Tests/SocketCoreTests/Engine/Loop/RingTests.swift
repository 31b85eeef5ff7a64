import SocketCore
import Testing

@Suite struct RingTests {
    @Test func empty_hasNothing() {
        var ring = Ring<Int>()
        #expect(ring.isEmpty)
        #expect(ring.count == 0)
        #expect(ring.first == nil)
        #expect(ring.popFirst() == nil)
    }

    @Test(arguments: [1, 7, 8, 9, 16, 17, 1_000])
    func elements_comeOutInOrder(_ count: Int) {
        var ring = Ring<Int>()
        for number in 0..<count { ring.append(number) }
        #expect(ring.count == count)
        #expect(ring.first == 0)
        #expect((0..<count).map { _ in ring.popFirst() } == (0..<count).map(Optional.some))
        #expect(ring.popFirst() == nil)
    }

    /// The head stands at each place of the buffer when it grows.
    @Test(arguments: 0..<8)
    func growing_whileWrappedAround_keepsTheOrder(_ head: Int) {
        var ring = Ring<Int>()
        for _ in 0..<8 { ring.append(-1) }
        for _ in 0..<8 { _ = ring.popFirst() }
        for _ in 0..<head { ring.append(-1) }
        for _ in 0..<head { _ = ring.popFirst() }
        for number in 0..<20 { ring.append(number) }
        #expect((0..<20).map { _ in ring.popFirst() } == (0..<20).map(Optional.some))
    }

    @Test(arguments: [(0, [1, 2, 3]), (2, [0, 1, 3]), (9, [0, 1, 2, 3])])
    func remove_takesSomeOut(_ number: Int, _ left: [Int]) {
        var ring = Ring<Int>()
        for number in 0..<4 { ring.append(number) }
        #expect(ring.remove { $0 == number } == (number < 4 ? [number] : []))
        #expect((0..<9).compactMap { ring[$0] } == left)
        #expect(left.map { _ in ring.popFirst() } == left.map(Optional.some))
        #expect(ring.isEmpty)
    }

    @Test(arguments: [1, 8, 9, 40])
    func prepend_putsBefore_andSubscriptLooks(_ count: Int) {
        var ring = Ring<Int>()
        for number in 0..<count { if number % 2 == 0 { ring.append(number) } else { ring.prepend(number) } }
        let odd = (0..<count).filter { $0 % 2 == 1 }.reversed()
        let expected = odd + (0..<count).filter { $0 % 2 == 0 }
        #expect((0..<count).map { ring[$0] } == expected.map(Optional.some))
        #expect(ring[count] == nil)
        #expect(expected.map { _ in ring.popFirst() } == expected.map(Optional.some))
        ring.shrink()
        #expect(ring.isEmpty)
        ring.append(1)
        ring.shrink()
        #expect(ring.popFirst() == 1)
    }

    @Test func element_isReleasedWhenItLeaves() {
        final class Thing {}
        var ring = Ring<Thing>()
        weak var thing: Thing?
        do {
            let made = Thing()
            thing = made
            ring.append(made)
            _ = ring.popFirst()
        }
        #expect(thing == nil)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func ring_agreesWithAnArray(_ seed: UInt64) {
        var generator = SplitMix(seed)
        var ring = Ring<Int>()
        var array: [Int] = []
        for number in 0..<5_000 {
            if Int.random(in: 0..<100, using: &generator) < 40 + number / 500 % 2 * 25 {
                ring.append(number)
                array.append(number)
            } else {
                #expect(ring.popFirst() == (array.isEmpty ? nil : array.removeFirst()))
            }
            #expect(ring.count == array.count)
            #expect(ring.first == array.first)
        }
    }
}
