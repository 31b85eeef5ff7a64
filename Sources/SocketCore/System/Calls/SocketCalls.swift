internal import CSocketShims

/// Making, naming and ending sockets. One function a system call: the place where a test can inject a fault.
package enum SocketCalls {
    /// What kind of service a socket gives.
    package enum Kind: Sendable {
        case stream
        case datagram
        /// A connection that keeps the bounds of messages: local sockets alone.
        case seqpacket

        var native: Int32 {
            switch self {
            case .stream: Int32(CSOCKET_STREAM)
            case .datagram: Int32(CSOCKET_DATAGRAM)
            case .seqpacket: Int32(CSOCKET_SEQPACKET)
            }
        }
    }

    /// socket(2): close-on-exec, nonblocking, without SIGPIPE.
    package static func open(_ family: SocketAddress.Family, _ kind: Kind) -> SystemResult<OwnedDescriptor> {
        owned(uninterrupted { csocket_open(Int32(family.rawValue), kind.native) })
    }

    /// accept4(2). Fills `peer`.
    package static func accept(_ descriptor: Int32, from peer: inout SocketAddress) -> SystemResult<OwnedDescriptor> {
        let result = uninterrupted { csocket_accept(descriptor, &peer.native) }
        if peer.family == .local, case .success(let accepted) = result {
            peer = LocalCalls.address(Int32(accepted), ofPeer: true, as: peer)
        }
        return owned(result)
    }

    /// poll(2) without waiting: whether accept(2), or recv(2), would find something. True when that cannot be told.
    package static func isReadable(_ descriptor: Int32) -> Bool {
        var entry = csocket_poll_entry(descriptor: descriptor, events: UInt32(CSOCKET_READABLE), revents: 0)
        return (try? uninterrupted { csocket_poll(&entry, 1, 0) }.get()) != 0
    }

    private static func owned(_ result: SystemResult<Int>) -> SystemResult<OwnedDescriptor> {
        switch result {
        case .success(let number): .success(OwnedDescriptor(adopting: Int32(number)))
        case .failure(let error): .failure(error)
        }
    }

    /// SO_TYPE and SO_ACCEPTCONN: what a descriptor from outside is; nil for a kind that is not ours. `.badDescriptor`
    /// when it is not open, `.notSocket` when it is something else.
    package static func inspect(_ descriptor: Int32) -> SystemResult<(kind: Kind?, isListening: Bool)> {
        var type: Int32 = 0
        var isListening: Int32 = 0
        return outcome(csocket_inspect(descriptor, &type, &isListening)).map { _ in
            ([Kind.stream, .datagram, .seqpacket].first { $0.native == type }, isListening != 0)
        }
    }

    /// fcntl(2): gives a descriptor from outside what `open` gives ours.
    package static func prepare(_ descriptor: Int32) -> SystemResult<Void> {
        outcome(csocket_prepare(descriptor)).map { _ in }
    }

    /// bind(2).
    package static func bind(_ descriptor: Int32, to address: SocketAddress) -> SystemResult<Void> {
        address.withNative { native in
            uninterrupted { csocket_bind(descriptor, native) }.map { _ in }
        }
    }

    /// connect(2). `.inProgress` is the ordinary answer; `.interrupted` means the same and is not retried.
    package static func connect(_ descriptor: Int32, to address: SocketAddress) -> SystemResult<Void> {
        address.withNative { native in
            outcome(csocket_connect(descriptor, native)).map { _ in }
        }
    }

    /// listen(2).
    package static func listen(_ descriptor: Int32, backlog: Int) -> SystemResult<Void> {
        outcome(csocket_listen(descriptor, Int32(clamping: backlog))).map { _ in }
    }

    /// getsockname(2).
    package static func localAddress(_ descriptor: Int32) -> SystemResult<SocketAddress> {
        var address = csocket_address()
        return outcome(csocket_local_address(descriptor, &address)).map { _ in
            LocalCalls.address(descriptor, ofPeer: false, as: SocketAddress(native: address))
        }
    }

    /// getpeername(2).
    package static func peerAddress(_ descriptor: Int32) -> SystemResult<SocketAddress> {
        var address = csocket_address()
        return outcome(csocket_peer_address(descriptor, &address)).map { _ in
            LocalCalls.address(descriptor, ofPeer: true, as: SocketAddress(native: address))
        }
    }

    /// shutdown(2), our direction: the peer reads the end of input after the last byte.
    package static func finishOutput(_ descriptor: Int32) -> SystemResult<Void> {
        outcome(csocket_shutdown(descriptor, Int32(CSOCKET_SHUT_WRITE))).map { _ in }
    }

    /// shutdown(2), both directions: wakes whoever waits on another thread, and lets nothing more in.
    package static func shutdown(_ descriptor: Int32) -> SystemResult<Void> {
        outcome(csocket_shutdown(descriptor, Int32(CSOCKET_SHUT_BOTH))).map { _ in }
    }
}
