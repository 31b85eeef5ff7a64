internal import SocketCore

/// A UDP socket, in the style of OpenHarmony.
///
/// ```swift
/// try await udp.bind(NetAddress("127.0.0.1", port: 0))
/// udp.on(.message) { print($0.text ?? "", $0.remoteInfo) }
/// try await udp.send(UDPSendOptions(data: "hello", address: NetAddress("127.0.0.1", port: 7007)))
/// ```
///
/// Any thread may call anything at any time. A socket with a listener, or with a call under way, stays alive until it
/// is closed; without either it closes when its last reference goes. For groups there is `MulticastSocket`.
public class UDPSocket: DatagramSocket, InternetSocket, @unchecked Sendable {
    // Unchecked because a class that another one of this module inherits from, MulticastSocket, cannot be checked.
    final let driver: DatagramDriver

    /// The engine's part of this socket. Of no use outside of the library.
    public var datagrams: DatagramHandle { DatagramHandle(driver: driver) }

    /// Makes a socket without an address, on a loop of `group`.
    public init(group: SocketEventLoopGroup = .shared) {
        driver = DatagramDriver(group: group.core)
    }

    deinit {
        driver.handleReleased()
    }
}

/// OpenHarmony's name for `UDPSocket()`.
public func constructUDPSocketInstance() -> UDPSocket { UDPSocket() }

// MARK: Binding and closing

extension UDPSocket {
    /// Gives the socket its address, and starts to listen.
    ///
    /// The port you ask for is the port you get; port 0 lets the system choose (bind(2)). Names are not looked up, but
    /// for `localhost`.
    ///
    /// - Throws: `.invalidArgument` for an address that cannot be; `.addressInUse`; `.addressNotAvailable`;
    ///   `.permissionDenied`; `.alreadyBound`, also after a first send; `.closed`.
    ///
    /// ## Events
    /// `listening`, before this call returns.
    public func bind(_ address: NetAddress) async throws(SocketError) {
        try bindNow(address)
        await driver.deliverPending()
    }

    /// Gives the socket its address; as the async form.
    public func bind(_ address: NetAddress, completion: @escaping @Sendable (Result<Void, SocketError>) -> Void) {
        let result = Result { () throws(SocketError) in try bindNow(address) }
        driver.complete { completion(result) }
    }

    private func bindNow(_ address: NetAddress) throws(SocketError) {
        do throws(Failure) {
            try driver.bind(to: try address.literal())
        } catch {
            throw self.error(error, .bind, address.description)
        }
    }
}
