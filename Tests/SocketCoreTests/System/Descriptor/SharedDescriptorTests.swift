import SocketCore
import Testing

@Suite struct SharedDescriptorTests {
    /// The one under test, and whether what it handed out was the owner; an owner is let go of at once.
    private final class Subject {
        private var shared = SharedDescriptor()

        var number: Int32? { shared.number }
        func adopt(_ descriptor: consuming OwnedDescriptor) { shared.adopt(descriptor) }
        func lend() -> Int32? { shared.lend() }
        /// Whether the last user got the owner.
        func giveBack() -> Bool { shared.giveBack() != nil }
        /// Whether there was an owner to close.
        func retire() -> Bool { shared.retire() != nil }
        func surrender() -> OwnedDescriptor? { shared.surrender() }
        func withhold() -> Bool { shared.withhold() }
        var isReturned: Bool { shared.isReturned }
    }

    private func opened() throws -> OwnedDescriptor {
        switch SocketCalls.open(.v4, .datagram) {
        case .success(let descriptor): return descriptor
        case .failure(let error): throw error
        }
    }

    /// Gives the socket an address of its own, by which it is told from a stranger's at the same number.
    private func identity(_ number: Int32) throws -> SocketAddress {
        try SocketCalls.bind(number, to: .loopback(.v4)).get()
        return try SocketCalls.localAddress(number).get()
    }

    /// Whether `number` still is the socket that was bound to `address`, and not closed or a stranger's.
    private func isOpen(_ number: Int32, _ address: SocketAddress) -> Bool {
        (try? SocketCalls.localAddress(number).get()) == address
    }

    private func surrenders(_ shared: Subject) -> Bool { shared.surrender() != nil }

    @Test func new_lendsNothing() {
        let shared = Subject()
        #expect(shared.number == nil)
        #expect(shared.lend() == nil)
        #expect(!shared.retire())
    }

    @Test func adopt_lendsTheNumber() throws {
        let shared = Subject()
        let descriptor = try opened()
        let number = descriptor.number
        shared.adopt(descriptor)
        #expect(shared.number == number)
        #expect(shared.lend() == number)
        #expect(!shared.giveBack())
        #expect(shared.number == number)
    }

    @Test func retire_whenNobodyUsesIt_closes() throws {
        let shared = Subject()
        shared.adopt(try opened())
        let number = try #require(shared.number)
        let address = try identity(number)
        #expect(shared.retire())
        #expect(!isOpen(number, address))
        #expect(shared.lend() == nil)
    }

    @Test(arguments: 1...3)
    func retire_whileLent_leavesTheClosingToTheLastUser(_ users: Int) throws {
        let shared = Subject()
        shared.adopt(try opened())
        let number = try #require(shared.number)
        let address = try identity(number)
        for _ in 0..<users { #expect(shared.lend() == number) }
        #expect(!shared.retire())
        #expect(shared.number == nil)
        #expect(shared.lend() == nil)
        for left in stride(from: users, to: 0, by: -1) {
            #expect(isOpen(number, address), "closed while \(left) still used it")
            #expect(shared.giveBack() == (left == 1))
        }
        #expect(!isOpen(number, address))
    }

    @Test func retire_twice_closesOnce() throws {
        let shared = Subject()
        shared.adopt(try opened())
        #expect(shared.lend() != nil)
        #expect(!shared.retire())
        #expect(!shared.retire())
        #expect(shared.giveBack())
        #expect(!shared.retire())
    }

    /// The kernel gives the lowest free number to the next who asks: a call that started before must never meet it.
    @Test func number_isNotReused_whileACallIsUsingIt() throws {
        let shared = Subject()
        shared.adopt(try opened())
        let number = try #require(shared.lend())
        _ = shared.retire()
        var strangers: [Int32] = []
        for _ in 0..<32 {
            let stranger = try RawSocket.open(.v4, .datagram)
            strangers.append(stranger.number)
            stranger.close()
        }
        #expect(!strangers.contains(number))
        _ = shared.giveBack()
    }

    /// And after the last user is done, nothing here remembers the number: a stranger's socket stays open.
    @Test func number_reopenedByAStranger_isNotClosed() throws {
        let shared = Subject()
        shared.adopt(try opened())
        let number = try #require(shared.number)
        _ = shared.retire()
        let stranger = try RawSocket.open(.v4, .datagram)
        defer { stranger.close() }
        let address = try identity(stranger.number)
        #expect(!shared.retire())
        #expect(!surrenders(shared))
        #expect(shared.lend() == nil)
        #expect(isOpen(stranger.number, address), "\(stranger.number), before it \(number)")
    }

    @Test func surrender_givesItUpForAWhile() throws {
        let shared = Subject()
        shared.adopt(try opened())
        let number = shared.number
        switch shared.surrender() {
        case .none: Issue.record("nobody uses it")
        case .some(let owner):
            #expect(owner.number == number)
            #expect(shared.number == nil)
            #expect(shared.lend() == nil)
            shared.adopt(owner)
        }
        #expect(shared.number == number)
    }

    @Test func surrender_whileLent_isRefused() throws {
        let shared = Subject()
        shared.adopt(try opened())
        #expect(shared.lend() != nil)
        #expect(!surrenders(shared))
        #expect(!shared.giveBack())
    }

    @Test func withhold_whenNobodyUsesIt_leavesItToBeSurrendered() throws {
        let shared = Subject()
        shared.adopt(try opened())
        #expect(!shared.withhold())
        #expect(shared.lend() == nil)
        #expect(!shared.isReturned)
        #expect(surrenders(shared))
        #expect(!surrenders(shared))
    }

    @Test(arguments: 1...3)
    func withhold_whileLent_waitsForTheLastUser(_ users: Int) throws {
        let shared = Subject()
        shared.adopt(try opened())
        for _ in 0..<users { #expect(shared.lend() != nil) }
        #expect(shared.withhold())
        #expect(shared.lend() == nil)
        for _ in 0..<users {
            #expect(!shared.isReturned)
            #expect(!surrenders(shared))
            #expect(!shared.giveBack())
        }
        #expect(shared.isReturned)
        #expect(surrenders(shared))
        #expect(!shared.isReturned)
    }

    @Test func withhold_thenRetire_leavesTheClosingToTheLastUser() throws {
        let shared = Subject()
        shared.adopt(try opened())
        #expect(shared.lend() != nil)
        #expect(shared.withhold())
        #expect(!shared.retire())
        #expect(shared.giveBack())
        #expect(!shared.isReturned)
    }

    @Test func adopt_afterRetire_closesWhatCame() throws {
        let shared = Subject()
        #expect(!shared.retire())
        let late = try opened()
        let number = late.number
        let address = try identity(number)
        shared.adopt(late)
        #expect(shared.number == nil)
        #expect(!isOpen(number, address))
    }

    @Test func adopt_ofASecondOne_closesIt() throws {
        let shared = Subject()
        shared.adopt(try opened())
        let first = shared.number
        let second = try opened()
        let number = second.number
        let address = try identity(number)
        shared.adopt(second)
        #expect(shared.number == first)
        #expect(!isOpen(number, address))
    }

    @Test func owned_relinquished_isNotClosed() throws {
        let descriptor = try opened()
        let number = descriptor.number
        let address = try identity(number)
        let given = descriptor.relinquish()
        #expect(given == number)
        #expect(isOpen(number, address))
        let owner = OwnedDescriptor(adopting: number)
        #expect(owner.number == number)
    }
}
