internal import SocketCore

extension SocketEvent where Socket: DatagramSocket, Payload == SocketMessageInfo {
    /// A datagram arrived. Once for each, empty ones too.
    ///
    /// Several are taken from the kernel with one call, where it can, and told one after the other; what the listeners send
    /// from this socket, when they run on its loop, goes out together when the last of them has been told, and so does what
    /// other threads send from it meanwhile.
    public static var message: SocketEvent { makeMessage() }
}

extension SocketEvent where Socket: DatagramSocket, Payload == Void {
    /// The socket has an address: bind() succeeded, or the first send did without it.
    public static var listening: SocketEvent { SocketEvent(.listening) }

    /// connect() succeeded.
    public static var connect: SocketEvent { SocketEvent(.connect) }

    /// The socket is closed. Once, last of all.
    public static var close: SocketEvent { SocketEvent(.close) }

    /// The send queue, once above its high-water mark, has fallen to half of it.
    public static var drain: SocketEvent { SocketEvent(.drain) }

    /// Nothing was sent or received for as long as `socketTimeout` says. The socket stays open.
    public static var timeout: SocketEvent { SocketEvent(.timeout) }
}

extension SocketEvent where Socket: DatagramSocket, Payload == SocketError {
    /// Something failed that no call could report, as an ICMP refusal; the error's address is the destination that it
    /// concerns (on Linux; elsewhere there is none). The socket stays open.
    public static var error: SocketEvent { makeError(.send) }
}

extension DatagramSocket {
    /// Chooses where listeners and completion handlers of the socket run. Called before the first listener is added.
    public func deliver(on delivery: SocketDelivery) { driver.delivery = delivery.context }
}
