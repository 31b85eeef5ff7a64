internal import COpenSSL

/// A session that a later connection to the same server can resume, so that its handshake is shorter.
///
/// A value to keep as long as you like, as `data` also in a file: it has keys in it, so keep it as you keep those. With TLS
/// 1.3 a session is best used once; each connection brings new ones.
///
/// ```swift
/// func connectAgain(_ first: TLSSocket, _ options: TLSConnectOptions) async throws -> TLSSocket {
///     var options = options
///     options.session = first.session
///     let second = TLSSocket()
///     try await second.connect(options)
///     print(second.isResumed)
///     return second
/// }
/// ```
///
/// It is bound to the name that the server's certificate was checked for, and to how it was checked: a connect that asks for
/// another name, or checks more, makes a full handshake instead.
public struct TLSSession: Sendable, Hashable {
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
            if session == nil { OpenSSLError.clear() }
            return session
        }
    }
}

// MARK: As bytes

extension TLSSession {
    /// The session as bytes, to be stored.
    public var data: [UInt8] {
        var data: [UInt8] = [TLSSession.format, isValidated ? 1 : 0]
        for field in [Array(serverName.utf8), trust, bytes] + certificates {
            data += withUnsafeBytes(of: UInt32(clamping: field.count).bigEndian) { Array($0) } + field
        }
        return data
    }

    /// Reads what `data` was; nil for anything else.
    public init?(data: [UInt8]) {
        guard data.count > 2, data[0] == TLSSession.format, data[1] <= 1 else { return nil }
        var fields: [[UInt8]] = []
        var rest = data[2...]
        while !rest.isEmpty {
            guard rest.count >= 4 else { return nil }
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard count <= rest.count else { return nil }
            fields.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        guard fields.count >= 3, let name = String(validating: fields[0], as: UTF8.self) else { return nil }
        isValidated = data[1] == 1
        serverName = name
        trust = fields[1]
        bytes = fields[2]
        certificates = Array(fields[3...])
    }

    /// The first byte of `data`.
    private static let format: UInt8 = 1
}

extension TLSSession: CustomStringConvertible {
    /// The server's name; never the keys.
    public var description: String { "a session with \(serverName)" }
}
