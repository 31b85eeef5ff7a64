import SocketCore
import Testing

@Suite struct WaiterTests {
    /// Who waits, with what a driver's lock guards.
    private final class Room: Sendable {
        let queue = Lock(WaiterQueue<Waiter>())
        let isOver = Lock(false)
        /// How often each was ended, by ticket.
        let ends: Lock<[UInt8]>

        init(_ count: Int) { ends = Lock(Array(repeating: 0, count: count)) }

        func note(_ number: Int) { ends.withLock { $0[number] += 1 } }
    }

    private static let rounds = 10_000

    /// Result, cancellation, time-out and close race for each of ten thousand waits; every one ends exactly once.
    @Test func everyWait_endsExactlyOnce_whoeverIsFirst() async throws {
        let room = Room(WaiterTests.rounds)
        let contenders: [@Sendable (inout SplitMix, Room) -> ([Waiting<Waiter>], Failure?)] = [
            { _, room in (room.queue.withLock { $0.popFirst() }.map { [$0] } ?? [], nil) },
            { generator, room in
                let ticket = Ticket(number: UInt64.random(in: 0..<100, using: &generator))
                return (room.queue.withLock { $0.remove(ticket) }.map { [$0] } ?? [], .cancelled())
            },
            { generator, room in
                let now = Instant(nanoseconds: Int64.random(in: 0..<100, using: &generator))
                return (room.queue.withLock { $0.removeAll { $0.deadline <= now } }, .timedOut())
            },
            { _, room in
                (
                    room.queue.withLock { queue in
                        var all: [Waiting<Waiter>] = []
                        while let next = queue.popFirst() { all.append(next) }
                        return all
                    }, .aborted()
                )
            },
        ]
        let ended = Mailbox<Void>()
        for (number, contender) in contenders.enumerated() {
            try ProcessCalls.startThread("test-contender") {
                var generator = SplitMix(UInt64(number))
                while !room.isOver.withLock({ $0 }) {
                    let (waiting, failure) = contender(&generator, room)
                    for one in waiting { one.waiter.resume(failure) }
                    if waiting.isEmpty { ProcessThreads.yield() }
                }
                ended.put(())
            }.get()
        }
        try await bounded("ten thousand waits", limit: .seconds(40)) {
            for batch in stride(from: 0, to: WaiterTests.rounds, by: 100) {
                await wait(batch..<(batch + 100), in: room)
            }
        }
        room.isOver.withLock { $0 = true }
        _ = try await ended.take(contenders.count)
        #expect(room.ends.withLock { $0 }.allSatisfy { $0 == 1 })
    }

    /// Waits as often as that, half of it in tasks and half with handlers.
    private func wait(_ numbers: Range<Int>, in room: Room) async {
        @Sendable func enter(_ number: Int, _ waiter: Waiter) {
            let deadline = Instant(nanoseconds: Int64(number % 200))
            // A hundred at a time, so that one who cancels by its ticket often finds it.
            let ticket = Ticket(number: UInt64(number % 100))
            room.queue.withLock {
                $0.append(Waiting(ticket: ticket, waiter: waiter, deadline: deadline, isServing: false))
            }
        }
        await withTaskGroup { group in
            for number in numbers {
                guard number % 2 == 0 else {
                    enter(number, .handler { _ in room.note(number) })
                    continue
                }
                group.addTask {
                    _ = await Waiter.wait { enter(number, $0) }
                    room.note(number)
                }
            }
        }
    }

    @Test func wait_returnsTheResult() async {
        #expect(await Waiter.wait { $0.resume() } == nil)
        #expect(await Waiter.wait { $0.resume(.closed) } == .closed)
    }

    /// The cancellation may come before, during and after the waiter is stored.
    @Test func wait_thatIsCancelled_endsOnce() async throws {
        let room = Room(WaiterTests.rounds)
        try await bounded("the cancelled waits") {
            await withTaskGroup { group in
                for number in 0..<2_000 {
                    let ticket = Ticket(number: UInt64(number))
                    let task = Task {
                        let failure = await Waiter.wait { waiter in
                            room.queue.withLock {
                                $0.append(Waiting(ticket: ticket, waiter: waiter, deadline: .never, isServing: false))
                            }
                        } onCancel: {
                            room.queue.withLock { $0.remove(ticket) }?.waiter.resume(.cancelled())
                        }
                        #expect(failure == .cancelled())
                        room.note(number)
                    }
                    task.cancel()
                    group.addTask { await task.value }
                }
            }
        }
        #expect(room.ends.withLock { $0[..<2_000].allSatisfy { $0 == 1 } })
        #expect(room.queue.withLock { $0.isEmpty })
    }

    /// The same with a real socket: receives in both styles, against input, cancellation, time-outs and close. Each ends
    /// exactly once, and no byte is lost or told twice.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func everyReceive_endsExactlyOnce_andNoByteIsLost(_ seed: UInt64) async throws {
        let group = EventLoopGroup(count: 1)
        var generator = SplitMix(seed)
        for _ in 0..<10 {
            let (driver, peer) = try StreamDriver.connected(on: group)
            driver.startWatching()
            let got = Lock<[UInt8]>([])
            let ended = Mailbox<Int>()
            var sent: [UInt8] = []
            let count = 40
            for number in 0..<count {
                let timeout: Duration? =
                    [nil, .zero, .microseconds(50), .milliseconds(1)].randomElement(using: &generator) ?? nil
                let keep: @Sendable (Result<[UInt8]?, Failure>) -> Void = { result in
                    if case .success(let bytes?) = result { got.withLock { $0 += bytes } }
                    ended.put(number)
                }
                if Bool.random(using: &generator) {
                    driver.receive(timeout: timeout, ReceiveCompletion { keep($1) })
                } else {
                    let task = Task {
                        let result: Result<[UInt8]?, Failure>
                        do throws(Failure) {
                            result = .success(try await driver.receive(timeout: timeout))
                        } catch {
                            result = .failure(error)
                        }
                        keep(result)
                    }
                    if Bool.random(using: &generator) { task.cancel() }
                }
                if Bool.random(using: &generator) {
                    // One at a time, so that tasks which run side by side cannot tell them in another order.
                    sent.append(UInt8(sent.count))
                    try peer.send([UInt8(sent.count - 1)])
                }
            }
            driver.close {}
            let numbers = try await ended.take(count)
            #expect(Set(numbers) == Set(0..<count))
            #expect(ended.contents.isEmpty, "ended twice")
            // What was not received went with close; what was, was received once.
            let bytes = got.withLock { $0 }
            #expect(Set(bytes).count == bytes.count)
            #expect(bytes.sorted() == Array(sent[..<bytes.count]))
            peer.close()
        }
    }
}
