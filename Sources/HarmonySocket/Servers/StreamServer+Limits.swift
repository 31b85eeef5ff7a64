internal import SocketCore

/// What a server does with the peers that come while it has `maxConnections` connections.
public enum SocketOverloadPolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// They stay in the kernel's backlog until a connection ends; when that is full too, the kernel lets them try again.
    case wait
    /// They are accepted and reset at once, so that they can turn to somebody else.
    case refuse
}

/// A peer came to a server that has as many connections as it may: the payload of `overload`.
public struct SocketOverloadInfo: Sendable, Hashable {
    /// How many connections the server has.
    public let connectionCount: Int
    /// How many it may have.
    public let maxConnections: Int
    /// Whether such peers are refused; otherwise they wait.
    public let isRefused: Bool
}

extension SocketEvent where Socket: StreamServer, Payload == SocketOverloadInfo {
    /// A peer came while the server had `maxConnections` connections. Once for each crowd and not for each peer: told
    /// again only after nobody has been waiting while there was room.
    public static var overload: SocketEvent {
        SocketEvent(.overload) { listener in
            { event in
                guard case .overload(let open, let limit, let isRefused) = event else { return }
                listener(SocketOverloadInfo(connectionCount: open, maxConnections: limit, isRefused: isRefused))
            }
        }
    }
}

extension StreamServer {
    /// How many connections may be open at a time; nil, the default, is any number. Can be changed at any time.
    ///
    /// `overloadPolicy` says what becomes of further peers. A limit below the present number closes nobody: nothing is
    /// accepted until enough have ended. Zero accepts nobody; negative values count as zero.
    ///
    /// A connection counts from when it is accepted until its descriptor is given back, which after `close()` can be as
    /// late as `closeTimeout`.
    ///
    /// ```swift
    /// server.maxConnections = 1000
    /// server.overloadPolicy = .refuse
    /// server.on(.overload) { print("full:", $0.connectionCount, "connections") }
    /// ```
    ///
    /// ## Events
    /// `overload`, when the first peer beyond the limit comes.
    public var maxConnections: Int? {
        get { driver.connectionLimit }
        set { driver.connectionLimit = newValue.map { max(0, $0) } }
    }

    /// What becomes of peers beyond `maxConnections`; `.wait` by default. Can be changed at any time.
    ///
    /// Refusing, like accepting, takes place while somebody wants connections: a `connect` listener, `serve`, or a call
    /// that pulls them.
    public var overloadPolicy: SocketOverloadPolicy {
        get { driver.excess == .refuse ? .refuse : .wait }
        set { driver.excess = newValue == .refuse ? .refuse : .wait }
    }

    /// How many of the server's connections have not ended, whoever has them. Also after the server was closed.
    public var connectionCount: Int { driver.connectionCount }
}
