/// A completion handler, which hears once how an operation on a socket ended. Whoever has it calls it, exactly once.
package struct Completion<Driver, Outcome>: @unchecked Sendable {
    // Sendable: what the words are is.
    /// What is the teller's own: the handler of a program, which is not wrapped in one of the engine's, since that would
    /// cost each message an object.
    package let words: (UInt, UInt)
    private let teller: @Sendable (Completion, Driver, Outcome) -> Void

    /// Told by `teller`, which knows what to do with the words.
    package init(words: (UInt, UInt), teller: @escaping @Sendable (Completion, Driver, Outcome) -> Void) {
        self.words = words
        self.teller = teller
    }

    /// A handler that is handed the socket, so it need not hold it.
    package init(_ body: @escaping @Sendable (Driver, Outcome) -> Void) {
        self.init(words: (0, 0)) { _, driver, outcome in body(driver, outcome) }
    }

    /// Tells how the operation ended. Never under a lock.
    func call(_ driver: Driver, _ outcome: Outcome) { teller(self, driver, outcome) }
}

/// Of a stream's send; nil is success.
package typealias SendCompletion = Completion<StreamDriver, Failure?>
/// Of a stream's receive; nil is the end of input.
package typealias ReceiveCompletion = Completion<StreamDriver, Result<[UInt8]?, Failure>>
/// Of a receive of datagrams: at least one.
package typealias DatagramsCompletion = Completion<DatagramDriver, Result<[Datagram], Failure>>
