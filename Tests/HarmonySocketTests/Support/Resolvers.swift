import HarmonySocket

/// Answers as the test says, and notes what it was asked.
final class ScriptedResolver: SocketResolver {
    private let answer: @Sendable (String, AddressFamily) async throws -> [NetAddress]
    /// "name ipv6", in the order of asking.
    let asked = EventRecorder<String>()

    init(_ answer: @escaping @Sendable (String, AddressFamily) async throws -> [NetAddress]) {
        self.answer = answer
    }

    /// Knows these addresses for every name, whatever the family.
    convenience init(_ addresses: [String]) {
        self.init { _, _ in addresses.map { NetAddress($0) } }
    }

    func resolve(_ name: String, family: AddressFamily) async throws -> [NetAddress] {
        asked.record("\(name) \(family)")
        return try await answer(name, family)
    }
}

/// Neither answers nor heeds cancellation before it is released.
final class StuckResolver: SocketResolver {
    private let released = Outcome<[NetAddress]>()
    let asked = EventRecorder<AddressFamily>()

    func resolve(_ name: String, family: AddressFamily) async throws -> [NetAddress] {
        asked.record(family)
        return try await released.value
    }

    func release() { released.set(.success([])) }
}
