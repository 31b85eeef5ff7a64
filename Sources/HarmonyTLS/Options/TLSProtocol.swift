/// A version of TLS: OpenHarmony's `Protocol`, and the versions that chrome.socket names.
///
/// Only TLS 1.2 and 1.3 are spoken. The older ones are here so that asking for them is answered with a reason.
public enum TLSProtocol: String, Sendable, Hashable, Codable, CaseIterable {
    /// SSL 3.0 (RFC 6101), forbidden by RFC 7568.
    case ssl3 = "SSLv3"
    /// TLS 1.0 (RFC 2246), forbidden by RFC 8996.
    case tls10 = "TLSv1"
    /// TLS 1.1 (RFC 4346), forbidden by RFC 8996.
    case tls11 = "TLSv1.1"
    /// TLS 1.2 (RFC 5246).
    case tls12 = "TLSv1.2"
    /// TLS 1.3 (RFC 8446).
    case tls13 = "TLSv1.3"
}

extension TLSProtocol: Comparable {
    private var order: Int { TLSProtocol.allCases.firstIndex(of: self) ?? 0 }

    /// Older before newer.
    public static func < (left: TLSProtocol, right: TLSProtocol) -> Bool { left.order < right.order }
}

extension TLSProtocol: CustomStringConvertible {
    /// As OpenHarmony and OpenSSL write it: `TLSv1.3`.
    public var description: String { rawValue }
}

extension TLSProtocol {
    /// Why this version is not spoken; nil for one that is.
    var refusal: String? {
        switch self {
        case .ssl3: "\(self) is broken (POODLE) and forbidden (RFC 7568); use TLSv1.2 or TLSv1.3"
        case .tls10, .tls11: "\(self) has known weaknesses and is forbidden (RFC 8996); use TLSv1.2 or TLSv1.3"
        case .tls12, .tls13: nil
        }
    }

    /// On the wire, and to OpenSSL.
    var number: Int32 { 0x0300 + Int32(order) }
}
