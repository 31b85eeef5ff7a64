internal import SocketCore

/// How many bytes a relay has moved each way.
public struct RelayCounts: Sendable, Hashable {
    /// From the socket that `relay` was called on to the other one.
    public let forward: Int
    /// From the other one to the socket that `relay` was called on.
    public let backward: Int

    init(_ counts: Relay.Counts) {
        forward = counts.fromFirst
        backward = counts.fromSecond
    }
}

/// One of the two sockets of a relay.
public enum RelaySide: String, Sendable, Hashable {
    /// The socket that `relay` was called on.
    case this
    /// The socket that it was called with.
    case other
}

/// Why a relay did not come to the end of both streams.
public struct RelayError: Error, Sendable, Hashable {
    /// What failed: `.receive` from, or `.send` to, the socket of `side`; or `.relay`.
    public let error: SocketError
    /// The socket that failed; nil when the relay was cancelled or idle for too long.
    public let side: RelaySide?
    /// What was handed over until then. The queue of the socket that failed may have lost some of it.
    public let counts: RelayCounts

    /// What kind of failure it was.
    public var kind: SocketError.Kind { error.kind }
}

extension RelayError: CustomStringConvertible {
    /// One line: what failed, and how far the relay had come.
    public var description: String { "\(error) (\(counts.forward) bytes relayed forward, \(counts.backward) back)" }
}
