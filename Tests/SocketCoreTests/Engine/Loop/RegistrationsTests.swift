import SocketCore
import Testing

@Suite struct RegistrationsTests {
    private final class Client: LoopClient {}

    @Test func add_findsTheClient_byItsToken() {
        var registrations = Registrations()
        let (first, second) = (Client(), Client())
        let (one, two) = (registrations.add(first), registrations.add(second))
        #expect(one != two)
        #expect(registrations[one] === first)
        #expect(registrations[two] === second)
        #expect(registrations.count == 2)
    }

    /// A descriptor is closed and its number, and slot, given to another socket while an event is on its way.
    @Test func lateEvent_forAReusedSlot_findsNobody() {
        var registrations = Registrations()
        let old = registrations.add(Client())
        registrations.remove(old)
        let stranger = Client()
        let new = registrations.add(stranger)
        #expect(new.slot == old.slot)
        #expect(registrations[old] == nil)
        #expect(registrations[new] === stranger)
        #expect(registrations.count == 1)
    }

    @Test func remove_ofAVoidToken_leavesTheSlotsNewUser() {
        var registrations = Registrations()
        let old = registrations.add(Client())
        registrations.remove(old)
        let stranger = Client()
        let new = registrations.add(stranger)
        registrations.remove(old)
        registrations.remove(old)
        #expect(registrations[new] === stranger)
        #expect(registrations.count == 1)
        // The slot is not free twice.
        #expect(registrations.add(Client()).slot != new.slot)
    }

    @Test func replace_handsTheEventsOn() {
        var registrations = Registrations()
        let token = registrations.add(Client())
        let heir = Client()
        registrations.replace(token, with: heir)
        #expect(registrations[token] === heir)
        registrations.remove(token)
        registrations.replace(token, with: Client())
        #expect(registrations[token] == nil)
    }

    @Test(arguments: [PollToken.wakeup, PollToken(slot: 3, generation: 0), PollToken(slot: 0, generation: 1)])
    func token_thatWasNeverGiven_findsNobody(_ token: PollToken) {
        var registrations = Registrations()
        _ = registrations.add(Client())
        #expect(registrations[token] == nil)
        registrations.remove(token)
        #expect(registrations.count == 1)
    }

    @Test func remove_letsTheClientGo() {
        var registrations = Registrations()
        weak var client: Client?
        do {
            let made = Client()
            client = made
            registrations.remove(registrations.add(made))
        }
        #expect(client == nil)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func tokens_overManyReuses_areNeverConfused(_ seed: UInt64) {
        var generator = SplitMix(seed)
        var registrations = Registrations()
        var alive: [(token: PollToken, client: Client)] = []
        var dead: Set<PollToken> = []
        for _ in 0..<2_000 {
            if alive.isEmpty || Bool.random(using: &generator) {
                let client = Client()
                let token = registrations.add(client)
                #expect(!dead.contains(token))
                alive.append((token, client))
            } else {
                let (token, _) = alive.remove(at: Int.random(in: 0..<alive.count, using: &generator))
                registrations.remove(token)
                dead.insert(token)
            }
            #expect(registrations.count == alive.count)
        }
        for (token, client) in alive { #expect(registrations[token] === client) }
        for token in dead { #expect(registrations[token] == nil) }
    }
}
