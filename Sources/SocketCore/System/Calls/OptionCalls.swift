internal import CSocketShims

/// Socket options, by meaning and raw.
package enum OptionCalls {
    /// setsockopt(2).
    package static func set(_ descriptor: Int32, _ option: KernelOption, to value: Int32) -> SystemResult<Void> {
        outcome(csocket_set_option(descriptor, option.native, value)).map { _ in }
    }

    /// getsockopt(2): what the kernel uses, not what was asked for.
    package static func get(_ descriptor: Int32, _ option: KernelOption) -> SystemResult<Int32> {
        number(descriptor, option.native)
    }

    /// setsockopt(2), with the system's own numbers.
    package static func setRaw(
        _ descriptor: Int32, level: Int32, name: Int32, to value: UnsafeRawBufferPointer
    ) -> SystemResult<Void> {
        outcome(csocket_set_raw_option(descriptor, level, name, value.baseAddress, value.count)).map { _ in }
    }

    /// getsockopt(2), with the system's own numbers: at most `count` bytes.
    package static func getRaw(
        _ descriptor: Int32, level: Int32, name: Int32, count: Int
    ) -> SystemResult<[UInt8]> {
        var length = SystemResult<Int>.success(0)
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            // The kernel need not write all that it counts.
            buffer.initialize(repeating: 0)
            length = outcome(csocket_get_raw_option(descriptor, level, name, buffer.baseAddress, count))
            filled = min(count, (try? length.get()) ?? 0)
        }
        return length.map { _ in bytes }
    }

    /// SO_ERROR: takes the socket's pending error, nil when there is none.
    package static func takeError(_ descriptor: Int32) -> SystemResult<SystemError?> {
        number(descriptor, Int32(CSOCKET_OPTION_ERROR)).map { $0 == 0 ? nil : SystemError(rawValue: $0) }
    }

    /// SO_LINGER with a time of zero: the close(2) that follows sends RST and drops what is queued.
    package static func makeCloseAbortive(_ descriptor: Int32) -> SystemResult<Void> {
        outcome(csocket_set_abortive_close(descriptor)).map { _ in }
    }

    /// IP_RECVERR: ICMP errors are queued with the destination they concern. Linux only; elsewhere nothing happens.
    package static func queueErrors(_ descriptor: Int32, _ family: SocketAddress.Family) {
        // An IPv6 socket has IPv4 peers too.
        _ = csocket_set_option(descriptor, Int32(CSOCKET_OPTION_ERROR_QUEUE_V4), 1)
        if family == .v6 { _ = csocket_set_option(descriptor, Int32(CSOCKET_OPTION_ERROR_QUEUE_V6), 1) }
    }

    private static func number(_ descriptor: Int32, _ option: Int32) -> SystemResult<Int32> {
        var value: Int32 = 0
        return outcome(csocket_get_option(descriptor, option, &value)).map { _ in value }
    }
}
