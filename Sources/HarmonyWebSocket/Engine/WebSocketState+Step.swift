internal import SocketCore

extension WebSocketState {
    /// What the loop does next for a WebSocket. One look under the lock decides it.
    enum Step {
        /// Make these calls, which came from other threads.
        case call([@Sendable () -> Void])
        /// Tell this here; the next step ends it.
        case tell(EventQueue.Delivery)
        /// Have this told elsewhere.
        case hand(EventQueue.Delivery, to: @Sendable (@escaping @Sendable () -> Void) -> Void)
        /// Read on where reading has stopped.
        case read
        /// Nothing more now.
        case rest(Rest)
    }

    /// What is left when there is nothing more to do.
    struct Rest {
        /// More is to be told, in a turn of its own.
        var mustYield: Bool
        /// Nobody listens, nobody waits, and nobody has the object.
        var isAbandoned: Bool
        /// When the first of those who wait for a message gives up.
        var deadline: Instant
    }

    /// The next step. `telling`: what the one before has told here; `budget`: how much may still be told in this
    /// turn; `mayRead`: there is a connection.
    mutating func nextStep(endsTelling telling: EndedTelling, budget: Int, mayRead: Bool) -> Step {
        end(telling)
        if let calls = takeMail() { return .call(calls) }
        offerInboxToListeners()
        if !delivery.isLoop || budget > 0, let next = queue.begin() {
            switch delivery {
            case .loop: return .tell(next)
            case .executor(let run): return .hand(next, to: run)
            }
        }
        if isStalled, mayRead, wantsMore {
            isStalled = false
            return .read
        }
        let isAbandoned =
            !hasHandle && readyState == .open && queue.listeners.isEmpty && readers.isEmpty && queue.isIdle
            && !isClosedByUs
        return .rest(
            Rest(
                mustYield: budget == 0 && queue.count > 0, isAbandoned: isAbandoned, deadline: earliestDeadline)
        )
    }

    private var earliestDeadline: Instant {
        readers.indices.reduce(.never) { min($0, readers[$1].deadline) }
    }

    /// The calls from other threads; nil when there are none.
    mutating func takeMail() -> [@Sendable () -> Void]? {
        guard !mail.isEmpty else { return nil }
        defer { mail = [] }
        mailedBytes = 0
        return mail
    }
}
