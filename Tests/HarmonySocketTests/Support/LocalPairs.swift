import HarmonySocket
import Testing

extension LocalSocketType {
    /// Those that this system has.
    static let available: [LocalSocketType] = isLinux ? [.stream, .seqpacket] : [.stream]
}

/// A client, and the connection that a server at a path accepted for it.
struct LocalPair: Sendable {
    let directory: TemporaryDirectory
    let server: LocalSocketServer
    let client: LocalSocket
    let connection: LocalSocketConnection

    init(
        _ type: LocalSocketType = .stream,
        prepareConnection: @escaping @Sendable (LocalSocketConnection) -> Void = { _ in }
    ) async throws {
        directory = try TemporaryDirectory()
        server = LocalSocketServer(type: type)
        client = LocalSocket(type: type)
        try await server.listen(directory.address())
        let accepted = EventRecorder<LocalSocketConnection>()
        server.on(.connect) { connection in
            prepareConnection(connection)
            accepted.record(connection)
        }
        try await client.connect(to: directory.address())
        connection = try #require(try await accepted.wait(count: 1).first)
    }

    /// Closes all three.
    func close() async {
        await client.close()
        await connection.close()
        await server.close()
    }
}
