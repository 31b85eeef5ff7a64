internal import SocketCore

// How datagrams to groups are sent is an option: multicastTTL, multicastLoopback and multicastInterface of UDPExtraOptions.
extension UDPSocket {
    /// Joins a group, to receive what is sent to it and the socket's port: from whoever sends, or from one `source` only
    /// (source-specific multicast, RFC 4607), which may be done for several sources. When it returns, the kernel has joined
    /// (RFC 3678); routers and switches hear of it a moment later. A socket hears no group but those that it has joined; of an IPv6
    /// group, on Linux, also what comes over other interfaces on which somebody else has joined it.
    ///
    /// Without an `interface`, the system takes the one of its route to the group; on a machine with several it is better
    /// named. The zone of an IPv6 group (`ff02::1%eth0`) names it too. Bind the socket first, to `0.0.0.0` or `::`: bound to
    /// one of the machine's addresses it hears no group. A socket on `::` can join IPv4 groups on Linux.
    ///
    /// ```swift
    /// try await udp.setExtraOptions(UDPExtraOptions(reuseAddress: true))  // others on this machine may listen too
    /// try await udp.bind(NetAddress("0.0.0.0", port: 7007))
    /// try await udp.joinGroup("239.1.2.3")
    /// try await udp.joinGroup("232.1.2.3", from: "192.0.2.1", on: "eth0")
    /// ```
    ///
    /// - Throws: `.invalidArgument` for a group that is no multicast address, a source that cannot send to it, an interface
    ///   that does not exist, single sources of a group that is joined for all, or the other way round; `.addressInUse` for
    ///   what is joined already; `.system` (ENODEV) when no interface has a route to the group. All of these name the `field`:
    ///   `group`, `source` or `interface`. `.invalidState` before bind; `.closed` after close; the kernel's other refusals.
    public func joinGroup(
        _ group: String, from source: String? = nil, on interface: NetworkInterface.Reference? = nil
    ) async throws(SocketError) {
        try joinNow(group, source, interface)
    }

    /// Joins a group; as the async form.
    public func joinGroup(
        _ group: String, from source: String? = nil, on interface: NetworkInterface.Reference? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try joinNow(group, source, interface) }
        driver.complete { completion(result) }
    }

    /// Leaves a group, named as it was when it was joined. Closing the socket leaves all.
    ///
    /// ```swift
    /// try await udp.joinGroup("ff02::114", on: "eth0")
    /// try await udp.leaveGroup("ff02::114", on: "eth0")
    /// ```
    ///
    /// - Throws: `.addressNotAvailable`, with the field `group`, for what was not joined; otherwise as `joinGroup`.
    public func leaveGroup(
        _ group: String, from source: String? = nil, on interface: NetworkInterface.Reference? = nil
    ) async throws(SocketError) {
        try leaveNow(group, source, interface)
    }

    /// Leaves a group; as the async form.
    public func leaveGroup(
        _ group: String, from source: String? = nil, on interface: NetworkInterface.Reference? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try leaveNow(group, source, interface) }
        driver.complete { completion(result) }
    }

    /// The groups that the socket is in, in the order of joining (chrome.socket's getJoinedGroups); none after close.
    public var joinedGroups: [MulticastMembership] { driver.memberships.map(MulticastMembership.init) }

    private func joinNow(
        _ group: String, _ source: String?, _ interface: NetworkInterface.Reference?
    ) throws(SocketError) {
        do throws(Failure) {
            try driver.join(Membership(group, from: source, on: interface))
        } catch {
            throw self.error(error, .join, group)
        }
    }

    private func leaveNow(
        _ group: String, _ source: String?, _ interface: NetworkInterface.Reference?
    ) throws(SocketError) {
        do throws(Failure) {
            try driver.leave(Membership(group, from: source, on: interface))
        } catch {
            throw self.error(error, .leave, group)
        }
    }
}
