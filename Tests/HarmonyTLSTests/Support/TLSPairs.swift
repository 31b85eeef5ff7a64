import HarmonySocket
import HarmonyTLS
import Testing

/// A client and the connection that the server accepted for it, both secure.
struct TLSPair: Sendable {
    let server: TLSSocketServer
    let client: TLSSocket
    let connection: TLSSocketConnection

    /// Closes all three.
    func close() async {
        await client.close()
        await connection.close()
        await server.close()
    }
}

/// A TLS server that listens on loopback, at a port that the system chose.
func makeTLSServer(
    _ secure: TLSSecureOptions = Certificates.shared.serverOptions, group: SocketEventLoopGroup = .shared,
    _ change: (inout TLSConnectOptions) -> Void = { _ in }
) async throws -> (server: TLSSocketServer, port: Int) {
    let server = TLSSocketServer(group: group)
    var options = TLSConnectOptions(address: NetAddress("127.0.0.1"), secureOptions: secure)
    change(&options)
    try await server.listen(options)
    return (server, try await server.getLocalAddress().port)
}

/// What a client needs to reach a server of the tests.
func clientOptions(
    port: Int, _ secure: TLSSecureOptions = Certificates.shared.clientOptions,
    _ change: (inout TLSConnectOptions) -> Void = { _ in }
) -> TLSConnectOptions {
    var options = TLSConnectOptions(address: NetAddress("localhost", port: port), secureOptions: secure)
    change(&options)
    return options
}

/// A connected client and connection. `prepareConnection` runs inside of the server's `connect` listener.
func makeTLSPair(
    server secure: TLSSecureOptions = Certificates.shared.serverOptions,
    client clientSecure: TLSSecureOptions = Certificates.shared.clientOptions, client: TLSSocket = TLSSocket(),
    group: SocketEventLoopGroup = .shared, changeServer: (inout TLSConnectOptions) -> Void = { _ in },
    changeClient: (inout TLSConnectOptions) -> Void = { _ in },
    prepareConnection: @escaping @Sendable (TLSSocketConnection) -> Void = { _ in }
) async throws -> TLSPair {
    let (server, port) = try await makeTLSServer(secure, group: group, changeServer)
    let accepted = EventRecorder<TLSSocketConnection>()
    server.on(.connect) { connection in
        prepareConnection(connection)
        accepted.record(connection)
    }
    try await client.connect(clientOptions(port: port, clientSecure, changeClient))
    let connection = try #require(try await accepted.wait(count: 1).first)
    return TLSPair(server: server, client: client, connection: connection)
}
