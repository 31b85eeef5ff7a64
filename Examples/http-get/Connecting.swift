import HarmonySocket
import HarmonyTLS

/// A connection to the server of a page: what follows is the same with TLS and without. `ca`: whom to trust, PEM; nil is whom the
/// system trusts.
func connect(to page: PageAddress, trusting ca: [String]?, timeout: Duration) async throws -> any StreamSocket {
    guard page.isSecure else {
        let tcp = TCPSocket()
        try await tcp.connect(to: page.address, timeout: timeout)
        return tcp
    }
    let tls = TLSSocket()
    try await tls.connect(
        TLSConnectOptions(
            address: page.address, secureOptions: TLSSecureOptions(ca: ca), alpnProtocols: ["http/1.1"],
            timeout: timeout))
    return tls
}
