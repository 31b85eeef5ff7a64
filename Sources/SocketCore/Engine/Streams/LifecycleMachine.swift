/// Where a stream socket is in its life, and what may still happen to it.
///
/// fresh -> connecting -> open -> flushing -> lingering -> discarding -> closed. Every way ends in `closed`, once.
package struct LifecycleMachine: Sendable {
    /// The stages of a life.
    package enum Phase: UInt8, Sendable, Hashable, Comparable, CaseIterable {
        /// No connection yet; perhaps an address.
        case fresh
        /// A connect is under way.
        case connecting
        /// Connected.
        case open
        /// close() was called: queued bytes go out.
        case flushing
        /// Our direction is ended: the kernel's queue empties, for as long as linger allows.
        case lingering
        /// close() has completed: input is thrown away until the peer ends too, so that no unread byte turns our last
        /// reply into a reset.
        case discarding
        /// The descriptor is given back.
        case closed

        package static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// How a socket is to be closed.
    package enum CloseRequest: Sendable, Hashable {
        /// Flush, end our direction, wait for the peer's end in the background.
        case flush
        /// Drop everything; the peer sees a reset.
        case reset
        /// The connection is gone: an error ended it, or it never came about.
        case failed(Failure)
        /// The descriptor goes to somebody else, and the connection with it.
        case detach
        /// The same, when what is under way has come to its end.
        case handOver
    }

    package private(set) var phase = Phase.fresh
    package private(set) var isBound = false
    /// What the loop is to do about the end of this socket; it takes it with `takeRequest`.
    package private(set) var request: CloseRequest?
    /// The error that ended the socket.
    package private(set) var failure: Failure?

    package init() {}

    /// Whether calls are refused with `.closed`.
    package var isClosing: Bool { phase >= .flushing || request != nil }

    /// Whether the connection stands, and nothing is to be done about its end.
    package var isSteady: Bool { phase == .open && request == nil }

    /// The error that ends the socket, also before the loop has taken it up.
    package var endingFailure: Failure? {
        if case .failed(let failure) = request { failure } else { failure }
    }

    /// Whether a connection stands: connected, and neither closed nor reset.
    package var isConnected: Bool { phase >= .open && phase <= .lingering }

    /// Whether close() has completed.
    package var isClosed: Bool { phase >= .discarding }

    /// The socket got a local address.
    package mutating func bound() { isBound = true }

    /// Whether a bind would fit.
    package func checkBind() throws(Failure) {
        if isClosing { throw .closed }
        if phase != .fresh { throw .alreadyConnected }
        if isBound { throw .alreadyBound }
    }

    /// Whether a connect would fit.
    package func checkConnect() throws(Failure) {
        if isClosing { throw .closed }
        if phase != .fresh { throw .alreadyConnected }
    }

    /// Starts connecting.
    package mutating func beginConnect() throws(Failure) {
        try checkConnect()
        phase = .connecting
    }

    /// The connection stands. False when the socket was closed meanwhile, and the connection is not wanted any more.
    package mutating func open() -> Bool {
        guard phase < .open, request == nil else { return false }
        phase = .open
        isBound = true
        return true
    }

    /// Asks for the end. A reset overtakes a flush that is under way; nothing overtakes a reset, or a
    /// detach.
    package mutating func close(_ wanted: CloseRequest) {
        guard phase < .discarding else { return }
        switch (request, wanted) {
        case (nil, .flush): if phase < .flushing { request = .flush }
        case (nil, _), (.flush, .reset), (.flush, .failed): request = wanted
        // Until it is taken up, the connection can end as any other.
        case (.handOver, .flush), (.handOver, .reset), (.handOver, .failed): request = wanted
        default: break
        }
    }

    /// The connection is not to be handed over after all. False when it is too late for that.
    package mutating func withdrawHandOver() -> Bool {
        guard request == .handOver else { return false }
        request = nil
        return true
    }

    /// The loop takes up the request. After a flush request the phase is `flushing`, or nil is left to flush.
    package mutating func takeRequest() -> CloseRequest? {
        guard let taken = request.take() else { return nil }
        switch taken {
        case .flush:
            phase = phase == .open ? .flushing : .closed
        case .reset, .detach, .handOver:
            phase = .closed
        case .failed(let error):
            failure = error
            phase = .closed
        }
        return taken
    }

    /// The close time-out ran out, or the last byte is out, or the peer has ended: the next stage. Phases only go on.
    package mutating func advance(to next: Phase) {
        if next > phase { phase = next }
    }
}
