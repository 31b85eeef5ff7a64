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
            guard let before = known[index] else { return [] }
            var record = before
            if let place = record.addresses.firstIndex(where: address.isSame(as:)) {
                record.addresses[place] = address
            } else {
                record.addresses.append(address)
            }
            return replace(before, with: record)
        case .addressGone(let address, let index):
            guard let before = known[index] else { return [] }
            var record = before
            record.addresses.removeAll(where: address.isSame(as:))
            return replace(before, with: record)
        case .done, .refused, .incomplete:
            return []
        }
    }

    /// What is different in a new list, which takes the place of what was known.
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

    /// What goes is told before what comes, and each change of an address with the interface as it is then.
    private mutating func replace(_ before: InterfaceRecord, with after: InterfaceRecord) -> [Change] {
        var changes: [Change] = []
        var record = before
        for address in before.addresses where !after.addresses.contains(address) {
            record.addresses.removeAll { $0 == address }
            changes.append(.lost(address, record))
        }
        var bare = after
        bare.addresses = record.addresses
        if bare != record { changes.append(.changed(bare, before: record)) }
        for address in after.addresses where !before.addresses.contains(address) {
            bare.addresses.append(address)
            changes.append(.gained(address, bare))
        }
        known[after.index] = bare
        return changes
    }
}
