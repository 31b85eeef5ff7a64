import HarmonySocket

// A listener, called once for each datagram. When answers cannot leave as fast as they are asked for, they are
// dropped, as UDP may: the send queue stays bounded.
func serveWithEvents(_ udp: UDPSocket) {
    udp.on(.message) { datagram in
        guard udp.bufferedAmount <= udp.highWaterMark else { return }
        udp.send(datagram.message, to: datagram.remoteInfo) { _ in }
    }
}
