@testable import HarmonyWebSocket
@testable import SocketCore

extension Target {
    /// The heads of requests, as a server reads them, and of answers, as a client does.
    static let webSocketHandshake = Target(name: "websocket-handshake") { input in
        let isServer = input.flag()
        let compression = wishes(&input)
        let cuts = input.cuts()
        let head = receiveHead(input.bytes, .none)
        require(head == receiveHead(input.bytes, cuts), "where a head ends does not depend on the cuts")
        guard let head, let parsed = try? HTTPHead.parse(head) else { return }
        check(parsed)
        if isServer { serve(parsed, compression) } else { take(parsed, compression) }
    } seeds: {
        let request = """
            GET /chat?x=1 HTTP/1.1\r
            Host: example.org:7007\r
            Upgrade: websocket\r
            Connection: keep-alive, Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Protocol: a, b\r
            Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits="10", x; y=z\r
            Origin: http://example.org\r
            \r\n
            """
        let answer = """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
            Sec-WebSocket-Protocol: b\r
            Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9; server_no_context_takeover\r
            \r\n
            """
        let others = [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
        ]
        return ([request, answer] + others).flatMap { text in
            (0..<UInt8(4)).map { Input.make(Array(text.utf8), $0 & 1, $0 >> 1, 3, 1, 2, 1, 90) }
        }
    }
}

private let limit = 2048

private func wishes(_ input: inout Input) -> WebSocketCompression? {
    guard input.flag() else { return nil }
    let number = input.choice(below: 16)
    return WebSocketCompression(
        serverNoContextTakeover: number & 1 != 0, clientNoContextTakeover: number & 2 != 0,
        serverMaxWindowBits: number & 4 != 0 ? 10 : nil, clientMaxWindowBits: number & 8 != 0 ? 11 : nil)
}

/// What the engine takes for the head; nil when it is too long or does not end.
private func receiveHead(_ bytes: [UInt8], _ cuts: Cuts) -> [UInt8]? {
    var request = ReadRequest(.until(Array("\r\n\r\n".utf8), limit: limit))
    for range in cuts.ranges(of: bytes.count) {
        let (cut, isRefused) = bytes.withPiece(0..<range.upperBound) { piece -> (ReadRequest.Cut?, Bool) in
            do throws(Failure) {
                let span = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(piece))
                return (try request.cut(span, hasEnded: false, nil), false)
            } catch {
                return (nil, true)
            }
        }
        if isRefused { return nil }
        if let cut {
            require(cut.bytes.upperBound <= limit, "a head is within its limit")
            return Array(bytes[cut.bytes])
        }
    }
    return nil
}

/// What was read can be written, and is read as the same.
private func check(_ head: HTTPHead) {
    require(head.headers.count <= HTTPHead.maxFields, "there are not too many fields")
    require(HTTPHead.isFieldValue(head.startLine), "the first line is one line")
    var text = head.startLine + "\r\n"
    for field in head.headers {
        require(HTTPHead.isToken(field.name), "a name is a token")
        require(HTTPHead.isFieldValue(field.value), "a value is one line")
        text += "\(field.name): \(field.value)\r\n"
    }
    require((try? HTTPHead.parse(Array((text + "\r\n").utf8))) == head, "a head that is written again is the same")
}

private func serve(_ head: HTTPHead, _ wishes: WebSocketCompression?) {
    do throws(HandshakeProblem) {
        let line = try ServerHandshake.requestLine(of: head)
        require(line.target.hasPrefix("/"), "a target is a path")
        guard ServerHandshake.isUpgrade(head.headers) else { return }
        let offered = try ServerHandshake.subprotocols(head.headers)
        let key = try ServerHandshake.key(line, head.headers)
        let chosen = try ServerHandshake.compression(head.headers, wishes)
        require(chosen == nil || wishes != nil, "nothing is chosen that the server does not want")
        if let chosen { check(chosen.agreement) }
        let answer = ServerHandshake.answer(
            key: key, subprotocol: offered.first, extensions: chosen?.answer, headers: [:])
        // A client that offers a window of 8 bits has zlib's leave to be told so; ours never offers it.
        if chosen?.agreement.clientMaxWindowBits != 8 { checkAnswer(answer, key, offered) }
    } catch {
        require((400...599).contains(error.status), "a refusal has a status: \(error)")
    }
}

/// What the server answers, a client that has offered so much accepts.
private func checkAnswer(_ answer: [UInt8], _ key: String, _ offered: [String]) {
    guard let url = try? WebSocketURL("ws://example.org/") else { return }
    let client = ClientHandshake(
        url: url, key: key, headers: [:], subprotocols: offered, compression: WebSocketCompression())
    do throws(HandshakeProblem) {
        let head = try HTTPHead.parse(answer)
        require(try ClientHandshake.status(of: head).code == 101, "the answer opens the connection")
        let agreement = try client.agreement(head)
        require(agreement.subprotocol == offered.first ?? "", "the answer has the subprotocol")
        if let compression = agreement.compression { check(compression) }
    } catch {
        fatalError("broken promise: a client accepts the server's answer: \(error)")
    }
}

private func take(_ head: HTTPHead, _ wishes: WebSocketCompression?) {
    guard let url = try? WebSocketURL("ws://example.org/") else { return }
    let client = ClientHandshake(
        url: url, key: "dGhlIHNhbXBsZSBub25jZQ==", headers: [:], subprotocols: ["a", "b"], compression: wishes)
    guard let status = try? ClientHandshake.status(of: head) else { return }
    require((100...999).contains(status.code), "a status has three digits")
    guard let agreement = try? client.agreement(head) else { return }
    require(["", "a", "b"].contains(agreement.subprotocol), "a subprotocol was offered")
    require(agreement.compression == nil || wishes != nil, "compression was offered")
    guard let compression = agreement.compression, let wishes else { return }
    check(compression)
    require(compression.clientMaxWindowBits <= wishes.clientMaxWindowBits ?? 15, "our window is as large as we offered")
    require(!wishes.clientNoContextTakeover || compression.clientNoContextTakeover, "we forget as we have promised")
}

private func check(_ agreement: CompressionAgreement) {
    require((8...15).contains(agreement.serverMaxWindowBits), "the server's window is one of zlib's")
    require((8...15).contains(agreement.clientMaxWindowBits), "the client's window is one of zlib's")
}
