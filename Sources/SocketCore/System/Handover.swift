internal import CSocketShims

/// A value that one thread gives and another one waits for, asleep: how a thread that runs no task gets the result of one.
package final class Handover<Value: Sendable>: Sendable {
    // Written before the gate opens and read behind it, so never at the same time.
    nonisolated(unsafe) private var value: Value?
    nonisolated(unsafe) private let gate = csocket_gate_create()

    package init() {}

    deinit { csocket_gate_destroy(gate) }

    /// Gives the value. Once.
    package func give(_ value: Value) {
        self.value = value
        csocket_gate_open(gate)
    }

    /// Blocks the calling thread until the value is there.
    package func wait() -> Value {
        while true {
            csocket_gate_wait(gate)
            // There, since the gate has opened: this is no second round.
            if let value { return value }
        }
    }
}
