internal import SocketCore

/// What every socket has, streams, servers and datagram sockets alike: a place in the kernel that can be asked and tuned.
public protocol KernelSocket: AnyObject, Sendable {
    /// The engine's part of this socket, whatever its kind. Of no use outside of the library.
    var kernel: KernelHandle { get }
}

/// The engine's part of a socket of any kind. Opaque.
public struct KernelHandle: Sendable {
    let driver: any SocketDriver
    let socketType: SocketType

    /// The failure of an operation on this socket, with its peer's address, or its own.
    func error(_ failure: Failure, _ operation: SocketOperation) -> SocketError {
        SocketError(failure, operation, (driver.peerAddress ?? driver.localAddress)?.description)
    }
}

extension StreamSocket {
    /// The engine's part of this socket, whatever its kind. Of no use outside of the library.
    public var kernel: KernelHandle {
        KernelHandle(driver: stream.driver, socketType: stream.driver.local == nil ? .tcp : .local)
    }
}

extension StreamServer {
    /// The engine's part of this socket, whatever its kind. Of no use outside of the library.
    public var kernel: KernelHandle {
        KernelHandle(driver: driver, socketType: driver.localKind == nil ? .tcp : .local)
    }
}
