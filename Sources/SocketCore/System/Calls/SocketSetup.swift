/// Why a socket could not be made ready: the call that failed, and which option it was about.
package struct SetupError: Error, Sendable, Hashable {
    package let error: SystemError
    package let call: SystemCall
    package let option: KernelOption?

    init(_ error: SystemError, _ call: SystemCall, _ option: KernelOption? = nil) {
        self.error = error
        self.call = call
        self.option = option
    }
}

extension SocketCalls {
    /// Opens a socket, gives it its options and, when there is one, its address.
    package static func open(
        _ family: SocketAddress.Family, _ kind: Kind, _ options: KernelOptions, bindTo address: SocketAddress? = nil
    ) -> Result<OwnedDescriptor, SetupError> {
        switch open(family, kind) {
        case .failure(let error): return .failure(SetupError(error, .socket))
        case .success(let descriptor):
            if case .failure(let error) = options.apply(to: descriptor.number) { return .failure(error) }
            // Without the queue, an ICMP error would hit whichever call comes next.
            if kind == .datagram {
                OptionCalls.queueErrors(descriptor.number, family)
                MulticastCalls.hearOnlyJoinedGroups(descriptor.number)
            }
            if let address, case .failure(let error) = bind(descriptor.number, to: address) {
                return .failure(SetupError(error, .bind))
            }
            return .success(descriptor)
        }
    }
}
