internal import Synchronization

/// Who is told what happens to the sockets of a group: on the thread on which it happens, and never under a lock.
package final class Observer: Sendable {
    fileprivate let body: @Sendable (Observation) -> Void

    package init(_ body: @escaping @Sendable (Observation) -> Void) { self.body = body }
}

/// Something that happened to a socket.
package struct Observation: Sendable {
    package enum Event: Sendable {
        case connecting(ConnectTarget)
        case attemptFailed(ConnectAttempt)
        /// So long after `connecting`.
        case connected(Duration)
        /// By the server of this number.
        case accepted(by: Int)
        case adopted
        case listening
        /// This peer was reset: there were connections enough.
        case refused(SocketAddress)
        case overload(open: Int, limit: Int, isRefused: Bool)
        /// A failure that no call could report, and the address it concerns.
        case error(Failure, SocketAddress?)
        /// The descriptor is given back. `counts` is nil for a server.
        case closed(Ending, Failure?, StreamCounts?)
    }

    /// The socket's number in this process.
    package let socket: Int
    package let local: SocketAddress?
    package let peer: SocketAddress?
    package let event: Event
}

/// How a socket came to its end.
package enum Ending: Sendable, Hashable {
    /// The program closed it, or let go of it.
    case local
    /// The peer ended its direction, and then the program closed it.
    case peer
    /// It was cut off.
    case reset
    /// An error ended it.
    case failed
    /// Its descriptor was given to somebody else.
    case detached
}

/// What an observed socket has beside others: a number, and who is told.
package final class Observed: Sendable {
    private static let lastNumber = Atomic<Int>(0)

    /// Tells the sockets of this process apart: 1 for the first that is observed, and so on.
    package let number: Int
    private let observer: Observer

    init(_ observer: Observer) {
        self.observer = observer
        number = Observed.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// The same observer, for another socket.
    func another() -> Observed { Observed(observer) }

    /// Tells what happened. Never under a lock. `descriptor` has the local address, if it is open.
    func tell(_ event: Observation.Event, _ descriptor: Int32? = nil, peer: SocketAddress? = nil) {
        let local = descriptor.flatMap { try? SocketCalls.localAddress($0).get() }
        tell(event, local: local, peer: peer)
    }

    func tell(_ event: Observation.Event, local: SocketAddress?, peer: SocketAddress? = nil) {
        observer.body(Observation(socket: number, local: local, peer: peer, event: event))
    }
}
