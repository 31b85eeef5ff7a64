/// Knows the interfaces, and finds out what is new: from single news, or by comparing with a whole new list.
package struct InterfaceMachine: Sendable {
    /// What has come, gone or become different.
    package enum Change: Sendable, Hashable {
        /// With the addresses that it has already.
        case came(InterfaceRecord)
        /// As it was last.
        case went(InterfaceRecord)
        /// Its name, flags, MTU or hardware address.
        case changed(InterfaceRecord, before: InterfaceRecord)
        /// Of the interface as it is afterwards; so it is with `lost`.
        case gained(InterfaceRecord.Address, InterfaceRecord)
        case lost(InterfaceRecord.Address, InterfaceRecord)
    }

    private var known: [UInt32: InterfaceRecord] = [:]

    /// Knows these interfaces. Of two with one index the later counts.
    package init(_ interfaces: [InterfaceRecord] = []) {
        for interface in interfaces { known[interface.index] = interface }
    }

    /// All interfaces, by index.
    package var interfaces: [InterfaceRecord] { known.values.sorted { $0.index < $1.index } }

    /// What one piece of news changes. Telling what is known already changes nothing, so news that are older than the list
    /// do no harm once all have come.
    package mutating func apply(_ news: InterfaceNews) -> [Change] {
        switch news {
        case .link(let index, let name, let flags, let mtu, let hardwareAddress):
            guard let before = known[index] else {
                guard let name else { return [] }
                let record = InterfaceRecord(
                    index: index, name: name, flags: flags, mtu: mtu ?? 0, hardwareAddress: hardwareAddress ?? [])
                known[index] = record
                return [.came(record)]
            }
            var record = before
            record.name = name ?? before.name
            record.flags = flags
            record.mtu = mtu ?? before.mtu
            record.hardwareAddress = hardwareAddress ?? before.hardwareAddress
            return replace(before, with: record)
        case .linkGone(let index):
            return known.removeValue(forKey: index).map { [.went($0)] } ?? []
        case .address(let address, let index):
            return take(index) { record in
                guard let place = record.addresses.firstIndex(where: address.isSame(as:)) else {
                    record.addresses.append(address)
                    return (nil, address)
                }
                let before = record.addresses[place]
                if before == address { return (nil, nil) }
                record.addresses[place] = address
                return (before, address)
            }
        case .addressGone(let address, let index):
            return take(index) { record in
                let place = record.addresses.firstIndex(where: address.isSame(as:))
                return (place.map { record.addresses.remove(at: $0) }, nil)
            }
        case .done, .refused, .incomplete:
            return []
        }
    }

    /// What is different in a new list, which takes the place of what was known. What goes is told before what comes.
    package mutating func replace(with current: [InterfaceRecord]) -> [Change] {
        let indexes = Set(current.map(\.index))
        var changes: [Change] = []
        for record in interfaces where !indexes.contains(record.index) {
            known[record.index] = nil
            changes.append(.went(record))
        }
        for record in current {
            if let before = known[record.index] {
                changes += replace(before, with: record)
            } else {
                known[record.index] = record
                changes.append(.came(record))
            }
        }
        return changes
    }

    private mutating func replace(_ before: InterfaceRecord, with after: InterfaceRecord) -> [Change] {
        known[after.index] = after
        let (old, new) = (Set(before.addresses), Set(after.addresses))
        var changes: [Change] = before.addresses.filter { !new.contains($0) }.map { .lost($0, after) }
        var bare = after
        bare.addresses = before.addresses
        if bare != before { changes.append(.changed(after, before: before)) }
        return changes + after.addresses.filter { !old.contains($0) }.map { .gained($0, after) }
    }

    /// Changes the addresses of an interface where they are: there may be thousands.
    private mutating func take(
        _ index: UInt32,
        _ body: (inout InterfaceRecord) -> (lost: InterfaceRecord.Address?, gained: InterfaceRecord.Address?)
    ) -> [Change] {
        guard var record = known.removeValue(forKey: index) else { return [] }
        let (lost, gained) = body(&record)
        known[index] = record
        return (lost.map { [.lost($0, record)] } ?? []) + (gained.map { [.gained($0, record)] } ?? [])
    }
}
