// Those who wait for a stream socket to do something for them.
extension StreamState {
    /// A send that is queued. Its caller may not have begun to wait yet, or may have stopped.
    struct Sender: Sendable {
        let ticket: Ticket
        var waiting: Waiting<Waiter>?
        var isOver = false
        var failure: Failure?
        /// Given up while a write with its first bytes was under way: how it ends, should they not have gone out.
        var givenUp: Failure?
    }

    /// Who waits for the descriptor, and then what is for him. A word in every state, since hardly any socket has one.
    indirect enum Detachment: Sendable {
        case wanted(Waiter)
        case done(StreamDriver.Detached)
    }

    /// Somebody who waits for input.
    enum Reader: Sendable {
        /// Told that it is its turn; reads for itself.
        case task(Waiter)
        /// Handed what the loop has read for it: whatever arrived, or a message.
        case handler(ReceiveCompletion)
        /// Handed what it asked for.
        case request(PendingRequest)

        var isHandler: Bool { if case .handler = self { true } else { false } }
    }

    /// A request that waits for its turn. Only whoever has the turn touches it.
    final class PendingRequest: @unchecked Sendable {
        // Sendable: see above.
        var request: ReadRequest
        let completion: ReceiveCompletion

        init(_ request: ReadRequest, _ completion: ReceiveCompletion) {
            self.request = request
            self.completion = completion
        }
    }

    /// Those whose operations end now, and how.
    struct Endings: Sendable {
        // Nil and not empty: nearly always there is nobody, and an empty array would have to be let go of.
        private var waiting: [(Waiter, Failure?)]?

        /// Adds somebody whose operation ends so; nil is success.
        mutating func add(_ waiter: Waiter?, _ failure: Failure? = nil) {
            guard let waiter else { return }
            if waiting?.append((waiter, failure)) == nil { waiting = [(waiter, failure)] }
        }

        var isEmpty: Bool { waiting == nil }

        /// Resumes them. Never under a lock.
        func perform() {
            guard let waiting else { return }
            for (waiter, failure) in waiting { waiter.resume(failure) }
        }
    }
}
