import COpenSSL

@testable import HarmonySocket
@testable import HarmonyTLS
@testable import HarmonyWebSocket
@testable import SocketCore

extension Target {
    /// Certificates, as a peer shows them, and sessions, as they are read from where they were kept.
    static let certificates = Target(name: "certificates") { input in
        if input.flag() {
            guard let session = TLSSession(data: input.bytes) else { return }
            require(session.data == input.bytes, "a session is written as it was read")
            _ = session.restore().map { SSL_SESSION_free($0) }
        } else {
            guard let certificate = TLSCertificate(der: input.bytes) else { return }
            require(TLSCertificate(der: certificate.der) == certificate, "a certificate is read again as itself")
            require(TLSCertificate(pem: certificate.pem) == certificate, "and as text")
            require(
                certificate.names.allSatisfy { $0.utf8.allSatisfy { (0x21..<0x7f).contains($0) } },
                "names can be shown: \(certificate.names)")
        }
    } seeds: {
        let texts = [Identities.authority, Identities.serverCertificate, Identities.clientCertificate]
        let certificates = texts.compactMap { TLSCertificate(pem: $0)?.der }
        return certificates.map { Input.make($0, 0) } + recordSessions().map { Input.make($0, 1) }
    }

    /// Texts that stand for something else: addresses, URLs, encodings.
    static let texts = Target(name: "texts") { input in
        switch input.choice(below: 4) {
        case 0: checkAddress(String(decoding: input.bytes, as: UTF8.self))
        case 1: checkURL(String(decoding: input.bytes, as: UTF8.self))
        case 2: checkBase64(input.bytes)
        default: checkEncodings(input.bytes)
        }
    } seeds: {
        let addresses = [
            "127.0.0.1", "255.255.255.255", "::1", "2001:db8::1:2", "::ffff:192.0.2.1", "fe80::1%lo", "localhost",
            "example.org.", "xn--a_b-c.example", "1.2.3", "::%",
        ]
        let urls = [
            "ws://example.org", "wss://[fe80::1%25lo]:8443/a/b?c=d{}", "http://a:1?x", "https://[::1]/", "ws://a@b/",
        ]
        let digits = [
            "AAAA", "AAA=", "AA==", "aGVsbG8gd29ybGQ=", "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ]
        let encoded: [[UInt8]] = [
            Array("gr\u{FC}\u{DF}e \u{1F389}".utf8), [0xfe, 0xff, 0, 0x61, 0xd8, 0x3c, 0xdf, 0x89],
            [0xff, 0xfe, 0x61, 0],
        ]
        return addresses.map { Input.make(Array($0.utf8), 0) } + urls.map { Input.make(Array($0.utf8), 1) }
            + digits.map { Input.make(Array($0.utf8), 2) } + encoded.map { Input.make($0, 3) }
    }
}

private func checkAddress(_ text: String) {
    _ = try? NetAddress(text, port: 80).literal()
    _ = try? NetAddress(text, port: 80).target()
    guard let address = try? SocketAddress(parsing: text, port: 7) else { return }
    require((try? SocketAddress(parsing: address.host, port: 7)) == address, "an address is read again as itself")
}

private func checkURL(_ text: String) {
    guard let url = try? WebSocketURL(text) else { return }
    require((1...65_535).contains(url.port), "a URL has a port")
    require(url.target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "a target goes into one line: \(url.target)")
    require(HTTPHead.isFieldValue(url.authority), "an authority goes into one line")
    // A zone is written in another way than it is kept.
    if url.host.contains("%") { return }
    let scheme = url.isSecure ? "wss" : "ws"
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    guard let again = try? WebSocketURL("\(scheme)://\(host):\(url.port)\(url.target)") else {
        // Percent signs made it too long.
        return require(text.utf8.count > WebSocketURL.maxLength / 4, "a URL is read again: \(url)")
    }
    require(again == url, "a URL is read again as itself: \(url), \(again)")
}

private func checkBase64(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let pin = TLSPin(text) { require(TLSPin(pin.description) == pin, "a pin is read again as itself") }
    let encoded = HarmonyTLS.Base64.encode(bytes)
    require(HarmonyTLS.Base64.decode(encoded.utf8) == bytes, "what is encoded is decoded")
    require(HarmonyWebSocket.Base64.encode(bytes) == encoded, "both encode the same")
    require(HarmonyWebSocket.Base64.decodedCount(encoded) == bytes.count, "a text stands for so many bytes")
    if let count = HarmonyWebSocket.Base64.decodedCount(text) {
        let decoded = HarmonyTLS.Base64.decode(text.utf8)
        require(decoded?.count == count, "both decode the same")
        require(decoded.map(HarmonyTLS.Base64.encode) == text, "a text counts in its one form only")
    }
    _ = TLSCertificate(pem: text)
}

private func checkEncodings(_ bytes: [UInt8]) {
    for encoding in SocketEncoding.allCases {
        guard let text = encoding.decode(bytes) else { continue }
        guard let encoded = encoding.encode(text) else { fatalError("broken promise: what is decoded is encoded") }
        // A mark is written, and not delivered.
        if encoding != .utf16 { require(encoded == bytes, "\(encoding): what is decoded is encoded as the same") }
        require(encoding.decode(encoded) == text, "\(encoding): what is encoded is decoded")
    }
}
