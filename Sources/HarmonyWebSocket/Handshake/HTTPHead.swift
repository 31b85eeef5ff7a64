/// What is wrong with a handshake.
struct HandshakeProblem: Error, Sendable, Hashable {
    let problem: String
    /// The status that a server answers with.
    var status = 400
    /// The server did not want to: what it answered.
    var rejection: Rejection?

    /// An answer that is no 101.
    struct Rejection: Sendable, Hashable {
        let status: Int
        let reason: String
        let headers: WebSocketHeaders
    }

    init(_ problem: String, status: Int = 400) {
        self.problem = problem
        self.status = status
    }
}

/// The head of an HTTP/1.1 message: its first line and its header fields, read strictly (RFC 9112).
///
/// Whatever two programs could read differently is refused: lines that end with a bare LF, folded lines, space before the
/// colon, control characters, a header that counts once given twice.
struct HTTPHead: Sendable, Hashable {
    let startLine: String
    let headers: WebSocketHeaders

    /// How many header fields there may be.
    static let maxFields = 100

    /// Reads a head, which ends with an empty line.
    static func parse(_ bytes: [UInt8]) throws(HandshakeProblem) -> HTTPHead {
        var lines = try lines(of: bytes)[...]
        guard let first = lines.popFirst(), !first.isEmpty else { throw HandshakeProblem("there is no first line") }
        if lines.count > maxFields { throw HandshakeProblem("more than \(maxFields) header fields", status: 431) }
        var headers = WebSocketHeaders(capacity: lines.count)
        for line in lines {
            let (name, value) = try field(line)
            if isSingle(name), headers[name] != nil {
                throw HandshakeProblem("the header field \(name) is given twice")
            }
            headers.append(name, value)
        }
        return HTTPHead(startLine: String(decoding: first, as: UTF8.self), headers: headers)
    }

    /// The lines without their ends, and without the empty one at the end.
    private static func lines(of bytes: [UInt8]) throws(HandshakeProblem) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x0D:
                guard index + 1 < bytes.count, bytes[index + 1] == 0x0A else {
                    throw HandshakeProblem("a CR without LF in the header")
                }
                let line = bytes[start..<index]
                start = index + 2
                index += 2
                if line.isEmpty {
                    guard start == bytes.count else {
                        throw HandshakeProblem("the head does not end where it seemed to")
                    }
                    return lines
                }
                lines.append(line)
            case 0x0A: throw HandshakeProblem("a line of the header ends with LF alone")
            case 0x00...0x08, 0x0B...0x1F, 0x7F: throw HandshakeProblem("a control character in the header")
            default: index += 1
            }
        }
        throw HandshakeProblem("the header has no end")
    }

    private static func field(_ line: ArraySlice<UInt8>) throws(HandshakeProblem) -> (name: String, value: String) {
        if line.first == 0x20 || line.first == 0x09 { throw HandshakeProblem("a folded header line") }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw HandshakeProblem("a header line without a colon")
        }
        let name = line[..<colon]
        guard !name.isEmpty, name.allSatisfy(isToken) else {
            throw HandshakeProblem("the name of a header field is no token")
        }
        var value = line[(colon + 1)...]
        value = value.drop { $0 == 0x20 || $0 == 0x09 }
        while value.last == 0x20 || value.last == 0x09 { value.removeLast() }
        // Bytes above ASCII are allowed and have no meaning: those that are not UTF-8 are replaced.
        return (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    /// Whether a field may be there only once: two of them are read differently by different programs.
    private static func isSingle(_ name: String) -> Bool {
        switch name.lowercased() {
        case "host", "upgrade", "content-length", "transfer-encoding", "origin", "sec-websocket-key",
            "sec-websocket-version", "sec-websocket-accept":
            true
        default: false
        }
    }

    /// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Whether a text is a token.
    static func isToken(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isToken) }

    /// Whether a text can stand as the value of a field without becoming something else.
    static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
