internal import SocketCore

/// A socket whose addresses are IP addresses with a port.
public protocol InternetSocket: KernelSocket {}

extension InternetSocket {
    /// Our address, with the port that the system chose; nil before there is one. A server's stays after close.
    public var localAddress: NetAddress? { kernel.driver.localAddress.map(NetAddress.init) }

    /// Our address.
    ///
    /// - Throws: `.closed` after close; `.invalidState` before bind, listen and connect.
    public func getLocalAddress() async throws(SocketError) -> NetAddress { NetAddress(try kernel.findLocalAddress()) }

    /// Our address; the handler is called in the socket's order of events.
    public func getLocalAddress(completion: @escaping @Sendable (Result<NetAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in NetAddress(try kernel.findLocalAddress()) }
        kernel.driver.complete { completion(result) }
    }
}

extension StreamSocket where Self: InternetSocket {
    /// The peer's address; nil before connect and after close.
    public var remoteAddress: NetAddress? { stream.driver.peerAddress.map(NetAddress.init) }

    /// The peer's address.
    ///
    /// - Throws: `.closed` after close; `.notConnected` before connect.
    public func getRemoteAddress() async throws(SocketError) -> NetAddress { NetAddress(try kernel.findPeerAddress()) }

    /// The peer's address; the handler is called in the socket's order of events.
    public func getRemoteAddress(completion: @escaping @Sendable (Result<NetAddress, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in NetAddress(try kernel.findPeerAddress()) }
        kernel.driver.complete { completion(result) }
    }
}

extension KernelHandle {
    func findLocalAddress() throws(SocketError) -> SocketAddress {
        if driver.snapshot.isClosed { throw error(.closed, .getAddress) }
        guard let address = driver.localAddress else { throw error(.invalidState(.notBound), .getAddress) }
        return address
    }

    func findPeerAddress() throws(SocketError) -> SocketAddress {
        if driver.snapshot.isClosed { throw error(.closed, .getAddress) }
        guard let address = driver.peerAddress else { throw error(.notConnected, .getAddress) }
        return address
    }
}
