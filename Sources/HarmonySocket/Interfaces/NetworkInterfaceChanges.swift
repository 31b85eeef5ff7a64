internal import SocketCore

extension NetworkInterface {
    /// Something that became different.
    public enum Change: Sendable, Hashable {
        /// An interface came, with the addresses that it has already.
        case added(NetworkInterface)
        /// An interface went; this is how it was last.
        case removed(NetworkInterface)
        /// Name, flags, MTU or hardware address of an interface are not what they were: went up or down, was renamed.
        case changed(NetworkInterface, before: NetworkInterface)
        /// An interface got an address; the interface is told as it is with all that is known by then.
        case addressAdded(Address, NetworkInterface)
        /// An interface lost an address; the interface is told as for `addressAdded`.
        case addressRemoved(Address, NetworkInterface)
    }

    /// What changes about the network interfaces of this machine, from the beginning of the iteration on, without end.
    ///
    /// ```swift
    /// for try await change in NetworkInterface.changes {
    ///     if case .addressAdded(let address, let interface) = change { print(interface.name, "has", address) }
    /// }
    /// ```
    ///
    /// Linux tells each change (rtnetlink(7)). Apple systems only tell that something has changed, and the interfaces are
    /// compared then; so it is on Linux when a slow reader has let more changes wait than the kernel keeps. What has come and
    /// gone in between is not told in these cases.
    public static var changes: NetworkInterfaceChanges { NetworkInterfaceChanges(known: nil, group: .shared) }

    /// What has changed since the interfaces were listed, and then what changes. Nothing is missed in between; an empty list
    /// starts with every interface that there is. The loops of `group` do the work.
    ///
    /// ```swift
    /// let known = try NetworkInterface.all()
    /// for try await change in NetworkInterface.changes(since: known) { print(change) }
    /// ```
    public static func changes(
        since known: [NetworkInterface], group: SocketEventLoopGroup = .shared
    ) -> NetworkInterfaceChanges {
        NetworkInterfaceChanges(known: known, group: group)
    }
}

/// Changes of the network interfaces, one by one, without end.
///
/// Throws what `NetworkInterface.all()` throws; the next call tries again.
///
/// ## Cancellation
/// A cancelled iteration throws `.cancelled`.
public struct NetworkInterfaceChanges: AsyncSequence, Sendable {
    /// One change.
    public typealias Element = NetworkInterface.Change
    /// What iterating throws.
    public typealias Failure = SocketError

    let known: [NetworkInterface]?
    let group: SocketEventLoopGroup

    /// Starts to watch: a descriptor is held until the iterator is gone. A failure to do so is thrown by the first `next`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(subscription: Result { () throws(SocketCore.Failure) in try Subscription(known, group) })
    }

    /// Takes one change after the other.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let subscription: Result<Subscription, SocketCore.Failure>

        /// The next change. Never nil.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(SocketError) -> NetworkInterface.Change? {
            do throws(SocketCore.Failure) {
                return NetworkInterface.Change(try await subscription.get().watch.next())
            } catch {
                throw SocketError(error, .watchInterfaces)
            }
        }
    }

    /// Ends the watch when its last iterator is gone.
    fileprivate final class Subscription: Sendable {
        let watch: InterfaceWatch

        init(_ known: [NetworkInterface]?, _ group: SocketEventLoopGroup) throws(SocketCore.Failure) {
            watch = try InterfaceWatch(group: group.core, since: known?.map(\.record))
        }

        deinit { watch.close() }
    }
}

extension NetworkInterface.Change {
    init(_ change: InterfaceMachine.Change) {
        switch change {
        case .came(let record): self = .added(NetworkInterface(record))
        case .went(let record): self = .removed(NetworkInterface(record))
        case .changed(let record, let before):
            self = .changed(NetworkInterface(record), before: NetworkInterface(before))
        case .gained(let address, let record):
            self = .addressAdded(NetworkInterface.Address(address, record.name), NetworkInterface(record))
        case .lost(let address, let record):
            self = .addressRemoved(NetworkInterface.Address(address, record.name), NetworkInterface(record))
        }
    }
}

extension NetworkInterface.Change: CustomStringConvertible {
    /// `eth0: 192.0.2.1/24 added`.
    public var description: String {
        switch self {
        case .added(let interface): "\(interface.name): added (\(interface.flags))"
        case .removed(let interface): "\(interface.name): removed"
        case .changed(let interface, let before):
            "\(before.name): changed\(interface.name == before.name ? "" : ", now \(interface.name)") (\(interface.flags))"
        case .addressAdded(let address, let interface): "\(interface.name): \(address) added"
        case .addressRemoved(let address, let interface): "\(interface.name): \(address) removed"
        }
    }
}
