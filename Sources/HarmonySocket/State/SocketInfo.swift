internal import SocketCore

/// What a socket speaks, as chrome.socket's SocketType.
public enum SocketType: String, Sendable, Hashable, Codable, CaseIterable {
    /// A TCP connection, or a server of such.
    case tcp
    /// A UDP socket.
    case udp
    /// A local socket: a connection, a server of such, or a datagram socket. chrome.socket has none.
    case local
}

/// A socket at one moment, as chrome.socket's SocketInfo.
public struct SocketInfo: Sendable, Hashable, Codable {
    /// What the socket speaks.
    public let socketType: SocketType

    /// Whether it has a peer: from connect until it is closed or reset, whether or not the peer has ended its direction.
    public let connected: Bool

    /// Our address; nil before there is one and after close.
    public let localAddress: NetAddress?

    /// The peer's address; nil without a connection.
    public let peerAddress: NetAddress?

    /// Our port; nil like `localAddress`.
    public var localPort: Int? { localAddress?.port }

    /// The peer's port; nil like `peerAddress`.
    public var peerPort: Int? { peerAddress?.port }

    init(_ handle: KernelHandle) {
        let state = handle.driver.snapshot
        socketType = handle.socketType
        connected = state.isConnected
        localAddress = state.isClosed ? nil : handle.driver.localAddress.map(NetAddress.init)
        peerAddress = state.isConnected ? handle.driver.peerAddress.map(NetAddress.init) : nil
    }
}

extension SocketInfo: CustomStringConvertible {
    /// `tcp 127.0.0.1:49152 to 127.0.0.1:7007`.
    public var description: String {
        let own = localAddress.map { " \($0)" } ?? ""
        let peer = peerAddress.map { " to \($0)" } ?? ""
        return socketType.rawValue + own + peer
    }
}

extension KernelSocket {
    /// The socket at this moment: what it speaks, and its addresses. Never fails, also after close.
    public func getInfo() async -> SocketInfo { SocketInfo(kernel) }

    /// The socket at this moment; the handler is called in the socket's order of events. Never fails.
    public func getInfo(completion: @escaping @Sendable (Result<SocketInfo, SocketError>) -> Void) {
        let info = SocketInfo(kernel)
        kernel.driver.complete { completion(.success(info)) }
    }
}
