internal import COpenSSL
internal import HarmonySocket
internal import SocketCore

/// Whom a client means to talk to: what the peer's certificate has to be for.
struct TLSHost {
    /// The name, without a dot at its end, or the IP address, without a zone.
    let name: String
    private let isAddress: Bool

    /// The host of some options.
    init(_ options: TLSConnectOptions) throws(Failure) {
        let wanted = options.serverName ?? options.address.address
        var name = String(wanted.prefix { $0 != "%" })
        if name.hasSuffix(".") { name.removeLast() }
        isAddress = TLSHost.isAddress(name)
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }) else {
            let field = options.serverName == nil ? "address" : "serverName"
            throw .invalidArgument(
                .init(field, "\"\(wanted)\" is no name that certificates have; other scripts are written as xn--"))
        }
        self.name = name
    }

    static func isAddress(_ text: String) -> Bool { (try? SocketAddress(parsing: text, port: 0)) != nil }

    /// Makes a connection ask for the name, and accept only certificates for it. False for a name that cannot be.
    func require(of connection: OpaquePointer) -> Bool {
        guard let parameters = SSL_get0_param(connection) else { return false }
        // No certificate has an address as a name, and none is asked for by address (RFC 6066, section 3).
        if isAddress { return X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 }
        // Names are where they belong (RFC 9525): in the subject alternative name, with a whole label as wildcard.
        let flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(flags))
        return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1 && copenssl_set_server_name(connection, name) == 1
    }
}
