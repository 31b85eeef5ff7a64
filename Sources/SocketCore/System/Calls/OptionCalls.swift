internal import CSocketShims

/// Socket options, by meaning.
package enum OptionCalls {
    /// Options whose value is a number.
    package enum Number: Sendable {
        /// Bytes; the kernel may cap them, and Linux doubles them (socket(7)).
        case receiveBuffer, sendBuffer

        fileprivate var native: Int32 {
            switch self {
            case .receiveBuffer: Int32(CSOCKET_OPTION_RECEIVE_BUFFER)
            case .sendBuffer: Int32(CSOCKET_OPTION_SEND_BUFFER)
            }
        }
    }

    /// Options that are on or off.
    package enum Switch: Sendable {
        case reuseAddress, keepAlive, outOfBandInline, broadcast, noDelay, ipv6Only
        /// ICMP errors are queued with the destination they concern (Linux).
        case errorQueueV4, errorQueueV6

        fileprivate var native: Int32 {
            let option =
                switch self {
                case .reuseAddress: CSOCKET_OPTION_REUSE_ADDRESS
                case .keepAlive: CSOCKET_OPTION_KEEP_ALIVE
                case .outOfBandInline: CSOCKET_OPTION_OUT_OF_BAND_INLINE
                case .broadcast: CSOCKET_OPTION_BROADCAST
                case .noDelay: CSOCKET_OPTION_NO_DELAY
                case .ipv6Only: CSOCKET_OPTION_IPV6_ONLY
                case .errorQueueV4: CSOCKET_OPTION_ERROR_QUEUE_V4
                case .errorQueueV6: CSOCKET_OPTION_ERROR_QUEUE_V6
                }
            return Int32(option)
        }
    }

    /// setsockopt(2).
    package static func set(_ descriptor: Int32, _ option: Number, to value: Int) -> SystemResult<Void> {
        outcome(csocket_set_option(descriptor, option.native, Int32(clamping: value))).map { _ in }
    }

    /// setsockopt(2).
    package static func set(_ descriptor: Int32, _ option: Switch, to value: Bool) -> SystemResult<Void> {
        outcome(csocket_set_option(descriptor, option.native, value ? 1 : 0)).map { _ in }
    }

    /// getsockopt(2): what the kernel uses, not what was asked for.
    package static func get(_ descriptor: Int32, _ option: Number) -> SystemResult<Int> {
        number(descriptor, option.native).map(Int.init)
    }

    /// getsockopt(2).
    package static func get(_ descriptor: Int32, _ option: Switch) -> SystemResult<Bool> {
        number(descriptor, option.native).map { $0 != 0 }
    }

    /// SO_ERROR: takes the socket's pending error, nil when there is none.
    package static func takeError(_ descriptor: Int32) -> SystemResult<SystemError?> {
        number(descriptor, Int32(CSOCKET_OPTION_ERROR)).map { $0 == 0 ? nil : SystemError(rawValue: $0) }
    }

    /// SO_LINGER with a time of zero: the close(2) that follows sends RST and drops what is queued.
    package static func makeCloseAbortive(_ descriptor: Int32) -> SystemResult<Void> {
        outcome(csocket_set_abortive_close(descriptor)).map { _ in }
    }

    private static func number(_ descriptor: Int32, _ option: Int32) -> SystemResult<Int32> {
        var value: Int32 = 0
        return outcome(csocket_get_option(descriptor, option, &value)).map { _ in value }
    }
}
