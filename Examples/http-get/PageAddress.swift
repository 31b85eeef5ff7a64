import HarmonySocket

/// A URL of HTTP, as far as asking for a page needs it (RFC 3986).
struct PageAddress {
    /// Where to connect to.
    let address: NetAddress
    /// Whether it is to be asked over TLS.
    let isSecure: Bool
    /// Host and port, as the server wants to hear them.
    let authority: String
    /// Path and query.
    let target: String

    /// Nil for what is no `http://` or `https://` address. Nothing but printing ASCII may be in it, so that nobody can put lines of
    /// their own into the request.
    init?(_ text: String) {
        let schemes = [("http://", false), ("https://", true)]
        guard let (scheme, isSecure) = schemes.first(where: { text.lowercased().hasPrefix($0.0) }),
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else {
            return nil
        }
        let rest = text.dropFirst(scheme.count).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest.dropFirst(authority.count)
        guard let address = PageAddress.address(of: authority, port: isSecure ? 443 : 80) else { return nil }
        self.address = address
        self.isSecure = isSecure
        self.authority = String(authority)
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
    }

    /// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
    private static func address(of authority: Substring, port preset: Int) -> NetAddress? {
        var host = authority
        var rest = authority[authority.endIndex...]
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[..<end].dropFirst()
            rest = authority[end...].dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            rest = authority[colon...]
        }
        guard !host.isEmpty, !host.contains("@"), rest.isEmpty || rest.hasPrefix(":") else { return nil }
        let digits = rest.dropFirst()
        guard digits.allSatisfy(\.isWholeNumber), let port = digits.isEmpty ? preset : Int(digits), 1...65_535 ~= port
        else {
            return nil
        }
        return NetAddress(String(host), port: port)
    }
}
