import HarmonySocket

/// Errors, made on purpose: they say what was tried, where, and why it failed.
func runErrors() async throws {
    chapter("Errors, on purpose")
    // A port at which nobody listens any more.
    let server = TCPSocketServer()
    try await server.listen(NetAddress("127.0.0.1", port: 0))
    let address = try await server.getLocalAddress()
    await server.close()

    let tcp = TCPSocket()
    do {
        try await tcp.connect(to: address, timeout: .seconds(2))
        expect(false, "a refused connect")
    } catch let error {
        note("client", "error", "\(error)")
        note("client", "error.kind", "\(error.kind)")
        note("client", "error.code", "\(error.code), OpenHarmony's number")
        note("client", "error.message", error.message)
        expect(error.kind == .connectionRefused && error.code == 2_301_111, "a refused connect")
    }
    note("client", "state", "\(tcp.state): a failed connect closes the socket")
    expect(tcp.state.isClose, "a closed socket")

    do {
        try await TCPSocket().connect(to: NetAddress("127.0.0.1", port: 70_000))
        expect(false, "a rejected port")
    } catch let error {
        note("client", "error", "\(error)")
        expect(error.kind == .invalidArgument && error.field == "port", "a rejected port")
    }
}
