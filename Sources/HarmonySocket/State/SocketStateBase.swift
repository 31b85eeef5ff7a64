internal import SocketCore

/// The state of a socket at one moment, as OpenHarmony's SocketStateBase.
public struct SocketStateBase: Sendable, Hashable, Codable {
    /// It has a local address.
    public let isBound: Bool

    /// It was closed, by us or by an error. A peer that ended its direction changes nothing here.
    public let isClose: Bool

    /// It has a peer: from connect until it is closed or reset. Never true of a server and of a UDP socket.
    public let isConnected: Bool

    init(_ snapshot: StreamDriver.Snapshot) {
        isBound = snapshot.isBound
        isClose = snapshot.isClosed
        isConnected = snapshot.isConnected
    }
}

extension SocketStateBase: CustomStringConvertible {
    /// `bound, connected`.
    public var description: String {
        let words = [isBound ? "bound" : nil, isConnected ? "connected" : nil, isClose ? "closed" : nil]
        let text = words.compactMap { $0 }.joined(separator: ", ")
        return text.isEmpty ? "fresh" : text
    }
}
