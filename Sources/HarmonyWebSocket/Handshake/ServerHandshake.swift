/// The server's side of the opening handshake (RFC 6455, section 4.2): what a request is, and the answer to it.
enum ServerHandshake {
    /// The first line of a request.
    struct RequestLine: Sendable, Hashable {
        let method: String
        let target: String
    }

    /// Reads the first line, and refuses what is not a plain HTTP/1.1 request without a body.
    static func requestLine(of head: HTTPHead) throws(HandshakeProblem) -> RequestLine {
        let parts = head.startLine.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, HTTPHead.isToken(String(parts[0])) else {
            throw HandshakeProblem("the first line is no request")
        }
        guard parts[2] == "HTTP/1.1" else {
            throw HandshakeProblem("the request is not HTTP/1.1", status: parts[2].hasPrefix("HTTP/") ? 505 : 400)
        }
        guard parts[1].hasPrefix("/"), parts[1].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !parts[1].contains("#")
        else {
            throw HandshakeProblem("the target of the request is no path")
        }
        guard let host = head.headers["Host"] else { throw HandshakeProblem("the request has no Host") }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "/") })
        else {
            throw HandshakeProblem("the Host of the request is none")
        }
        // Whoever announces a body and a handshake may mean two requests where we see one.
        if head.headers["Transfer-Encoding"] != nil || head.headers["Content-Length"].map({ $0 != "0" }) ?? false {
            throw HandshakeProblem("the request has a body", status: 413)
        }
        return RequestLine(method: String(parts[0]), target: String(parts[1]))
    }

    /// Whether a request wants to become a WebSocket.
    static func isUpgrade(_ headers: WebSocketHeaders) -> Bool {
        headers.list("Upgrade").contains { $0.isSameName(as: "websocket") }
    }

    /// Checks the rest of a handshake, and returns its key.
    static func key(_ line: RequestLine, _ headers: WebSocketHeaders) throws(HandshakeProblem) -> String {
        guard line.method == "GET" else { throw HandshakeProblem("a handshake has the method GET", status: 405) }
        guard headers.list("Connection").contains(where: { $0.isSameName(as: "upgrade") }) else {
            throw HandshakeProblem("the Connection header does not say Upgrade")
        }
        guard headers["Sec-WebSocket-Version"] == "13" else {
            throw HandshakeProblem("the only version is 13", status: 426)
        }
        guard let key = headers["Sec-WebSocket-Key"] else { throw HandshakeProblem("there is no Sec-WebSocket-Key") }
        guard Base64.decodedCount(key) == 16 else {
            throw HandshakeProblem("Sec-WebSocket-Key is not 16 bytes in base64")
        }
        return key
    }

    /// The subprotocols that a client offers, the best first.
    static func subprotocols(_ headers: WebSocketHeaders) throws(HandshakeProblem) -> [String] {
        let offered = headers.list("Sec-WebSocket-Protocol").map(String.init)
        guard offered.allSatisfy(HTTPHead.isToken), Set(offered).count == offered.count else {
            throw HandshakeProblem("Sec-WebSocket-Protocol makes no sense")
        }
        return offered
    }

    /// The compression that client and server agree on, with the answer's text; nil for none.
    static func compression(
        _ headers: WebSocketHeaders, _ wishes: WebSocketCompression?
    ) throws(HandshakeProblem) -> (agreement: CompressionAgreement, answer: String)? {
        let text = headers.values("Sec-WebSocket-Extensions").joined(separator: ", ")
        guard let offers = ExtensionParameters.parse(text) else {
            throw HandshakeProblem("Sec-WebSocket-Extensions makes no sense")
        }
        return wishes.flatMap { CompressionAgreement.choose(from: offers, $0) }
    }

    /// The answer that opens the connection.
    static func answer(
        key: String, subprotocol: String?, extensions: String?, headers: WebSocketHeaders
    ) -> [UInt8] {
        var text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Accept: \(ClientHandshake.accept(for: key))\r\n"
        if let subprotocol { text += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
        if let extensions { text += "Sec-WebSocket-Extensions: \(extensions)\r\n" }
        for field in headers { text += "\(field.name): \(field.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }
}
