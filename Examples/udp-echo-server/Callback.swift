import HarmonySocket

// Completion handlers: the next datagram is taken when the answer to this one is out. Meanwhile the kernel keeps what
// arrives, and drops what its buffer has no room for.
func serveWithCallbacks(_ udp: UDPSocket) {
    udp.receive { result in
        // Fails when the socket is closed.
        guard case .success(let datagram) = result else { return }
        // An answer that cannot be sent is one datagram lost; the others do not suffer.
        udp.send(datagram.message, to: datagram.remoteInfo) { _ in serveWithCallbacks(udp) }
    }
}
