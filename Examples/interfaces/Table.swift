import HarmonySocket

/// The lines of a table: an interface in each, and below it the addresses for which it has no room.
func table(_ interfaces: [NetworkInterface]) -> [String] {
    var rows = [["NAME", "INDEX", "MTU", "HARDWARE", "STATE", "ADDRESSES"]]
    for interface in interfaces {
        let addresses = interface.addresses.map(describe)
        rows.append([
            interface.name, "\(interface.index)", "\(interface.mtu)", interface.hardwareAddress ?? "-",
            state(interface.flags), addresses.first ?? "-",
        ])
        rows += addresses.dropFirst().map { ["", "", "", "", "", $0] }
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
        // The last column needs no padding.
        return cells.dropLast().joined(separator: "  ") + "  " + row[row.count - 1]
    }
}

private func state(_ flags: NetworkInterface.Flags) -> String {
    if flags.contains(.up) { return "\(flags)" }
    return flags.isEmpty ? "down" : "down, \(flags)"
}

private func describe(_ address: NetworkInterface.Address) -> String {
    if let peer = address.peerAddress { return "\(address) to \(peer)" }
    return "\(address)" + (address.broadcastAddress.map { ", broadcast \($0)" } ?? "")
}
