internal import CSocketShims

/// Being in groups: RFC 3678, ip(7), ipv6(7).
package enum MulticastCalls {
    /// MCAST_JOIN_GROUP and MCAST_JOIN_SOURCE_GROUP; interface 0 is the one that the route to the group takes.
    package static func join(
        _ descriptor: Int32, _ group: SocketAddress, source: SocketAddress?, interface: UInt32
    ) -> SystemResult<Void> {
        change(descriptor, group, source, interface, joins: true)
    }

    /// MCAST_LEAVE_GROUP and MCAST_LEAVE_SOURCE_GROUP.
    package static func leave(
        _ descriptor: Int32, _ group: SocketAddress, source: SocketAddress?, interface: UInt32
    ) -> SystemResult<Void> {
        change(descriptor, group, source, interface, joins: false)
    }

    /// IP_MULTICAST_ALL off: otherwise a socket hears every group that any socket of this machine has joined, if the
    /// port is right. Linux only; elsewhere it is so anyway.
    package static func hearOnlyJoinedGroups(_ descriptor: Int32) {
        _ = csocket_set_option(descriptor, Int32(CSOCKET_OPTION_MULTICAST_ALL), 0)
    }

    private static func change(
        _ descriptor: Int32, _ group: SocketAddress, _ source: SocketAddress?, _ interface: UInt32, joins: Bool
    ) -> SystemResult<Void> {
        withUnsafePointer(to: group.native) { group in
            guard let source else {
                return outcome(csocket_change_membership(descriptor, group, nil, interface, joins ? 1 : 0))
            }
            return withUnsafePointer(to: source.native) { source in
                outcome(csocket_change_membership(descriptor, group, source, interface, joins ? 1 : 0))
            }
        }
        .map { _ in }
    }
}
