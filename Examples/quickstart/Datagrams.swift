import HarmonySocket

/// Two UDP sockets, which send to each other: one with a listener, the other with async and await.
func runDatagrams() async throws {
    chapter("UDP, both ways")
    let right = UDPSocket()
    right.on(.listening) { note("right", "on listening", right.localAddress?.description ?? "") }
    right.on(.message) { datagram in
        note("right", "on message", "\"\(datagram.text ?? "")\" from \(datagram.remoteInfo)")
        right.send(Array("pong".utf8), to: datagram.remoteInfo) { result in
            if case .success = result { note("right", "sent", "\"pong\"") }
        }
    }
    try await right.bind(NetAddress("127.0.0.1", port: 0))

    let left = UDPSocket()
    note("left", "state", "\(left.state)")
    try await left.setExtraOptions(UDPExtraOptions(broadcast: true))
    // The first send gives the socket an address, if it has none.
    try await left.send("ping", to: try await right.getLocalAddress())
    note("left", "sent", "\"ping\", and is now \(left.state)")
    expect(left.state.isBound, "a socket that has sent to be bound")
    let options = try await left.getExtraOptions()
    note("left", "options", "broadcast \(options.broadcast ?? false)")
    expect(options.broadcast == true, "the option that was set")

    let answer = try await left.receive(timeout: .seconds(2))
    note("left", "received", "\"\(answer.text ?? "")\" from \(answer.remoteInfo)")
    expect(answer.text == "pong", "the answer")
    await left.close()
    await right.close()
    note("left", "closed", "\(left.state)")
    expect(left.state.isClose && right.state.isClose, "closed sockets")
}
