import HarmonySocket
import Testing

@testable import HarmonyWebSocket

/// What peers may send in place of a handshake, and what becomes of it.
@Suite(.bounded) struct HostileHandshakeTests {
    private static let request = [
        "GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ]

    /// The first line of the server's answer, and whether it closed the connection behind it.
    private func answer(_ text: String, _ config: WebSocketServerConfig = Host.config) async throws -> String {
        let host = try await Host(config)
        let address = try host.address
        let answer = try await blocking {
            let socket = try RawSocket.connected(to: address)
            try socket.send(text)
            let answer = String(decoding: try socket.receiveAll(), as: UTF8.self)
            socket.close()
            return answer
        }
        await host.stop()
        return String(answer.prefix { $0 != "\r\n" && $0 != "\r" })
    }

    /// A good request with something more.
    private static func request(_ more: String) -> String { request.joined(separator: "\r\n") + "\r\n\(more)\r\n\r\n" }

    private static let bad: [(String, Int)] = {
        var rows: [(String, Int)] = [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426), ("nonsense\r\n\r\n", 400),
            ("\r\n\r\n", 400), ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413),
        ]
        rows.append((request.joined(separator: "\n") + "\n\r\n\r\n", 400))
        rows.append((request.dropLast().joined(separator: "\r\n") + "\r\nSec-WebSocket-Version: 8\r\n\r\n", 426))
        for line in [
            "Host: b", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X: a\r\n b", "X : a",
            "X: a\0b", "X: a\nY: b", "Sec-WebSocket-Extensions: a;;", "Sec-WebSocket-Protocol: a, a",
        ] {
            rows.append((request(line), 400))
        }
        for line in ["Content-Length: 10", "Transfer-Encoding: chunked"] { rows.append((request(line), 413)) }
        return rows
    }()

    @Test(arguments: bad)
    func server_ofABadRequest_answersAndCloses(_ text: String, _ status: Int) async throws {
        #expect(try await answer(text).hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test func server_ofAHeaderWithoutEnd_stopsAtTheLimitAndAtTheTime() async throws {
        var config = Host.config
        config.limits.maxHeaderSize = 1000
        let long = "GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 1200)
        #expect(try await answer(long, config).hasPrefix("HTTP/1.1 431 "))
        config.handshakeTimeout = .milliseconds(50)
        #expect(try await answer("GET / HTTP/1.1\r\nX: y\r\n", config).hasPrefix("HTTP/1.1 408 "))
        let many = HostileHandshakeTests.request.joined(separator: "\r\n") + String(repeating: "\r\na:b", count: 101)
        #expect(try await answer(many + "\r\n\r\n").hasPrefix("HTTP/1.1 431 "))
    }

    // MARK: The client

    private func connect(
        _ options: WebSocketOptions = WebSocketOptions(), to answer: String
    ) async throws -> WebSocketError? {
        let listener = try RawSocket.listening()
        let port = listener.port
        async let peer = blocking {
            let socket = try listener.accept()
            _ = try RawPeer(socket: socket).readHead()
            try socket.send(answer)
            socket.finish()
            return socket
        }
        let client = WebSocket()
        let error = await webSocketFailure { () async throws(WebSocketError) in
            try await client.connect("ws://127.0.0.1:\(port)/", options)
        }
        #expect(client.readyState == .closed)
        #expect(client.closeCode == .abnormalClosure)
        try await peer.close()
        return error
    }

    @Test func client_ofAnotherStatus_tellsIt() async throws {
        let error = try await connect(to: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Why: because\r\n\r\nhi")
        #expect(error?.kind == .rejected)
        #expect(error?.status == 200)
        #expect(error?.headers["x-why"] == "because")
        #expect(error?.code == 200)
        #expect(try await connect(to: "HTTP/1.1 401 Unauthorized\r\n\r\n")?.status == 401)
        #expect(try await connect(to: "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n")?.headers["Location"] == "/x")
    }

    @Test(arguments: [
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n", "", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 101 x\nUpgrade: websocket\n\n", "HTTP/1.1 101 x\r\n folded\r\n\r\n",
    ])
    func client_ofABadAnswer_fails(_ answer: String) async throws {
        #expect(try await connect(to: answer)?.kind == .handshakeFailed)
    }

    @Test func client_ofAHeaderWithoutEnd_stopsAtTheLimit() async throws {
        let options = WebSocketOptions(limits: WebSocketLimits(maxHeaderSize: 1000))
        let long = "HTTP/1.1 101 x\r\nX: " + String(repeating: "x", count: 2000)
        #expect(try await connect(options, to: long)?.kind == .handshakeFailed)
    }
}
