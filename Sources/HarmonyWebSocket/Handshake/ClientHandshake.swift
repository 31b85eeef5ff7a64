internal import SocketCore

/// The client's side of the opening handshake (RFC 6455, section 4.1): the request, and what an answer to it means.
struct ClientHandshake: Sendable {
    let url: WebSocketURL
    /// 16 random bytes, in base64.
    let key: String
    let headers: WebSocketHeaders
    let subprotocols: [String]
    let compression: WebSocketCompression?

    /// What both sides have agreed on.
    struct Agreement: Sendable, Hashable {
        var subprotocol = ""
        /// The value of the server's `Sec-WebSocket-Extensions`.
        var extensions = ""
        var compression: CompressionAgreement?
    }

    /// The end of every key, as the RFC has it.
    private static let suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// What the server makes of a key, to show that it speaks WebSocket.
    static func accept(for key: String) -> String { Base64.encode(SHA1.digest(Array((key + suffix).utf8))) }

    /// A key that nobody has used before.
    static func makeKey() -> String {
        Base64.encode((0..<4).flatMap { _ in withUnsafeBytes(of: RandomCalls.next()) { [UInt8]($0) } })
    }

    /// The request.
    var request: [UInt8] {
        var text = "GET \(url.target) HTTP/1.1\r\n"
        if headers["Host"] == nil { text += "Host: \(url.authority)\r\n" }
        text += "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n"
        if !subprotocols.isEmpty { text += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n" }
        if let compression { text += "Sec-WebSocket-Extensions: \(CompressionAgreement.offer(compression))\r\n" }
        for field in headers { text += "\(field.name): \(field.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// The fields that the handshake writes itself, and a program may not give.
    static let ownFields = [
        "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding",
    ]

    /// The status of an answer, 100...999, with its words.
    static func status(of head: HTTPHead) throws(HandshakeProblem) -> (code: Int, reason: String) {
        let parts = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0" else {
            throw HandshakeProblem("the answer is not HTTP/1.1")
        }
        guard parts[1].utf8.count == 3, parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let code = Int(parts[1]), code >= 100
        else { throw HandshakeProblem("the answer has no status") }
        return (code, parts.count > 2 ? String(parts[2]) : "")
    }

    /// What an answer with status 101 has agreed to.
    func agreement(_ head: HTTPHead) throws(HandshakeProblem) -> Agreement {
        guard head.startLine.hasPrefix("HTTP/1.1 ") else { throw HandshakeProblem("the answer is not HTTP/1.1") }
        guard let upgrade = head.headers["Upgrade"], upgrade.isSameName(as: "websocket") else {
            throw HandshakeProblem("the answer does not upgrade to websocket")
        }
        guard head.headers.list("Connection").contains(where: { $0.isSameName(as: "upgrade") }) else {
            throw HandshakeProblem("the answer's Connection header does not say upgrade")
        }
        guard head.headers["Sec-WebSocket-Accept"] == ClientHandshake.accept(for: key) else {
            throw HandshakeProblem("the answer's Sec-WebSocket-Accept does not belong to our key")
        }
        // A switch of protocols has no body: one that announces it is of two minds about where messages begin.
        if head.headers["Transfer-Encoding"] != nil || head.headers["Content-Length"].map({ $0 != "0" }) ?? false {
            throw HandshakeProblem("the answer announces a body")
        }
        var agreement = Agreement()
        let chosen = head.headers.values("Sec-WebSocket-Protocol")
        if let subprotocol = chosen.first {
            guard chosen.count == 1, subprotocols.contains(subprotocol) else {
                throw HandshakeProblem("the server chose a subprotocol that was not offered: \(subprotocol)")
            }
            agreement.subprotocol = subprotocol
        }
        let extensions = head.headers.values("Sec-WebSocket-Extensions").joined(separator: ", ")
        guard let answers = ExtensionParameters.parse(extensions) else {
            throw HandshakeProblem("the answer's Sec-WebSocket-Extensions makes no sense")
        }
        agreement.extensions = extensions
        guard answers.count <= 1 else { throw HandshakeProblem("the server chose an extension twice") }
        if let answer = answers.first {
            guard let compression else {
                throw HandshakeProblem("the server chose an extension that was not offered: \(answer.name)")
            }
            agreement.compression = try CompressionAgreement.accepted(answer, offered: compression)
        }
        return agreement
    }
}
