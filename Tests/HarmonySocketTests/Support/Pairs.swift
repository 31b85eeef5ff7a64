import HarmonySocket
import Testing

/// The loopback interfaces.
enum Loopback: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case ipv4 = "127.0.0.1"
    case ipv6 = "::1"

    func address(_ port: Int = 0) -> NetAddress { NetAddress(rawValue, port: port) }
    var family: AddressFamily { self == .ipv4 ? .ipv4 : .ipv6 }
    var wildcard: String { self == .ipv4 ? "0.0.0.0" : "::" }
    var testDescription: String { self == .ipv4 ? "IPv4" : "IPv6" }

    /// Whether all of 127.0.0.0/8 is this machine's, as on Linux.
    static let isNetwork = (try? RawSocket.listening(at: NetAddress("127.0.0.2"))) != nil
}

/// A client and the connection that the server accepted for it.
struct TCPPair: Sendable {
    let server: TCPSocketServer
    let client: TCPSocket
    let connection: TCPSocketConnection

    /// Closes all three.
    func close() async {
        await client.close()
        await connection.close()
        await server.close()
    }
}

/// A server that listens on loopback.
func makeServer(
    _ loopback: Loopback = .ipv4, group: SocketEventLoopGroup = .shared, options: TCPExtraOptions? = nil
) async throws -> (server: TCPSocketServer, address: NetAddress) {
    let server = TCPSocketServer(group: group)
    if let options { try await server.setExtraOptions(options) }
    try await server.listen(loopback.address())
    return (server, try await server.getLocalAddress())
}

/// A server whose clients may come after its end. Its address is that of no other test's server, as its port may be by then.
func makeRacingServer() async throws -> (server: TCPSocketServer, address: NetAddress) {
    let server = TCPSocketServer()
    try await server.listen(NetAddress(Loopback.isNetwork ? "127.0.0.7" : Loopback.ipv4.rawValue, port: 0))
    return (server, try await server.getLocalAddress())
}

/// A connected client and connection. `prepareConnection` runs inside of the server's `connect` listener, so listeners
/// that it adds miss nothing.
func makeTCPPair(
    _ loopback: Loopback = .ipv4, group: SocketEventLoopGroup = .shared, serverOptions: TCPExtraOptions? = nil,
    client: TCPSocket? = nil, prepareConnection: @escaping @Sendable (TCPSocketConnection) -> Void = { _ in }
) async throws -> TCPPair {
    let (server, address) = try await makeServer(loopback, group: group, options: serverOptions)
    let accepted = EventRecorder<TCPSocketConnection>()
    server.on(.connect) { connection in
        prepareConnection(connection)
        accepted.record(connection)
    }
    let client = client ?? TCPSocket(group: group)
    try await client.connect(to: address)
    let connection = try #require(try await accepted.wait(count: 1).first)
    return TCPPair(server: server, client: client, connection: connection)
}

/// A connection of ours, and a raw socket of the C library at the other end. The server has stopped listening.
func makeConnectionWithRawPeer(
    _ loopback: Loopback = .ipv4, group: SocketEventLoopGroup = .shared, serverOptions: TCPExtraOptions? = nil,
    peerReceiveBuffer: Int32? = nil,
    prepareConnection: @escaping @Sendable (TCPSocketConnection) -> Void = { _ in }
) async throws -> (connection: TCPSocketConnection, peer: RawSocket) {
    let (server, address) = try await makeServer(loopback, group: group, options: serverOptions)
    let accepted = EventRecorder<TCPSocketConnection>()
    server.on(.connect) { connection in
        prepareConnection(connection)
        accepted.record(connection)
    }
    let peer = try await blocking { try RawSocket.connected(to: address, receiveBuffer: peerReceiveBuffer) }
    let connection = try #require(try await accepted.wait(count: 1).first)
    await server.close()
    return (connection, peer)
}

/// A client of ours that is connected to a raw socket of the C library.
func makeClientWithRawPeer(
    _ loopback: Loopback = .ipv4, client: TCPSocket = TCPSocket()
) async throws -> (client: TCPSocket, peer: RawSocket) {
    let listener = try RawSocket.listening(on: loopback)
    try await client.connect(to: loopback.address(listener.port))
    return (client, try await blocking { try listener.accept() })
}

/// Two datagram sockets that are bound to loopback.
func makeUDPPair(
    _ loopback: Loopback = .ipv4
) async throws -> (first: UDPSocket, firstAddress: NetAddress, second: UDPSocket, secondAddress: NetAddress) {
    let first = UDPSocket()
    let second = UDPSocket()
    try await first.bind(loopback.address())
    try await second.bind(loopback.address())
    return (first, try await first.getLocalAddress(), second, try await second.getLocalAddress())
}

// The system gives none of these to a socket that asks for any (Linux: ip_local_port_range, from 32,768 on), so no other test
// comes to have it meanwhile.
private let spare = 10_000..<30_000
private let lastSpare = TestLock(Int.random(in: spare))

/// A port on which nobody listens, a moment ago and most likely later. Nothing keeps another process from taking it.
func freePort(_ loopback: Loopback = .ipv4) throws -> Int {
    for _ in spare {
        let port = lastSpare.withLock { last in
            last = last + 1 < spare.upperBound ? last + 1 : spare.lowerBound
            return last
        }
        if let socket = try? RawSocket.listening(at: loopback.address(port)) {
            socket.close()
            return port
        }
    }
    throw WaitTimedOut(what: "a free port")
}

/// The error that `body` throws; the test fails when it throws none.
func failure<Value>(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws(SocketError) -> Value
) async -> SocketError? {
    do throws(SocketError) {
        _ = try await body()
        Issue.record("expected an error", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
