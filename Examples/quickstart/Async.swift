import HarmonySocket

/// A server and a client with async and await.
func runAsync() async throws {
    chapter("TCP with async and await")
    let server = TCPSocketServer()
    try await server.listen(NetAddress("127.0.0.1", port: 0))
    let address = try await server.getLocalAddress()
    note("server", "listening", "on \(address)")
    let serving = Task {
        try await server.serve { client in
            note("server", "accepted", "client \(client.clientId)")
            for try await message in client.messages {
                note("server", "received", "\"\(message.text ?? "")\" from \(message.remoteInfo)")
                try await client.send(message.message)
            }
            note("server", "end of input")
            try await client.send("goodbye")
        }
    }

    let tcp = TCPSocket()
    note("client", "state", "\(tcp.state)")
    expect(!tcp.state.isBound && !tcp.state.isConnected, "a new socket to be neither bound nor connected")

    // Options can be set at any time; they are read back from the kernel.
    try await tcp.setExtraOptions(TCPExtraOptions(keepAlive: true, tcpNoDelay: true, receiveBufferSize: 100_000))
    try await tcp.connect(to: address, timeout: .seconds(2))
    note("client", "connected", "to \(try await tcp.getRemoteAddress())")
    note("client", "state", "\(tcp.state)")
    expect(tcp.state.isBound && tcp.state.isConnected, "a connected socket to be bound and connected")
    let options = try await tcp.getExtraOptions()
    note("client", "options", "keepAlive \(options.keepAlive ?? false), tcpNoDelay \(options.tcpNoDelay ?? false)")
    note("client", "options", "receiveBufferSize \(options.receiveBufferSize ?? 0), of 100000 asked for")
    expect(options.keepAlive == true && options.tcpNoDelay == true, "the options that were set")

    try await tcp.send("hello")
    let answer = try await tcp.receive(timeout: .seconds(2))
    note("client", "received", "\"\(answer?.text ?? "")\"")
    expect(answer?.text == "hello", "the echo")

    // Ends our direction; the server still answers.
    try await tcp.finish()
    note("client", "finished", "can send: \(tcp.canSend), can receive: \(tcp.canReceive)")
    var rest: [UInt8] = []
    for try await message in tcp.messages { rest += message.message }
    note("client", "end of input", "after \"\(String(decoding: rest, as: UTF8.self))\"")
    expect(rest == Array("goodbye".utf8), "the last word")
    await tcp.close()
    note("client", "state", "\(tcp.state)")
    expect(tcp.state.isClose, "a closed socket")

    await server.close()
    try await serving.value
    note("server", "closed")
}
