internal import Synchronization

/// Tells the connections of this process apart, whatever they are.
enum ClientIds {
    private static let last = Atomic<Int>(0)

    static func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
