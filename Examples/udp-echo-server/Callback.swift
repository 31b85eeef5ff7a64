import HarmonySocket

// Completion handlers: the next datagrams are taken when the answers to these are out. Meanwhile the kernel keeps what
// arrives, and drops what its buffer has no room for.
func serveWithCallbacks(_ udp: UDPSocket) {
    // One by one it would be `receive`; as they have arrived together they are answered together, with fewer calls.
    udp.receiveBatch { result in
        // Fails when the socket is closed.
        guard case .success(let batch) = result else { return }
        // An answer that cannot be sent is one datagram lost; the others do not suffer.
        udp.send(batch: batch.map { ($0.message, to: $0.remoteInfo) }) { _ in serveWithCallbacks(udp) }
    }
}
