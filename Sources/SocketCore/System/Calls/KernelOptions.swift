internal import CSocketShims

/// An option that the kernel keeps for a socket; on and off are 1 and 0.
///
/// Each is called as the field of the options that asks for it, so that whoever meets a refusal can name the field.
package enum KernelOption: String, Sendable, Hashable, CaseIterable {
    case reuseAddress, reusePort, broadcast
    case keepAlive
    /// Seconds.
    case keepAliveIdle, keepAliveInterval
    case keepAliveCount
    case oobInline, tcpNoDelay, tcpQuickAck
    /// Milliseconds.
    case userTimeout
    case tcpFastOpenQueue
    /// Bytes; the kernel may cap them, and Linux doubles them (socket(7)).
    case receiveBufferSize, sendBufferSize
    case typeOfService, ipv6Only
    case timeToLive, receivePacketInfo, receiveTypeOfService
    /// The index of the interface; 0 is any.
    case interface
    /// Of datagrams to groups: hops, whether this machine hears them too, and the index of the interface; 0 is by route.
    case multicastTTL, multicastLoopback, multicastInterface

    /// It counts when the socket gets its address or its peer, and not later.
    package var mustComeFirst: Bool {
        switch self {
        case .ipv6Only, .reusePort, .interface: true
        default: false
        }
    }

    /// Whether this system has it.
    package var isAvailable: Bool { csocket_has_option(native) != 0 }

    var native: Int32 {
        let option =
            switch self {
            case .reuseAddress: CSOCKET_OPTION_REUSE_ADDRESS
            case .reusePort: CSOCKET_OPTION_REUSE_PORT
            case .broadcast: CSOCKET_OPTION_BROADCAST
            case .keepAlive: CSOCKET_OPTION_KEEP_ALIVE
            case .keepAliveIdle: CSOCKET_OPTION_KEEP_ALIVE_IDLE
            case .keepAliveInterval: CSOCKET_OPTION_KEEP_ALIVE_INTERVAL
            case .keepAliveCount: CSOCKET_OPTION_KEEP_ALIVE_COUNT
            case .oobInline: CSOCKET_OPTION_OUT_OF_BAND_INLINE
            case .tcpNoDelay: CSOCKET_OPTION_NO_DELAY
            case .tcpQuickAck: CSOCKET_OPTION_QUICK_ACK
            case .userTimeout: CSOCKET_OPTION_USER_TIMEOUT
            case .tcpFastOpenQueue: CSOCKET_OPTION_FAST_OPEN_QUEUE
            case .receiveBufferSize: CSOCKET_OPTION_RECEIVE_BUFFER
            case .sendBufferSize: CSOCKET_OPTION_SEND_BUFFER
            case .typeOfService: CSOCKET_OPTION_TYPE_OF_SERVICE
            case .ipv6Only: CSOCKET_OPTION_IPV6_ONLY
            case .timeToLive: CSOCKET_OPTION_TIME_TO_LIVE
            case .receivePacketInfo: CSOCKET_OPTION_PACKET_INFO
            case .receiveTypeOfService: CSOCKET_OPTION_RECEIVE_TRAFFIC_CLASS
            case .interface: CSOCKET_OPTION_INTERFACE
            case .multicastTTL: CSOCKET_OPTION_MULTICAST_TTL
            case .multicastLoopback: CSOCKET_OPTION_MULTICAST_LOOPBACK
            case .multicastInterface: CSOCKET_OPTION_MULTICAST_INTERFACE
            }
        return Int32(option)
    }
}

/// Values for some of the kernel's options. One that is not in here is left, or was not there to be read.
package struct KernelOptions: Sendable, Hashable {
    private var values: [KernelOption: Int32] = [:]

    package init() {}

    package subscript(_ option: KernelOption) -> Int32? {
        get { values[option] }
        set { values[option] = newValue }
    }

    /// These options, with those of `other` put over them.
    package func overlaid(with other: KernelOptions) -> KernelOptions {
        var merged = self
        merged.values.merge(other.values) { $1 }
        return merged
    }

    /// Those that may be set at any time.
    package var changeable: KernelOptions {
        var options = self
        options.values = values.filter { !$0.key.mustComeFirst }
        return options
    }

    /// The first of the others whose value differs from the current one.
    package func firstTooLate(comparedWith current: (KernelOption) -> Int32?) -> KernelOption? {
        KernelOption.allCases.first { $0.mustComeFirst && self[$0] != nil && self[$0] != current($0) }
    }

    /// Sets them, in the order of declaration. Stops at the first that the kernel refuses.
    package func apply(to descriptor: Int32) -> Result<Void, SetupError> {
        if values.isEmpty { return .success(()) }
        for option in KernelOption.allCases {
            guard let value = values[option] else { continue }
            if case .failure(let error) = OptionCalls.set(descriptor, option, to: value) {
                return .failure(SetupError(error, .setOption, option))
            }
        }
        return .success(())
    }

    /// What the kernel reports, without what this kind of socket does not have.
    package static func read(from descriptor: Int32) -> KernelOptions {
        var options = KernelOptions()
        for option in KernelOption.allCases { options[option] = try? OptionCalls.get(descriptor, option).get() }
        return options
    }
}
