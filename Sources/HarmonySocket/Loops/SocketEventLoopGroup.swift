package import SocketCore

/// Several event loops, among which sockets are spread in turn.
///
/// `shared` has one loop a processor and serves every socket that is not given another group. Its threads start when
/// they are first used, and sleep when there is nothing to do.
public final class SocketEventLoopGroup: Sendable {
    /// The process's group: one loop a processor.
    public static let shared = SocketEventLoopGroup()

    /// The loops of this group.
    public let loops: [SocketEventLoop]
    package let core: EventLoopGroup

    /// Makes a group of `count` loops, at least one; by default one a processor that the process may use.
    ///
    /// The group may be dropped when its sockets are no longer made: each thread ends after its last socket. Keep it as
    /// long as tasks or actors use its loops as their executors.
    ///
    /// ```swift
    /// let group = SocketEventLoopGroup(count: 2)
    /// let server = TCPSocketServer(group: group)
    /// ```
    public init(count: Int = SocketEventLoopGroup.processorCount) {
        core = EventLoopGroup(count: count)
        loops = core.loops.map(SocketEventLoop.init(core:))
    }

    /// How many processors this process may use.
    public static var processorCount: Int { ProcessCalls.processorCount }

    /// The next loop in turn.
    public func next() -> SocketEventLoop { loops[core.next().number] }
}
