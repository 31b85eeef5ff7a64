internal import SocketCore

/// Something that happened to a socket, as its `SocketObserver` hears of it.
public struct SocketReport: Sendable, Hashable {
    /// What happened. There may be more cases one day, so let a `switch` have a `default`.
    public enum Event: Sendable, Hashable {
        /// A connect begins. Told by the call itself, on its thread and in its task, where task-local values, as those of
        /// tracing, are the caller's.
        case connecting(to: NetAddress)
        /// One address of a connect failed. Those that were given up because another one won are not told.
        case attemptFailed(ConnectAttemptInfo)
        /// A connection stands.
        case opened(Origin)
        /// A server listens. Told by the call itself.
        case listening
        /// A server has accepted and reset this peer, because it has `maxConnections` connections.
        case refused(peer: NetAddress)
        /// The first of a crowd of peers has come for whom a server has no room.
        case overload(SocketOverloadInfo)
        /// Something went wrong with a server that no call could report, as running out of descriptors.
        case failed(SocketError)
        /// The last report of a socket: its descriptor is given back. That can be as much as `closeTimeout` after the
        /// event `close`. A socket that never tried to connect, and a server that never listened, is not told of.
        case closed(Closing)
    }

    /// Where a connection came from.
    public enum Origin: Sendable, Hashable {
        /// From our connect, so long after it began.
        case connected(after: Duration)
        /// From a server of ours, with its number.
        case accepted(by: Int)
        /// From outside, as a descriptor.
        case adopted
    }

    /// How a socket came to its end.
    public struct Closing: Sendable, Hashable {
        /// Why it is closed.
        public let reason: Reason
        /// The error, when the reason is `failed`.
        public let error: SocketError?
        /// What went through the connection, with its age; nil of a connect that failed, and of a server.
        public let statistics: SocketStatistics?
    }

    /// Why a socket is closed.
    public enum Reason: String, Sendable, Hashable, Codable, CaseIterable {
        /// The program closed it first, or let go of it.
        case local
        /// The peer ended its direction first, and then the program closed it, or it closed by itself.
        case peer
        /// It was cut off by this side: `reset()`, a `close()` that ran out of time, a `shutdown` that did, linger zero.
        case reset
        /// An error ended it: a reset by the peer, the idle time-out, a connect that failed.
        case failed
        /// Its descriptor was given away with `detach()`.
        case detached
    }

    /// Tells the sockets of this process apart, as `reportedAs` does: 1 for the first that was observed, and so on.
    public let socket: Int
    /// Our address; nil before there is one.
    public let localAddress: NetAddress?
    /// The peer's address, in `attemptFailed` the one that was tried; nil where there is none.
    public let remoteAddress: NetAddress?
    /// What happened.
    public let event: Event

    init(_ observation: Observation) {
        socket = observation.socket
        localAddress = observation.local.map(NetAddress.init)
        remoteAddress = observation.peer.map(NetAddress.init)
        event = Event(observation.event)
    }
}

extension SocketReport.Event {
    fileprivate init(_ event: Observation.Event) {
        self =
            switch event {
            case .connecting(let target): .connecting(to: NetAddress(target))
            case .attemptFailed(let attempt): .attemptFailed(ConnectAttemptInfo(attempt))
            case .connected(let duration): .opened(.connected(after: duration))
            case .accepted(let server): .opened(.accepted(by: server))
            case .adopted: .opened(.adopted)
            case .listening: .listening
            case .refused(let peer): .refused(peer: NetAddress(peer))
            case .overload(let open, let limit, let isRefused):
                .overload(SocketOverloadInfo(connectionCount: open, maxConnections: limit, isRefused: isRefused))
            case .error(let failure, let address): .failed(SocketError(told: failure, .accept, address?.description))
            case .closed(let ending, let failure, let counts):
                .closed(
                    SocketReport.Closing(
                        reason: SocketReport.Reason(ending),
                        error: failure.map { SocketError(told: $0, .receive, nil) },
                        statistics: counts.flatMap { SocketStatistics(final: $0) }))
            }
    }
}

extension SocketReport.Reason {
    fileprivate init(_ ending: Ending) {
        self =
            switch ending {
            case .local: .local
            case .peer: .peer
            case .reset: .reset
            case .failed: .failed
            case .detached: .detached
            }
    }
}

extension NetAddress {
    fileprivate init(_ target: ConnectTarget) {
        switch target {
        case .address(let address): self.init(address)
        case .name(let name, let port, _, _): self.init(name, port: Int(port))
        }
    }
}
