/// The names of local addresses, each with a number that stands for it: so an address is plain numbers.
///
/// Equal names have one number. Nobody says when a number is no longer used, so only so many names are kept: an address
/// whose name has been pushed out by as many newer ones counts as one without a name.
enum LocalNames {
    /// More than sockets that a process can have, and 15 MB of the longest names, if a peer tries.
    private static let limit = 65_536

    private struct Table: ~Copyable {
        var names: [[UInt8]] = []
        var numbers: [[UInt8]: UInt64] = [:]
        /// The number of the next name; 0 is none.
        var next: UInt64 = 1
    }

    private static let table = Lock(Table())

    /// The number that stands for `name`.
    static func number(of name: [UInt8]) -> UInt64 {
        table.withLock { table in
            if let number = table.numbers[name] { return number }
            let number = table.next
            table.next += 1
            let slot = Int(number % UInt64(limit))
            if table.names.isEmpty { table.names.append([]) }
            if slot < table.names.count {
                table.numbers.removeValue(forKey: table.names[slot])
                table.names[slot] = name
            } else {
                table.names.append(name)
            }
            table.numbers[name] = number
            return number
        }
    }

    /// The name that a number stands for; nil when it is no longer kept.
    static func name(_ number: UInt64) -> [UInt8]? {
        table.withLock { table in
            guard number < table.next, table.next - number <= UInt64(limit) else { return nil }
            return table.names[Int(number % UInt64(limit))]
        }
    }
}
