internal import SocketCore

/// A UDP socket for groups, with the calls of OpenHarmony's MulticastSocket, and all of a `UDPSocket`.
///
/// ```swift
/// let multicast = MulticastSocket()
/// multicast.on(.message) { print($0.text ?? "", $0.remoteInfo) }
/// try await multicast.addMembership(NetAddress("239.1.2.3", port: 7007))
/// try await multicast.send("hello, everybody", to: NetAddress("239.1.2.3", port: 7007))
/// ```
///
/// It shares its port with other sockets that do so too, as those of other programs for the same group, unless
/// `setReuseAddress` says otherwise before it has an address.
public final class MulticastSocket: UDPSocket, @unchecked Sendable {
    // Unchecked because the class that it inherits from is; it adds no property.

    /// Makes a socket without an address, on a loop of `group`.
    public override init(group: SocketEventLoopGroup = .shared) {
        super.init(group: group)
        // Kept until there is a descriptor, so nothing can fail.
        try? setReuseAddress(true)
    }

    /// Whether the socket shares its port (SO_REUSEADDR): on, unless this says otherwise before bind and `addMembership`.
    ///
    /// - Throws: `.closed` after close; the kernel's refusal.
    public func setReuseAddress(_ isShared: Bool) throws(SocketError) {
        try set(UDPExtraOptions(reuseAddress: isShared))
    }

    // MARK: Groups

    /// Joins a group. A socket without an address is bound first, to all addresses of the group's family and to the port that
    /// comes with the group; port 0 lets the system choose. Any number of groups may be joined, all at one port.
    ///
    /// - Throws: as `bind` and `joinGroup`; `.invalidArgument`, with the field `port`, when the socket has another port
    ///   already.
    ///
    /// ## Events
    /// `listening` when it had to bind, before this call returns.
    public func addMembership(
        _ address: NetAddress, from source: String? = nil, on interface: NetworkInterface.Reference? = nil
    ) async throws(SocketError) {
        try addNow(address, source, interface)
        await driver.deliverPending()
    }

    /// Joins a group; as the async form.
    public func addMembership(
        _ address: NetAddress, from source: String? = nil, on interface: NetworkInterface.Reference? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try addNow(address, source, interface) }
        driver.complete { completion(result) }
    }

    /// Leaves a group, named as it was when it was joined, but for the port, which is not looked at. The socket stays open.
    ///
    /// - Throws: as `leaveGroup`.
    public func dropMembership(
        _ address: NetAddress, from source: String? = nil, on interface: NetworkInterface.Reference? = nil
    ) async throws(SocketError) {
        try dropNow(address, source, interface)
    }

    /// Leaves a group; as the async form.
    public func dropMembership(
        _ address: NetAddress, from source: String? = nil, on interface: NetworkInterface.Reference? = nil,
        completion: @escaping @Sendable (Result<Void, SocketError>) -> Void
    ) {
        let result = Result { () throws(SocketError) in try dropNow(address, source, interface) }
        driver.complete { completion(result) }
    }

    private func addNow(
        _ address: NetAddress, _ source: String?, _ interface: NetworkInterface.Reference?
    ) throws(SocketError) {
        do throws(Failure) {
            let membership = try Membership(address, from: source, on: interface)
            let port = try address.literal().port
            do throws(Failure) {
                if driver.localAddress == nil {
                    try driver.bind(to: .any(membership.group.family ?? .v4, port: port))
                }
            } catch .alreadyBound {
                // Another thread was first: the port decides.
            }
            if let local = driver.localAddress, port != 0, port != local.port {
                throw .invalidArgument(.init("port", "the socket is bound to port \(local.port)"))
            }
            try driver.join(membership)
        } catch {
            throw self.error(error, .join, address.address)
        }
    }

    private func dropNow(
        _ address: NetAddress, _ source: String?, _ interface: NetworkInterface.Reference?
    ) throws(SocketError) {
        do throws(Failure) {
            try driver.leave(Membership(address, from: source, on: interface))
        } catch {
            throw self.error(error, .leave, address.address)
        }
    }

    // MARK: Options

    /// How many networks a datagram to a group may pass (IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS): 0 to 255; 0 stays on this
    /// machine, 1, the default, on its network. At any time before close, as `multicastTTL` of `UDPExtraOptions`.
    ///
    /// - Throws: `.invalidArgument`, with the field `multicastTTL`; `.closed` after close; the kernel's refusal.
    public func setMulticastTTL(_ ttl: Int) async throws(SocketError) { try set(UDPExtraOptions(multicastTTL: ttl)) }

    /// How many networks a datagram to a group may pass; as the async form.
    public func setMulticastTTL(_ ttl: Int, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try set(UDPExtraOptions(multicastTTL: ttl)) }
        driver.complete { completion(result) }
    }

    /// How many networks a datagram to a group may pass; 1 unless it was set.
    ///
    /// - Throws: `.closed` after close.
    public func getMulticastTTL() async throws(SocketError) -> Int { try readTTL() }

    /// How many networks a datagram to a group may pass; as the async form.
    public func getMulticastTTL(completion: @escaping @Sendable (Result<Int, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readTTL() }
        driver.complete { completion(result) }
    }

    /// Whether this machine's own members of a group hear what this socket sends to it (IP_MULTICAST_LOOP,
    /// IPV6_MULTICAST_LOOP), itself included: on unless set otherwise. At any time before close.
    ///
    /// - Throws: `.closed` after close; the kernel's refusal.
    public func setLoopbackMode(_ isOn: Bool) async throws(SocketError) {
        try set(UDPExtraOptions(multicastLoopback: isOn))
    }

    /// Whether this machine's own members of a group hear what this socket sends to it; as the async form.
    public func setLoopbackMode(_ isOn: Bool, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try set(UDPExtraOptions(multicastLoopback: isOn)) }
        driver.complete { completion(result) }
    }

    /// Whether this machine's own members of a group hear what this socket sends to it.
    ///
    /// - Throws: `.closed` after close.
    public func getLoopbackMode() async throws(SocketError) -> Bool { try readLoopback() }

    /// Whether this machine's own members of a group hear what this socket sends to it; as the async form.
    public func getLoopbackMode(completion: @escaping @Sendable (Result<Bool, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try readLoopback() }
        driver.complete { completion(result) }
    }

    private func set(_ options: UDPExtraOptions) throws(SocketError) {
        do throws(Failure) {
            try driver.setOptions(options.checked())
        } catch {
            throw self.error(error, .setOptions)
        }
    }

    private func readTTL() throws(SocketError) -> Int { try read(.multicastTTL).map(Int.init) ?? 1 }

    private func readLoopback() throws(SocketError) -> Bool { try read(.multicastLoopback) != 0 }

    private func read(_ option: KernelOption) throws(SocketError) -> Int32? {
        do throws(Failure) {
            return try driver.readOptions()[option]
        } catch {
            throw self.error(error, .getOptions)
        }
    }
}

/// OpenHarmony's name for `MulticastSocket()`.
public func constructMulticastSocketInstance() -> MulticastSocket { MulticastSocket() }
