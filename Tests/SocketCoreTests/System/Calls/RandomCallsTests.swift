import Testing

@testable import SocketCore

@Suite struct RandomCallsTests {
    /// More than the buffer holds, from several threads: no number comes twice. By chance it would, once in a million runs.
    @Test func next_isNeverTheSame() async {
        let numbers = await withTaskGroup(of: [UInt32].self) { tasks in
            for _ in 0..<4 { tasks.addTask { (0..<20).map { _ in RandomCalls.next() } } }
            return await tasks.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(numbers).count == numbers.count)
    }

    /// Each bit is set about half of the time.
    @Test func next_hasNoBitThatStaysTheSame() {
        let numbers = (0..<200).map { _ in RandomCalls.next() }
        for bit in 0..<32 {
            let count = numbers.count { $0 >> UInt32(bit) & 1 == 1 }
            #expect((40...160).contains(count), "bit \(bit)")
        }
    }
}
