import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// A server on loopback that hands out its connections, and the clients that a test makes.
struct Host: Sendable {
    let server = WebSocketServer()
    let connections = EventRecorder<WebSocketConnection>()
    let errors = EventRecorder<WebSocketError>()
    let url: String

    /// Any port of loopback.
    static let config = WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 0)

    /// `prepare` runs inside of the server's `connect` listener, so listeners that it adds miss nothing.
    init(
        _ config: WebSocketServerConfig = Host.config,
        prepare: @escaping @Sendable (WebSocketConnection) -> Void = { _ in }
    ) async throws {
        let (connections, errors) = (connections, errors)
        server.on(.connect) { connection in
            prepare(connection)
            connections.record(connection)
        }
        server.on(.error) { errors.record($0) }
        try await server.start(config)
        url = "ws://\(try #require(server.localAddress))/"
    }

    var address: NetAddress {
        get throws { try #require(server.localAddress) }
    }

    /// A client that is connected.
    func connect(_ options: WebSocketOptions = WebSocketOptions(), path: String = "") async throws -> WebSocket {
        let client = WebSocket()
        try await client.connect(url + path, options)
        return client
    }

    /// A connected client with its connection.
    func pair(
        _ options: WebSocketOptions = WebSocketOptions()
    ) async throws -> (client: WebSocket, connection: WebSocketConnection) {
        let count = connections.count
        let client = try await connect(options)
        return (client, try await connections.wait(count: count + 1)[count])
    }

    func stop() async { await server.stop() }
}

/// A blocking peer that speaks WebSocket byte by byte, right or wrong.
struct RawPeer: Sendable {
    let socket: RawSocket

    /// Connects to a server and does the handshake; `lines` are added to the request.
    static func client(of host: Host, _ lines: [String] = []) async throws -> RawPeer {
        let address = try host.address
        return try await blocking {
            let peer = RawPeer(socket: try RawSocket.connected(to: address))
            let request = [
                "GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
            ]
            try peer.socket.send((request + lines).joined(separator: "\r\n") + "\r\n\r\n")
            let head = try peer.readHead()
            guard head.hasPrefix("HTTP/1.1 101 ") else { throw RawError("handshake: \(head)") }
            return peer
        }
    }

    /// A server that accepts one client and does the handshake, and what the client of ours made of it.
    static func server(
        _ options: WebSocketOptions = WebSocketOptions(), _ lines: [String] = [], behind: [UInt8] = [],
        client: WebSocket = WebSocket()
    ) async throws -> (peer: RawPeer, client: WebSocket) {
        let listener = try RawSocket.listening()
        let port = listener.port
        async let accepted = blocking {
            let peer = RawPeer(socket: try listener.accept())
            try peer.shakeHands(lines, behind: behind)
            return peer
        }
        try await client.connect("ws://127.0.0.1:\(port)/", options)
        return (try await accepted, client)
    }

    /// Reads a request and accepts it.
    func shakeHands(_ lines: [String] = [], behind: [UInt8] = []) throws {
        let head = try readHead()
        let key = head.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19) ?? ""
        let answer = [
            "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Accept: \(ClientHandshake.accept(for: String(key)))",
        ]
        try socket.send(Array(((answer + lines).joined(separator: "\r\n") + "\r\n\r\n").utf8) + behind)
    }

    func readHead() throws -> String {
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual(Array("\r\n\r\n".utf8)) {
            let next = try socket.receive(upTo: 1)
            guard !next.isEmpty else { break }
            bytes += next
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A frame: opcode with FIN and reserved bits, and what it carries without its mask.
    struct Frame: Equatable, Sendable {
        let first: UInt8
        let payload: [UInt8]

        static func close(_ code: Int, _ reason: String = "") -> Frame {
            Frame(first: 0x88, payload: [UInt8(code >> 8), UInt8(code & 255)] + reason.utf8)
        }
        static func text(_ text: String) -> Frame { Frame(first: 0x81, payload: Array(text.utf8)) }

        /// The code of a close frame.
        var closeCode: Int? {
            first == 0x88 && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil
        }
    }

    /// The next frame; nil when the peer has ended.
    func readFrame() throws -> Frame? {
        let start = try socket.receive(upTo: 1)
        guard let first = start.first else { return nil }
        let second = try socket.receive(exactly: 1)[0]
        var count = Int(second & 127)
        if count >= 126 { count = try socket.receive(exactly: count == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) } }
        let mask = second & 128 == 0 ? nil : try socket.receive(exactly: 4)
        let payload = count == 0 ? [] : try socket.receive(exactly: count)
        guard let mask else { return Frame(first: first, payload: payload) }
        return Frame(first: first, payload: payload.enumerated().map { $1 ^ mask[$0 % 4] })
    }

    /// The frames until the peer ends.
    func readFrames() throws -> [Frame] {
        var frames: [Frame] = []
        while let frame = try readFrame() { frames.append(frame) }
        return frames
    }
}

/// The error that `body` throws; the test fails when it throws none.
func webSocketFailure<Value>(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws(WebSocketError) -> Value
) async -> WebSocketError? {
    do throws(WebSocketError) {
        _ = try await body()
        Issue.record("expected an error", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
