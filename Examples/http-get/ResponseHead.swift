import HarmonySocket

/// What a server says before the page: a status line and fields (RFC 9112).
struct ResponseHead {
    /// 200 is fine, 404 is not found.
    let status: Int
    private let lines: [String]

    /// Reads it, up to the empty line and no further.
    init(from socket: any StreamSocket, timeout: Duration) async throws {
        guard let bytes = try await socket.receive(until: "\r\n\r\n", timeout: timeout) else {
            throw BadResponse("the server ended without an answer")
        }
        lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), 100...999 ~= status else {
            throw BadResponse("what the server answers is not HTTP/1")
        }
        self.status = status
    }

    /// The head as text that does a terminal no harm.
    var printable: String {
        lines.map { line in
            String(String.UnicodeScalarView(line.unicodeScalars.filter { $0.properties.generalCategory != .control }))
                + "\n"
        }.joined()
    }

    /// How the end of the page is told.
    var bodyLength: ResponseBody.Length {
        get throws {
            if status == 204 || status == 304 { return .bytes(0) }
            let encodings = values(of: "transfer-encoding")
            if let encoding = encodings.first {
                guard encodings.count == 1, encoding.lowercased() == "chunked" else {
                    throw BadResponse("the transfer encoding is one that is not known here")
                }
                return .chunked
            }
            let lengths = values(of: "content-length")
            guard let length = lengths.first else { return .untilEnd }
            guard lengths.count == 1, length.allSatisfy(\.isWholeNumber), let count = Int(length) else {
                throw BadResponse("the content length is not a number")
            }
            return .bytes(count)
        }
    }

    private func values(of name: String) -> [Substring] {
        lines.dropFirst().compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].lowercased() == name else { return nil }
            return trimmed(parts[1])
        }
    }
}

/// An answer that cannot be understood.
struct BadResponse: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The text without the spaces and tabs around it.
func trimmed(_ text: Substring) -> Substring {
    let start = text.drop { $0 == " " || $0 == "\t" }
    guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start }
    return start[...last]
}
