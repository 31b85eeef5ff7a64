/// The family of an address, with OpenHarmony's numbers, and 0 for one that it has no number for.
public enum AddressFamily: Int, Sendable, Hashable, Codable, CaseIterable {
    /// IPv4.
    case ipv4 = 1
    /// IPv6.
    case ipv6 = 2
    /// A host name, `localhost` included, of either family. Only `connect` looks names up.
    case domain = 3
    /// A path or a name of this machine (`LocalAddress`): what is told of a local socket. Nobody can bind or connect to a
    /// `NetAddress` of it.
    case local = 0
}
