extension StreamState {
    /// What a connection has for moments of its life only, or never: kept aside, so that the many that are just open
    /// are small.
    final class Rare: @unchecked Sendable {
        // Sendable: the lock of its socket guards it.
        var senders: [Sender] = []
        /// Some of them were given up while a write was under way.
        var hasGivenUp = false
        var finishers: [Waiter] = []
        var closers: [Waiter] = []
        /// What the bytes go through, if the connection is secure: it knows what errors mean.
        var cipher: (any StreamCipher)?
        /// What cuts the stream into messages.
        var framer: Framer?
        /// Somebody wants the descriptor for himself.
        var detachment: Detachment?
        /// Whether the message listeners were paused before.
        var wasPaused = false
        /// How many relays move what this socket receives and sends.
        var relays = 0

        /// The family of the address that bind() gave.
        var boundFamily: SocketAddress.Family?
        var connecting: Waiter?
        /// Makes the connection. On the loop only, like all that it calls.
        var connector: Connector?
        /// Names the connect under way for its cancellation.
        var connectTicket: Ticket?
        /// Options were set while an attempt to connect had its descriptor already.
        var hasLateOptions = false

        var lastError: Failure?
        /// What ended our direction before its time: every later send is told so.
        var outputError: SystemError?
        var wasOutputErrorReported = false
        /// Input thrown away, in bytes.
        var discarded = 0
        /// The loop's timer, if it is set, and when it is to run out.
        var timer: TimerHandle?
        var timerDeadline = Instant.never
        var closeDeadline = Instant.never
        var lingerDeadline = Instant.never
        /// Kept when there is an idle time-out.
        var lastActivity = Instant.never
    }

    /// What cuts the stream into messages, if anything does.
    var framer: Framer? { mutating get { rareIfAny?.framer } }

    /// What few connections have, made when first asked for. To look whether there is any, ask `rareIfAny`.
    var rare: Rare {
        mutating get {
            if let rareIfAny { return rareIfAny }
            let rare = Rare()
            rareIfAny = rare
            return rare
        }
    }
}
