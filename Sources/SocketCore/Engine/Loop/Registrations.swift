/// Who is behind a poll token. Slots are reused, generations are not: a late event finds nobody.
package struct Registrations: Sendable {
    private struct Slot: Sendable {
        var client: (any LoopClient)?
        var generation: UInt32 = 0
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    /// How many clients are registered.
    package private(set) var count = 0

    package init() {}

    /// Gives `client` a slot.
    package mutating func add(_ client: any LoopClient) -> PollToken {
        count += 1
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
        }
        slots[Int(slot)].client = client
        return PollToken(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// Gives a standing registration to another client.
    package mutating func replace(_ token: PollToken, with client: any LoopClient) {
        guard self[token] != nil else { return }
        slots[Int(token.slot)].client = client
    }

    /// Frees the slot. Tokens of this registration are void from here on.
    package mutating func remove(_ token: PollToken) {
        guard self[token] != nil else { return }
        slots[Int(token.slot)].client = nil
        slots[Int(token.slot)].generation &+= 1
        free.append(token.slot)
        count -= 1
    }

    /// The client of a registration that still stands.
    package subscript(token: PollToken) -> (any LoopClient)? {
        let index = Int(token.slot)
        guard index < slots.count, slots[index].generation == token.generation else { return nil }
        return slots[index].client
    }
}
