internal import CSocketShims

/// A descriptor that any thread can make readable, so that a waiting poller returns: eventfd(2), or a pipe.
struct Wakeup: ~Copyable, Sendable {
    private let native: csocket_wakeup

    init() throws(SystemError) {
        var native = csocket_wakeup()
        if case .failure(let error) = outcome(csocket_wakeup_create(&native)) { throw error }
        self.native = native
    }

    /// The end to watch for reading.
    var receiver: Int32 { native.receiver }

    func signal() { _ = csocket_wakeup_signal(native) }

    func clear() { csocket_wakeup_clear(native) }

    deinit { csocket_wakeup_close(native) }
}
