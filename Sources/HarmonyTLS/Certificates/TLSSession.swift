internal import COpenSSL

/// A session that a later connection to the same server can resume, so that its handshake is shorter.
///
/// A value to keep as long as you like, also in a file: it has keys in it, so keep it as you keep those. With TLS 1.3 a
/// session is best used once; each connection brings new ones.
///
/// It is bound to the name that the server's certificate was checked for, and to how it was checked: a connect that asks for
/// another name, or checks more, makes a full handshake instead.
public struct TLSSession: Sendable, Hashable, Codable {
    /// OpenSSL's form of it.
    let bytes: [UInt8]
    /// What the server's certificate was checked for.
    let serverName: String
    /// Whether our own checks were made.
    let isValidated: Bool
    /// By whom the server's certificate had to be signed.
    let trust: [UInt8]
    /// The chain, which a resumed handshake does not bring.
    let certificates: [[UInt8]]
}

extension TLSSession {
    /// Whether a connection that asks for this name, and is checked so, may resume it.
    func isUsable(for serverName: String, _ context: TLSContext) -> Bool {
        guard serverName == self.serverName else { return false }
        return !context.isValidated || isValidated && trust == context.trust
    }

    /// As OpenSSL's object, for the caller to free; nil for bytes that are none.
    func restore() -> OpaquePointer? {
        bytes.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            let session = d2i_SSL_SESSION(nil, &start, bytes.count)
            if session == nil { ERR_clear_error() }
            return session
        }
    }
}

extension TLSSession: CustomStringConvertible {
    /// The server's name; never the keys.
    public var description: String { "a session with \(serverName)" }
}
