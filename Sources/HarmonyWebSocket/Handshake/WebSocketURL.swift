internal import HarmonySocket

/// Where a WebSocket connects to (RFC 6455, section 3).
struct WebSocketURL: Sendable, Hashable {
    let isSecure: Bool
    /// The host, without the brackets of an IPv6 address.
    let host: String
    let port: Int
    /// Path and query, as they stand in the request.
    let target: String

    /// How long a URL may be, as OpenHarmony has it.
    static let maxLength = 8196

    /// Reads a URL; throws what is wrong with it.
    init(_ text: String) throws(HandshakeProblem) {
        guard text.utf8.count <= WebSocketURL.maxLength else {
            throw HandshakeProblem("it is longer than \(WebSocketURL.maxLength) bytes")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw HandshakeProblem("it has a space or a control character")
        }
        guard let colon = text.range(of: "://") else { throw HandshakeProblem("it has no scheme, as ws://") }
        switch text[..<colon.lowerBound].lowercased() {
        case "ws", "http": isSecure = false
        case "wss", "https": isSecure = true
        case let scheme: throw HandshakeProblem("the scheme \(scheme) is neither ws nor wss")
        }
        let rest = text[colon.upperBound...]
        guard !rest.contains("#") else { throw HandshakeProblem("it has a fragment (#)") }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else {
            throw HandshakeProblem("it has a user name; send an Authorization header instead")
        }
        let (host, digits) = try WebSocketURL.split(authority)
        self.host = host
        if let digits, !digits.isEmpty {
            guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(digits),
                (1...65_535).contains(port)
            else { throw HandshakeProblem("\(digits) is no port") }
            self.port = port
        } else {
            port = isSecure ? 443 : 80
        }
        let target = rest[end...]
        self.target = (target.hasPrefix("/") ? "" : "/") + WebSocketURL.escaped(target)
    }

    /// Host and port as they stand in the `Host` header: without the port that the scheme implies.
    var authority: String {
        let name = host.contains(":") ? "[\(host.prefix { $0 != "%" })]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The address to connect to.
    var address: NetAddress { NetAddress(host, port: port) }

    private static func split(
        _ authority: Substring
    ) throws(HandshakeProblem) -> (host: String, port: Substring?) {
        let host: Substring
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw HandshakeProblem("a [ without a ]") }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let behind = authority[authority.index(after: close)...]
            guard behind.isEmpty || behind.hasPrefix(":") else {
                throw HandshakeProblem("\(behind) behind the address")
            }
            if !behind.isEmpty { port = behind.dropFirst() }
            guard host.contains(":") else { throw HandshakeProblem("\(host) is no IPv6 address") }
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts[0]
            if parts.count > 1 { port = parts[1] }
        }
        guard !host.isEmpty else { throw HandshakeProblem("it has no host") }
        // A zone is written %25eth0 in a URL (RFC 6874).
        return (String(host).replacing("%25", with: "%"), port)
    }

    /// Characters beyond ASCII, and those that no URL has, as percent signs and numbers.
    private static func escaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x80..., UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"),
                UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
                let digits = Array("0123456789ABCDEF".utf8)
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension StringProtocol {
    fileprivate func range(of pattern: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(pattern) { return start..<index(start, offsetBy: pattern.count) }
            start = index(after: start)
        }
        return nil
    }
}

extension String {
    fileprivate func replacing(_ pattern: String, with replacement: String) -> String {
        guard let range = range(of: pattern) else { return self }
        return self[..<range.lowerBound] + replacement + self[range.upperBound...]
    }
}
