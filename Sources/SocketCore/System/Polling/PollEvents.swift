internal import CSocketShims

/// What a poller says about a descriptor. End of input, hang-up and error are kept apart: they mean different things.
package struct PollEvents: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Input, or its end, can be read.
    package static let readable = PollEvents(rawValue: UInt8(CSOCKET_READABLE))
    /// The kernel has room for output.
    package static let writable = PollEvents(rawValue: UInt8(CSOCKET_WRITABLE))
    /// The peer ended its direction (EPOLLRDHUP; EV_EOF on EVFILT_READ).
    package static let endOfInput = PollEvents(rawValue: UInt8(CSOCKET_END_OF_INPUT))
    /// Both directions are over (EPOLLHUP; EV_EOF with an error on EVFILT_WRITE).
    package static let hangUp = PollEvents(rawValue: UInt8(CSOCKET_HANG_UP))
    /// The socket has an error to tell (SO_ERROR, or the error queue).
    package static let error = PollEvents(rawValue: UInt8(CSOCKET_ERROR))
    /// Urgent data (EPOLLPRI).
    package static let urgent = PollEvents(rawValue: UInt8(CSOCKET_URGENT))

    /// States that no further event announces: once seen, a short read does not mean that the input is drained.
    package static let sticky: PollEvents = [.endOfInput, .hangUp, .error]
}
