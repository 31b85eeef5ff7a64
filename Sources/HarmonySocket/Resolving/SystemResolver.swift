internal import SocketCore

/// The system's own way to find addresses (getaddrinfo(3)): its hosts file, its name servers, and what else it is set up
/// to ask. What sockets use unless they are given another resolver.
public struct SystemResolver: SocketResolver {
    /// Makes one. They are all alike.
    public init() {}

    /// The addresses of a host, best first as RFC 6724 says, with port 0. At most 64 of each family.
    ///
    /// `.domain`, the default, is either family: it fails only when neither has an address. Look-ups run on threads of
    /// their own, at most four at a time, and have no time-out but the system's.
    ///
    /// ```swift
    /// for found in try await SystemResolver().resolve("example.org") { print(found.address) }
    /// ```
    ///
    /// - Throws: `.unknownHost`; `.lookupFailed`; `.cancelled`; `.invalidArgument` for the family `.local`; the system's refusal of a thread or of memory.
    ///
    /// ## Cancellation
    /// A cancelled call ends at once. A look-up that has begun ends by itself, and nobody hears of it.
    public func resolve(
        _ name: String, family: AddressFamily = .domain
    ) async throws(SocketError) -> [NetAddress] {
        do throws(Failure) {
            switch family {
            case .ipv4: return sorted(try await Resolver.shared.addresses(of: name, .v4))
            case .ipv6: return sorted(try await Resolver.shared.addresses(of: name, .v6))
            case .domain: return sorted(try await addressesOfEitherFamily(name))
            case .local: throw Failure.invalidArgument(.init("family", "names are of the internet"))
            }
        } catch {
            throw SocketError(error, .resolve, name)
        }
    }

    private func addressesOfEitherFamily(_ name: String) async throws(Failure) -> [Resolver.Answer] {
        async let ipv6 = answer(name, .v6)
        let ipv4 = await answer(name, .v4)
        let answers = [await ipv6, ipv4]
        let found = answers.flatMap { (try? $0.get()) ?? [] }
        if !found.isEmpty { return found }
        // "No such name" of one family says less than any other failure of the other.
        for case .failure(let failure) in answers where failure != .unknownHost(name) { throw failure }
        throw .unknownHost(name)
    }

    private func answer(_ name: String, _ family: SocketAddress.Family) async -> Result<[Resolver.Answer], Failure> {
        do throws(Failure) {
            return .success(try await Resolver.shared.addresses(of: name, family))
        } catch {
            return .failure(error)
        }
    }

    private func sorted(_ answers: [Resolver.Answer]) -> [NetAddress] {
        AddressOrdering.sorted(answers).map { NetAddress($0.address) }
    }
}
