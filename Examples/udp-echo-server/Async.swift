import HarmonySocket

// A loop over what comes, in a task on the socket's own thread, so that no datagram changes threads on its way.
func serveWithTasks(_ udp: UDPSocket) async throws {
    // One by one it would be `messages`; as they have arrived together they are answered together, with fewer calls.
    for try await batch in udp.messageBatches {
        // An answer that cannot be sent is one datagram lost; the others do not suffer.
        try? await udp.send(batch: batch.map { ($0.message, to: $0.remoteInfo) })
    }
}
