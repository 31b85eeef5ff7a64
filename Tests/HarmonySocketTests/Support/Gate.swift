import Foundation

/// Holds a thread back until it is opened, for 60 s at most.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    /// Lets one `pass` through.
    func open() { semaphore.signal() }

    /// Blocks the calling thread until `open`. False when that did not come in time.
    @discardableResult
    func pass() -> Bool { semaphore.wait(timeout: .now() + 60) == .success }
}
