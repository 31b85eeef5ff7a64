import ExampleSupport
import HarmonySocket
import HarmonyTLS

// The words before the handshake. Each side waits for the other's line, so the bytes behind it are all of TLS; and if some of
// them have been read with the line, they are not lost.
private let offer = Array("starttls-chat 1\n".utf8)
private let wish = Array("STARTTLS\n".utf8)
private let patience = Duration.seconds(10)

struct BadGreeting: Error, CustomStringConvertible {
    var description: String { "whoever is there does not speak as this program does" }
}

/// Waits for somebody, and makes the connection secure as its server.
func wait(at address: NetAddress) async throws -> any SecureSocket {
    guard let identity = TLSIdentity.makeSelfSigned(for: ["localhost"]),
        let pin = TLSCertificate(pem: identity.cert.joined())?.pin
    else { fail("cannot make a key") }
    let server = TCPSocketServer()
    try await server.listen(address)
    note("the pin is \(pin)\n")
    say("listening on \(try await server.getLocalAddress())")
    let plain = try await server.accept()
    await server.close()
    try await plain.send(offer)
    guard try await plain.receive(until: "\n", timeout: patience) == wish else { throw BadGreeting() }
    let secure = TLSSecureOptions(cert: identity.cert, key: identity.key, minVersion: .tls13)
    return try await plain.secureAsServer(TLSConnectOptions(address: address, secureOptions: secure, timeout: patience))
}

/// Calls somebody who has this key, and makes the connection secure as its client.
func call(_ address: NetAddress, _ pin: TLSPin) async throws -> any SecureSocket {
    let plain = TCPSocket()
    try await plain.connect(to: address)
    guard try await plain.receive(until: "\n", timeout: patience) == offer else { throw BadGreeting() }
    try await plain.send(wish)
    // Nobody has signed the key of a talk: the pin alone says whose it is.
    return try await plain.secure(
        TLSConnectOptions(
            address: address, secureOptions: TLSSecureOptions(minVersion: .tls13, pins: [pin]),
            skipRemoteValidation: true, timeout: patience))
}

/// Passes on what is typed, and prints what the other one says, until one of them ends.
func talk(over socket: any SecureSocket) async throws {
    note("secure: \(try await socket.getProtocol()) with \(try await socket.getCipherSuite().joined())\n")
    let typing = Task {
        for await chunk in StandardInput() { try await socket.send(chunk) }
        try await socket.finish()
    }
    for try await line in socket.lines() {
        let plain = line.unicodeScalars.filter { $0.properties.generalCategory != .control }
        say(String(String.UnicodeScalarView(plain)))
    }
    if !inputIsTerminal { try await typing.value }
    await socket.close()
}
