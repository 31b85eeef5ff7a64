/// Why a WebSocket was closed (RFC 6455, section 7.4), with Pepper's names.
///
/// ```swift
/// let code = WebSocketCloseCode(rawValue: 4001)
/// print(code.canBeSent, WebSocketCloseCode.normalClosure)  // true 1000 (normal closure)
/// ```
public struct WebSocketCloseCode: RawRepresentable, Sendable, Hashable, Codable {
    /// The number on the wire.
    public let rawValue: Int

    /// Any number; whether it may be sent is told by `canBeSent`.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// 1000: the purpose of the connection is fulfilled.
    public static let normalClosure = WebSocketCloseCode(rawValue: 1000)
    /// 1001: a server goes down, or a page was left.
    public static let goingAway = WebSocketCloseCode(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = WebSocketCloseCode(rawValue: 1002)
    /// 1003: data of a kind that cannot be accepted.
    public static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    /// 1005: the close frame had no code. Only reported.
    public static let noStatusReceived = WebSocketCloseCode(rawValue: 1005)
    /// 1005, as Pepper calls it when the program gives no code.
    public static let notSpecified = noStatusReceived
    /// 1006: the connection ended without a close frame. Only reported.
    public static let abnormalClosure = WebSocketCloseCode(rawValue: 1006)
    /// 1007: the data did not fit its type, such as text that is not UTF-8.
    public static let invalidFramePayloadData = WebSocketCloseCode(rawValue: 1007)
    /// 1008: a message broke a rule of the program.
    public static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    /// 1009: a message is too big.
    public static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    /// 1010: the server did not agree to an extension that the client needs.
    public static let mandatoryExtension = WebSocketCloseCode(rawValue: 1010)
    /// 1011: something unexpected happened at the server.
    public static let internalServerError = WebSocketCloseCode(rawValue: 1011)
    /// 1012: the server restarts.
    public static let serviceRestart = WebSocketCloseCode(rawValue: 1012)
    /// 1013: the server is overloaded; try again later.
    public static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)
    /// 1014: a gateway got a bad answer from the server behind it.
    public static let badGateway = WebSocketCloseCode(rawValue: 1014)
    /// 1015: the TLS handshake failed. Only reported.
    public static let tlsHandshake = WebSocketCloseCode(rawValue: 1015)

    /// 3000 to 3999: for libraries and frameworks, registered with IANA.
    public static let userRegistered = 3000...3999
    /// 4000 to 4999: for agreements between programs.
    public static let userPrivate = 4000...4999

    /// Whether a close frame may carry it: false for those that are only reported, and for numbers without a meaning.
    public var canBeSent: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

extension WebSocketCloseCode: CustomStringConvertible {
    /// `1000 (normal closure)`; only the number where there is no name.
    public var description: String { name.map { "\(rawValue) (\($0))" } ?? "\(rawValue)" }

    private var name: String? {
        switch self {
        case .normalClosure: "normal closure"
        case .goingAway: "going away"
        case .protocolError: "protocol error"
        case .unsupportedData: "unsupported data"
        case .noStatusReceived: "no status received"
        case .abnormalClosure: "abnormal closure"
        case .invalidFramePayloadData: "invalid frame payload data"
        case .policyViolation: "policy violation"
        case .messageTooBig: "message too big"
        case .mandatoryExtension: "mandatory extension"
        case .internalServerError: "internal server error"
        case .serviceRestart: "service restart"
        case .tryAgainLater: "try again later"
        case .badGateway: "bad gateway"
        case .tlsHandshake: "TLS handshake"
        default: nil
        }
    }
}
