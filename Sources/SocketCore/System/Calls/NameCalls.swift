internal import CSocketShims

/// Names to addresses. Blocks: only resolver threads call it.
package enum NameCalls {
    /// Why a name has no addresses.
    package enum Failure: Error, Sendable, Hashable {
        /// The name, or an address of this family for it, does not exist.
        case unknownName
        /// The look-up itself failed: the resolver's words.
        case resolver(String)
        /// The look-up failed with a system error.
        case system(SystemError)
    }

    /// How many addresses of a name count.
    package static let limit = 64

    /// getaddrinfo(3) for one family. At most 64 addresses, without ports.
    package static func resolve(_ name: String, _ family: SocketAddress.Family) -> Result<[SocketAddress], Failure> {
        // To C the name would end there, and be another one.
        if name.utf8.contains(0) { return .failure(.unknownName) }
        return withUnsafeTemporaryAllocation(of: csocket_address.self, capacity: limit) { addresses in
            var resolverError: Int32 = 0
            let count = name.withCString {
                csocket_resolve($0, Int32(family.rawValue), addresses.baseAddress, Int32(limit), &resolverError)
            }
            if resolverError != 0 {
                if csocket_resolver_says_unknown(resolverError) != 0 { return .failure(.unknownName) }
                return .failure(.resolver(String(cString: csocket_resolver_message(resolverError))))
            }
            if count < 0 { return .failure(.system(SystemError(rawValue: -count))) }
            return .success(addresses.prefix(Int(count)).map(SocketAddress.init(native:)))
        }
    }
}
