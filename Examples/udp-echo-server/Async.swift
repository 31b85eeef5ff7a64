import HarmonySocket

// A loop over what comes, in a task on the socket's own thread, so that no datagram changes threads on its way.
func serveWithTasks(_ udp: UDPSocket) async throws {
    for try await datagram in udp.messages {
        // An answer that cannot be sent is one datagram lost; the others do not suffer.
        try? await udp.send(datagram.message, to: datagram.remoteInfo)
    }
}
