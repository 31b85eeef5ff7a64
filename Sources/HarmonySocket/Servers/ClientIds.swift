internal import Synchronization

/// Tells the connections of this process apart, whatever they are.
package enum ClientIds {
    private static let last = Atomic<Int>(0)

    package static func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
