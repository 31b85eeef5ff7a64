internal import SocketCore

/// Finds the addresses of host names: a cache, a name service of your own, DNS over something else, or fixed answers.
///
/// A socket takes one when it is made, and asks it in `connect` instead of the system. IP literals, and `localhost`
/// unless its family is `.domain`, are not asked about.
///
/// ```swift
/// struct Table: SocketResolver {
///     let hosts: [String: [NetAddress]]
///
///     func resolve(_ name: String, family: AddressFamily) async throws -> [NetAddress] {
///         if let known = hosts[name] { return known }
///         return try await SystemResolver().resolve(name, family: family)
///     }
/// }
/// let resolver = Table(hosts: ["printer.example": [NetAddress("192.0.2.7"), NetAddress("2001:db8::7")]])
/// let client = TCPSocket(resolver: resolver)
/// try await client.connect(to: NetAddress("printer.example", port: 631))
/// ```
public protocol SocketResolver: Sendable {
    /// The IP addresses of a host name in one family, best first. Ports are not looked at.
    ///
    /// `connect` asks for `.ipv6` and `.ipv4` at the same time, or for one of them where the address or a bound socket
    /// has a family, and tries the first answer without waiting long for the other (RFC 8305). Both answers are sorted
    /// as RFC 6724 says; equally good addresses keep the order that they have here. Addresses of the other family do not
    /// count, nor do those after the 64th. No address at all means that the host is unknown.
    ///
    /// Runs in a task of its own on Swift's thread pool. It need not be quick, and may even never return: `connect` has
    /// its own time-out.
    ///
    /// - Throws: anything. An error of `SystemResolver` makes `connect` fail as it does with the system's resolver; any
    ///   other makes it `.lookupFailed`, and its description is part of the message. So does an answer in which nothing
    ///   is an IP literal. Where one family fails, the addresses of the other are still tried.
    ///
    /// ## Cancellation
    /// The task is cancelled when nobody wants the answer any more. Nothing waits for its end.
    func resolve(_ name: String, family: AddressFamily) async throws -> [NetAddress]
}

extension SocketResolver {
    /// What the engine asks; nil is the system.
    var nameResolver: NameResolver? {
        if self is SystemResolver { return nil }
        return { name, family in
            do {
                return addresses(in: try await resolve(name, family: family == .v4 ? .ipv4 : .ipv6))
            } catch {
                return .failure(NameCalls.Failure(error))
            }
        }
    }

    /// Leaves out what is no IP address. Fails when nothing else is there.
    private func addresses(in found: [NetAddress]) -> Result<[SocketAddress], NameCalls.Failure> {
        let addresses = found.compactMap { try? SocketAddress(parsing: $0.address) }
        if addresses.isEmpty, let first = found.first {
            return .failure(.resolver("\"\(first.address)\" is not an IP address"))
        }
        return .success(addresses)
    }
}

extension NameCalls.Failure {
    /// What a resolver of the program threw.
    init(_ error: any Error) {
        switch (error as? SocketError)?.failure {
        case .unknownHost: self = .unknownName
        case .resolver(_, let message): self = .resolver(message)
        case .system(let error, .resolve, _, _): self = .system(error)
        default: self = .resolver("\(error)")
        }
    }
}
