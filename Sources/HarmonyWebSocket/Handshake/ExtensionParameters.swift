/// One extension in a `Sec-WebSocket-Extensions` header (RFC 6455, section 9.1), with its parameters.
struct ExtensionParameters: Sendable {
    let name: String
    let parameters: [(name: String, value: String?)]

    /// The value of a parameter: nil when it is not there, an empty one when it has none.
    subscript(name: String) -> String? { parameters.first { $0.name == name }.map { $0.value ?? "" } }

    /// Reads a header's value; nil when it does not follow the grammar. A quoted value counts as what is in the quotes,
    /// which has to be a token too.
    static func parse(_ text: String) -> [ExtensionParameters]? {
        var scanner = HeaderScanner(text)
        var extensions: [ExtensionParameters] = []
        repeat {
            scanner.skipSpace()
            // An empty element of a list is passed over (RFC 9110, section 5.6.1.2).
            if scanner.isAtEnd || scanner.isAt(",") { continue }
            guard let name = scanner.token() else { return nil }
            var parameters: [(name: String, value: String?)] = []
            scanner.skipSpace()
            while scanner.take(";") {
                scanner.skipSpace()
                guard let name = scanner.token() else { return nil }
                scanner.skipSpace()
                var value: String?
                if scanner.take("=") {
                    scanner.skipSpace()
                    value = scanner.isAt("\"") ? scanner.quotedToken() : scanner.token()
                    if value == nil { return nil }
                }
                parameters.append((name.lowercased(), value))
                scanner.skipSpace()
            }
            extensions.append(ExtensionParameters(name: name.lowercased(), parameters: parameters))
        } while scanner.take(",")
        return scanner.isAtEnd ? extensions : nil
    }
}

/// Walks through the value of a header.
struct HeaderScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    func isAt(_ character: Unicode.Scalar) -> Bool { rest.first == UInt8(ascii: character) }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard isAt(character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func skipSpace() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 } }

    /// The token that is next; nil when none is.
    mutating func token() -> String? {
        let end = rest.firstIndex { !HTTPHead.isToken($0) } ?? rest.endIndex
        guard end > rest.startIndex else { return nil }
        defer { rest = rest[end...] }
        return String(rest[..<end])
    }

    /// The token in the quotes that are next; nil when there is none.
    mutating func quotedToken() -> String? {
        guard take("\"") else { return nil }
        var bytes: [UInt8] = []
        while var byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = rest.popFirst() else { return nil }
                byte = escaped
            }
            guard HTTPHead.isToken(byte) else { return nil }
            bytes.append(byte)
        }
        return nil
    }
}
