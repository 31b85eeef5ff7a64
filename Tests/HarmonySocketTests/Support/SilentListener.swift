import HarmonySocket

/// An address at which a connect neither succeeds nor fails: the backlog is full, so the kernel does not answer.
final class SilentListener: Sendable {
    private let listener: RawSocket
    private let filler: RawSocket
    let address: NetAddress

    /// At an address of this machine; port 0 lets the system choose.
    init(at wanted: NetAddress = Loopback.ipv4.address()) throws {
        listener = try RawSocket.listening(at: wanted, backlog: 0)
        address = NetAddress(wanted.address, port: listener.port)
        filler = try RawSocket.connected(to: address)
    }

    var port: Int { address.port }

    /// Whether a descriptor of this process is one of ours.
    func owns(_ descriptor: Int) -> Bool { descriptor == listener.number || descriptor == filler.number }

    /// Makes room, and returns the connection that was waiting for it. Blocks until the kernel has tried again.
    func letIn() throws -> RawSocket {
        _ = try listener.accept()
        return try listener.accept()
    }
}

extension StreamSocket {
    /// The kernel's number for the socket, or -1.
    var descriptor: Int {
        get async { await getSocketFd() }
    }
}
