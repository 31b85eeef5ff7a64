import Testing

@testable import HarmonyWebSocket

@Suite struct HandshakeTests {
    // MARK: The URL

    @Test(arguments: [
        ("ws://example.org", "example.org", 80, "/", "example.org"),
        ("ws://example.org/", "example.org", 80, "/", "example.org"),
        ("WS://Example.org:8080/a/b?c=d", "Example.org", 8080, "/a/b?c=d", "Example.org:8080"),
        ("ws://example.org?q", "example.org", 80, "/?q", "example.org"),
        ("ws://[::1]:9000/x", "::1", 9000, "/x", "[::1]:9000"),
        ("ws://[fe80::1%25eth0]/", "fe80::1%eth0", 80, "/", "[fe80::1]"),
        ("wss://example.org/", "example.org", 443, "/", "example.org"),
        ("wss://example.org:80/", "example.org", 80, "/", "example.org:80"),
        ("http://example.org:80/", "example.org", 80, "/", "example.org"),
        ("ws://example.org:/", "example.org", 80, "/", "example.org"),
        ("ws://example.org/ä{}|", "example.org", 80, "/%C3%A4%7B%7D%7C", "example.org"),
    ])
    func url_thatIsOne_hasItsParts(
        _ text: String, _ host: String, _ port: Int, _ target: String, _ authority: String
    ) throws {
        let url = try WebSocketURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.target == target)
        #expect(url.authority == authority)
    }

    @Test(arguments: [
        "", "example.org", "/path", "ftp://example.org/", "ws:example.org", "ws://", "ws:///path", "ws://:80/",
        "ws://example.org:0/", "ws://example.org:65536/", "ws://example.org:8a/", "ws://example.org:-1/",
        "ws://user@example.org/", "ws://user:secret@example.org/", "ws://example.org/#part", "ws://exa mple.org/",
        "ws://example.org/a b", "ws://example.org/\r\nX: y", "ws://[::1/", "ws://[::1]x/", "ws://[]/", "ws://[a]/",
        "ws://example.org/" + String(repeating: "x", count: 9000),
    ])
    func url_thatIsNone_isRefused(_ text: String) {
        #expect(throws: HandshakeProblem.self) { try WebSocketURL(text) }
    }

    // MARK: The client

    /// RFC 6455, section 1.3.
    @Test func accept_ofTheSampleKey_isThatOfTheRFC() {
        #expect(ClientHandshake.accept(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    private static func client(_ options: WebSocketOptions = WebSocketOptions()) throws -> ClientHandshake {
        ClientHandshake(
            url: try WebSocketURL("ws://example.org:7007/chat?x=1"), key: "dGhlIHNhbXBsZSBub25jZQ==",
            headers: options.headers, subprotocols: options.subprotocols, compression: options.compression)
    }

    @Test func request_hasWhatTheRFCAsksFor() throws {
        let options = WebSocketOptions(
            headers: ["X-Token": "1"], subprotocols: ["a", "b"], compression: WebSocketCompression())
        let text = String(decoding: try HandshakeTests.client(options).request, as: UTF8.self)
        #expect(
            text == """
                GET /chat?x=1 HTTP/1.1\r
                Host: example.org:7007\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Protocol: a, b\r
                Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r
                X-Token: 1\r
                \r

                """)
        let own = try HandshakeTests.client(WebSocketOptions(headers: ["host": "other.example"]))
        #expect(String(decoding: own.request, as: UTF8.self).hasPrefix("GET /chat?x=1 HTTP/1.1\r\nUpgrade"))
    }

    @Test func makeKey_isNewAndRight() {
        let keys = (0..<100).map { _ in ClientHandshake.makeKey() }
        #expect(Set(keys).count == 100)
        #expect(keys.allSatisfy { Base64.decodedCount($0) == 16 })
    }

    private static let answer = [
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]

    private static func agreement(
        _ lines: [String], _ options: WebSocketOptions = WebSocketOptions()
    ) -> Result<ClientHandshake.Agreement, HandshakeProblem> {
        Result { () throws(HandshakeProblem) in
            guard let handshake = try? client(options) else { throw HandshakeProblem("no handshake") }
            let head = try HTTPHead.parse(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))
            return try handshake.agreement(head)
        }
    }

    @Test func agreement_ofAGoodAnswer_isThat() throws {
        #expect(try HandshakeTests.agreement(HandshakeTests.answer).get() == ClientHandshake.Agreement())
        let more =
            HandshakeTests.answer + ["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: permessage-deflate"]
        let options = WebSocketOptions(subprotocols: ["a", "b"], compression: WebSocketCompression())
        let agreement = try HandshakeTests.agreement(more, options).get()
        #expect(agreement.subprotocol == "b")
        #expect(agreement.extensions == "permessage-deflate")
        #expect(agreement.compression == CompressionAgreement())
        // Letters of either case, and a list.
        let other = [
            "HTTP/1.1 101 ok", "upgrade: WebSocket", "connection: keep-alive, upgrade", HandshakeTests.answer[3],
            "Content-Length: 0",
        ]
        #expect(throws: Never.self) { try HandshakeTests.agreement(other).get() }
    }

    @Test(arguments: [
        ["HTTP/1.0 101 Switching Protocols", answer[1], answer[2], answer[3]],
        [answer[0], answer[2], answer[3]], [answer[0], "Upgrade: h2c", answer[2], answer[3]],
        [answer[0], answer[1], answer[3]], [answer[0], answer[1], "Connection: close", answer[3]],
        [answer[0], answer[1], answer[2]],
        [answer[0], answer[1], answer[2], "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO="],
        answer + ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
        answer + ["Sec-WebSocket-Protocol: chat"], answer + ["Sec-WebSocket-Extensions: permessage-deflate"],
        answer + ["Sec-WebSocket-Extensions: ;"], answer + ["Transfer-Encoding: chunked"],
        answer + ["Content-Length: 5"],
    ])
    func agreement_ofABadAnswer_isRefused(_ lines: [String]) {
        #expect(throws: HandshakeProblem.self) { try HandshakeTests.agreement(lines).get() }
    }

    @Test func agreement_ofTwoChoices_isRefused() {
        let options = WebSocketOptions(subprotocols: ["a", "b"], compression: WebSocketCompression())
        for line in [
            "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b", "Sec-WebSocket-Protocol: a, b",
            "Sec-WebSocket-Protocol: A", "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate",
        ] {
            #expect(throws: HandshakeProblem.self) {
                try HandshakeTests.agreement(HandshakeTests.answer + [line], options).get()
            }
        }
    }

    @Test(
        arguments: [
            ("HTTP/1.1 101 Switching Protocols", 101), ("HTTP/1.1 200", 200), ("HTTP/1.0 404 Not Found", 404),
            ("HTTP/2 101 x", nil), ("HTTP/1.1 1010 x", nil), ("HTTP/1.1 099 x", nil), ("HTTP/1.1  101 x", nil),
            ("SSH-2.0", nil),
            ("HTTP/1.1", nil), ("HTTP/1.1 abc", nil),
        ] as [(String, Int?)])
    func status_ofAFirstLine_isReadOrRefused(_ line: String, _ status: Int?) {
        let head = HTTPHead(startLine: line, headers: [:])
        #expect((try? ClientHandshake.status(of: head).code) == status)
    }

    // MARK: The server

    private static let request = [
        "GET /chat HTTP/1.1", "Host: example.org", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ]

    private static func key(_ lines: [String]) -> Result<String, HandshakeProblem> {
        Result { () throws(HandshakeProblem) in
            let head = try HTTPHead.parse(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))
            return try ServerHandshake.key(try ServerHandshake.requestLine(of: head), head.headers)
        }
    }

    private static func replaced(_ index: Int, _ line: String?) -> [String] {
        var lines = request
        if let line { lines[index] = line } else { lines.remove(at: index) }
        return lines
    }

    @Test func key_ofAGoodRequest_isThat() throws {
        #expect(try HandshakeTests.key(HandshakeTests.request).get() == "dGhlIHNhbXBsZSBub25jZQ==")
        let browser = HandshakeTests.replaced(3, "Connection: keep-alive, Upgrade")
        #expect(throws: Never.self) { try HandshakeTests.key(browser).get() }
    }

    @Test(
        arguments: [
            (0, "GET /chat HTTP/1.0", 505), (0, "GET /chat HTTP/2.0", 505), (0, "POST /chat HTTP/1.1", 405),
            (0, "GET  /chat HTTP/1.1", 400), (0, "GET http://example.org/chat HTTP/1.1", 400), (0, "GET /chat", 400),
            (0, "GET /a b HTTP/1.1", 400), (0, "GET /chat#x HTTP/1.1", 400), (0, "G(T /chat HTTP/1.1", 400),
            (1, nil, 400), (1, "Host: a, b", 400), (1, "Host: a b", 400), (3, nil, 400), (3, "Connection: close", 400),
            (4, nil, 400), (4, "Sec-WebSocket-Key: short", 400), (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", 400),
            (4, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZXM=", 400), (5, nil, 426),
            (5, "Sec-WebSocket-Version: 8", 426),
            (5, "Sec-WebSocket-Version: 13, 8", 426),
        ] as [(Int, String?, Int)])
    func key_ofABadRequest_isRefused(_ index: Int, _ line: String?, _ status: Int) {
        #expect(HandshakeTests.key(HandshakeTests.replaced(index, line)).status == status)
    }

    @Test(arguments: ["Transfer-Encoding: chunked", "Content-Length: 5", "Content-Length: 00", "Content-Length: x"])
    func requestLine_ofARequestWithABody_isRefused(_ line: String) {
        #expect(HandshakeTests.key(HandshakeTests.request + [line]).status == 413)
    }

    @Test func isUpgrade_looksForWebSocket() {
        #expect(ServerHandshake.isUpgrade(["Upgrade": "WebSocket"]))
        #expect(ServerHandshake.isUpgrade(["Upgrade": "h2c, websocket"]))
        #expect(!ServerHandshake.isUpgrade(["Upgrade": "websockets"]))
        #expect(!ServerHandshake.isUpgrade([:]))
    }

    @Test func subprotocols_areAListOfTokens() throws {
        #expect(try ServerHandshake.subprotocols(["Sec-WebSocket-Protocol": "a, b ,c"]) == ["a", "b", "c"])
        #expect(try ServerHandshake.subprotocols([:]) == [])
        #expect(throws: HandshakeProblem.self) { try ServerHandshake.subprotocols(["Sec-WebSocket-Protocol": "a b"]) }
        #expect(throws: HandshakeProblem.self) { try ServerHandshake.subprotocols(["Sec-WebSocket-Protocol": "a, a"]) }
    }

    @Test func answer_isWhatTheClientAsksFor() throws {
        let bytes = ServerHandshake.answer(
            key: "dGhlIHNhbXBsZSBub25jZQ==", subprotocol: "b", extensions: "permessage-deflate", headers: ["X": "y"])
        let options = WebSocketOptions(subprotocols: ["a", "b"], compression: WebSocketCompression())
        let head = try HTTPHead.parse(bytes)
        let agreement = try HandshakeTests.client(options).agreement(head)
        #expect(agreement.subprotocol == "b")
        #expect(agreement.compression != nil)
        #expect(head.headers["X"] == "y")
    }
}
