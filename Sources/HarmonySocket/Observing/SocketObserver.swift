internal import SocketCore

/// Hears what happens to sockets, for logs, metrics and traces: a closure that every socket of a group reports to.
///
/// ```swift
/// SocketEventLoopGroup.shared.observer = SocketObserver { report in print(report) }
/// // event=connecting socket=1 to=127.0.0.1:7007
/// // event=opened socket=1 origin=connected local=127.0.0.1:49152 remote=127.0.0.1:7007 duration_s=0.000136
/// // event=closed socket=1 reason=local local=127.0.0.1:49152 remote=127.0.0.1:7007 age_s=0.212640 received=12 sent=5
/// ```
///
/// It is told of the beginnings and ends of connections and servers, and of what goes wrong with them, never of a message: what
/// went through a socket is in the report of its end. Without an observer a socket pays nothing for it.
///
/// The closure runs where the thing happens, mostly on the socket's loop, so it must not block; and with several loops
/// on several threads at once. The reports of a stream socket come one after another, in order. No lock is held: it may
/// call anything, sockets included.
public struct SocketObserver: Sendable {
    let core: Observer

    /// Makes an observer of a closure.
    public init(_ observe: @escaping @Sendable (SocketReport) -> Void) {
        core = Observer { observe(SocketReport($0)) }
    }

    init(core: Observer) { self.core = core }
}

extension SocketEventLoopGroup {
    /// Hears what happens to the stream sockets and servers that are made in this group from now on, and to the
    /// connections of such servers; nil, the default, is nobody. Datagram sockets are not observed.
    ///
    /// Any thread, any time. Sockets that exist keep the observer that they were made with.
    public var observer: SocketObserver? {
        get { core.observer.map { SocketObserver(core: $0) } }
        set { core.observer = newValue?.core }
    }
}

extension KernelSocket {
    /// The number of this socket in the reports to its observer; nil without one.
    public var reportedAs: Int? { kernel.driver.observed?.number }
}
