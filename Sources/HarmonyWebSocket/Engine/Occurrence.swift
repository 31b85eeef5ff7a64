/// Something that happened to a WebSocket, before the faces have given it its public type.
enum Occurrence: Sendable {
    case open(WebSocketOpenInfo)
    case headerReceive(WebSocketHeaders)
    case message(WebSocketData)
    case dataEnd
    case ping([UInt8])
    case pong([UInt8])
    case drain
    case reconnecting(WebSocketReconnectInfo)
    case error(WebSocketError)
    /// The last one.
    case close(WebSocketCloseInfo)

    /// The names of events.
    enum Kind: UInt16, Sendable {
        case open, headerReceive, message, dataEnd, ping, pong, drain, reconnecting, error, close
    }

    var kind: Kind {
        switch self {
        case .open: .open
        case .headerReceive: .headerReceive
        case .message: .message
        case .dataEnd: .dataEnd
        case .ping: .ping
        case .pong: .pong
        case .drain: .drain
        case .reconnecting: .reconnecting
        case .error: .error
        case .close: .close
        }
    }
}
