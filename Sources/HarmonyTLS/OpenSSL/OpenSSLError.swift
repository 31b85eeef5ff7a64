internal import COpenSSL
internal import SocketCore

/// What OpenSSL says about a call that failed: the thread's queue of errors, read and left empty.
struct OpenSSLError {
    /// The first that was queued: the cause of the others. Zero when there was none.
    let code: UInt

    /// Takes the queue.
    static func take() -> OpenSSLError {
        let code = ERR_get_error()
        ERR_clear_error()
        return OpenSSLError(code: UInt(code))
    }

    /// Empties the queue, so that nothing in it is taken for the next call's. It nearly always is empty, and to look is a
    /// tenth of the work.
    static func clear() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// The number of the reason, within its library.
    var reasonNumber: Int32 { Int32(truncatingIfNeeded: code & 0x7f_ffff) }

    /// Of which part of OpenSSL it is.
    private var library: UInt { (code >> 23) & 0xff }

    var isOfTLS: Bool { code != 0 && code & 0x8000_0000 == 0 && library == UInt(ERR_LIB_SSL) }

    /// OpenSSL's words.
    var reason: String {
        guard code != 0 else { return "unknown reason" }
        guard let text = ERR_reason_error_string(CUnsignedLong(code)) else { return "error \(String(code, radix: 16))" }
        return String(cString: text)
    }

    /// The alert that the peer sent, as its words; nil when it is no alert of the peer.
    var alert: String? {
        let number = reasonNumber - SSL_AD_REASON_OFFSET
        guard isOfTLS, (0..<256).contains(number), let text = SSL_alert_desc_string_long(number) else { return nil }
        return String(cString: text)
    }

    /// Why a handshake, or a record, failed: for people.
    var explanation: String {
        if let alert { return "the peer refused: \(alert)" }
        guard isOfTLS else { return reason }
        switch reasonNumber {
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return "\(reason): the peer speaks HTTP without TLS"
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNKNOWN_PROTOCOL, SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_RECORD_LENGTH_MISMATCH, SSL_R_BAD_RECORD_TYPE:
            return "\(reason): what the peer sent is no TLS"
        default: return reason
        }
    }
}
