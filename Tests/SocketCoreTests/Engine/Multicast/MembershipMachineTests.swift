import SocketCore
import Testing

@Suite struct MembershipMachineTests {
    private static let group = SocketAddress(v4: 0xe801_0203)
    private static let all = Membership(group)
    private static let onTwo = Membership(group, interface: 2)
    private static let fromOne = Membership(group, source: SocketAddress(v4: 0xc000_0201))
    private static let fromTwo = Membership(group, source: SocketAddress(v4: 0xc000_0202))

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let joined: [Membership]
        let wanted: Membership
        let refusal: MembershipMachine.Refusal?
    }

    @Test(arguments: [
        Row(testDescription: "the first", joined: [], wanted: all, refusal: nil),
        Row(testDescription: "the same", joined: [all], wanted: all, refusal: .joinedAlready),
        Row(testDescription: "on another interface", joined: [all], wanted: onTwo, refusal: nil),
        Row(testDescription: "another source", joined: [fromOne], wanted: fromTwo, refusal: nil),
        Row(testDescription: "the same source", joined: [fromTwo, fromOne], wanted: fromOne, refusal: .joinedAlready),
        Row(
            testDescription: "a source of what is joined for all", joined: [all], wanted: fromOne,
            refusal: .joinedForAll),
        Row(
            testDescription: "all of what is joined for one", joined: [fromOne], wanted: all, refusal: .joinedForSources
        ),
    ])
    func beginJoin_isRefusedWhereTheKernelWould(_ row: Row) {
        var machine = MembershipMachine()
        for membership in row.joined { join(membership, &machine) }
        #expect(machine.beginJoin(row.wanted) == row.refusal)
        #expect(machine.joined == row.joined)
        if row.refusal == nil {
            machine.endJoin(row.wanted, hasJoined: true)
            #expect(machine.joined == row.joined + [row.wanted])
        }
    }

    @Test func beginLeave_ofWhatIsNotJoined_isRefused() {
        var machine = MembershipMachine()
        #expect(machine.beginLeave(Self.all) == .notJoined)
        join(Self.fromOne, &machine)
        for other in [Self.all, Self.onTwo, Self.fromTwo] { #expect(machine.beginLeave(other) == .notJoined) }
        #expect(machine.beginLeave(Self.fromOne) == nil)
        machine.endLeave(Self.fromOne, hasLeft: true)
        #expect(machine.joined.isEmpty)
        #expect(machine.beginLeave(Self.fromOne) == .notJoined)
        #expect(machine.beginJoin(Self.fromOne) == nil)
    }

    @Test func whatTheKernelRefuses_isAsBefore() {
        var machine = MembershipMachine()
        #expect(machine.beginJoin(Self.all) == nil)
        machine.endJoin(Self.all, hasJoined: false)
        #expect(machine.joined.isEmpty)
        join(Self.all, &machine)
        #expect(machine.beginLeave(Self.all) == nil)
        machine.endLeave(Self.all, hasLeft: false)
        #expect(machine.joined == [Self.all])
    }

    @Test func whileTheKernelIsAsked_nobodyElseBegins() {
        var machine = MembershipMachine()
        #expect(machine.beginJoin(Self.all) == nil)
        #expect(machine.joined.isEmpty)
        #expect(machine.beginJoin(Self.all) == .joinedAlready)
        #expect(machine.beginLeave(Self.all) == .notJoined)
        machine.endJoin(Self.all, hasJoined: true)
        #expect(machine.beginLeave(Self.all) == nil)
        #expect(machine.joined.isEmpty)
        #expect(machine.beginLeave(Self.all) == .notJoined)
        #expect(machine.beginJoin(Self.all) == .joinedAlready)
        machine.endLeave(Self.all, hasLeft: true)
        #expect(machine.beginJoin(Self.all) == nil)
    }

    @Test func membership_doesNotTellPortsAndScopesApart() {
        let group = SocketAddress(v6: 0xff02 << 48, 1, scope: 3, port: 7007)
        #expect(Membership(group, interface: 3) == Membership(SocketAddress(v6: 0xff02 << 48, 1), interface: 3))
    }

    private func join(_ membership: Membership, _ machine: inout MembershipMachine) {
        #expect(machine.beginJoin(membership) == nil)
        machine.endJoin(membership, hasJoined: true)
    }
}
