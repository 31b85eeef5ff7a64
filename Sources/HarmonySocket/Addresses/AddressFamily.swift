/// The family of an address, with OpenHarmony's numbers.
public enum AddressFamily: Int, Sendable, Hashable, Codable, CaseIterable {
    /// IPv4.
    case ipv4 = 1
    /// IPv6.
    case ipv6 = 2
    /// A host name, `localhost` included, of either family. Only `connect` looks names up.
    case domain = 3
}
