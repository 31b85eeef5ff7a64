public import HarmonySocket

/// How a server serves, with the fields of OpenHarmony's WebSocketServerConfig.
///
/// ```swift
/// var config = WebSocketServerConfig(serverIP: "127.0.0.1", serverPort: 7007)
/// config.subprotocols = ["chat"]
/// config.authorize = { request in
///     request.path == "/chat" ? .accept() : .reject(WebSocketResponse(status: 404))
/// }
/// config.respond = { request in
///     WebSocketResponse(status: 200, headers: ["Content-Type": "text/html"], body: "<h1>hello</h1>")
/// }
/// ```
public struct WebSocketServerConfig: Sendable {
    /// The address to listen on, an IP literal; all of IPv4 unless said otherwise.
    public var serverIP: String
    /// The port to listen on; 0 lets the system choose, and `localAddress` of the server tells.
    public var serverPort: Int
    /// How many connections a client, an IP address, may have at a time; nil, the default, is any number. Further ones are
    /// answered with the status 503.
    public var maxConnectionsForOneClient: Int?
    /// How many connections there may be in all; nil, the default, is any number. Further clients wait in the backlog.
    public var maxConcurrentClientsNumber: Int?
    /// The subprotocols that the server speaks, the best first: the first that a client offers too is chosen.
    public var subprotocols: [String]
    /// The pages that may connect, as their `Origin` says, such as `https://example.org`; nil, the default, is every page.
    /// Clients that are no browsers send none, and may always connect.
    public var allowedOrigins: Set<String>?
    /// How messages are compressed, if the client offers it; nil, the default, is not at all.
    public var compression: WebSocketCompression?
    /// How much a client may make us keep.
    public var limits: WebSocketLimits
    /// How long a client may take to say what it wants; 10 s by default.
    public var handshakeTimeout: Duration
    /// How long a peer may be silent before it is pinged; nil, the default, is never. Above zero.
    public var pingInterval: Duration?
    /// How long a peer may take to answer a ping; 30 s by default. Above zero. Whatever it sends is an answer.
    public var pongTimeout: Duration
    /// How long a close frame may take to be answered; 5 s by default.
    public var closeTimeout: Duration
    /// How many bytes may wait for a client before `broadcast` passes it over; 16 MiB by default.
    public var broadcastLimit: Int
    /// Says whether a client may connect, by its path, header or address, after the checks above; nil accepts everybody.
    public var authorize: (@Sendable (WebSocketRequest) async -> WebSocketAnswer)?
    /// Answers requests that do not want to become a WebSocket, so that a page and its socket come from one port; nil
    /// answers 426.
    public var respond: (@Sendable (WebSocketRequest) async -> WebSocketResponse)?

    /// A server on a port; what is not given has its default.
    public init(
        serverIP: String = "0.0.0.0", serverPort: Int, maxConnectionsForOneClient: Int? = nil,
        maxConcurrentClientsNumber: Int? = nil, subprotocols: [String] = [], allowedOrigins: Set<String>? = nil,
        compression: WebSocketCompression? = nil, limits: WebSocketLimits = WebSocketLimits(),
        handshakeTimeout: Duration = .seconds(10), pingInterval: Duration? = nil, pongTimeout: Duration = .seconds(30),
        closeTimeout: Duration = .seconds(5), broadcastLimit: Int = 16 << 20,
        authorize: (@Sendable (WebSocketRequest) async -> WebSocketAnswer)? = nil,
        respond: (@Sendable (WebSocketRequest) async -> WebSocketResponse)? = nil
    ) {
        self.serverIP = serverIP
        self.serverPort = serverPort
        self.maxConnectionsForOneClient = maxConnectionsForOneClient
        self.maxConcurrentClientsNumber = maxConcurrentClientsNumber
        self.subprotocols = subprotocols
        self.allowedOrigins = allowedOrigins
        self.compression = compression
        self.limits = limits
        self.handshakeTimeout = handshakeTimeout
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        self.closeTimeout = closeTimeout
        self.broadcastLimit = broadcastLimit
        self.authorize = authorize
        self.respond = respond
    }

    /// Throws what cannot be.
    func check() throws(WebSocketError) {
        for (field, number) in [
            ("maxConnectionsForOneClient", maxConnectionsForOneClient),
            ("maxConcurrentClientsNumber", maxConcurrentClientsNumber), ("broadcastLimit", broadcastLimit),
        ] {
            if let number, number < 0 { throw WebSocketError(.invalidArgument(field, "\(number) is negative")) }
        }
        if handshakeTimeout <= .zero {
            throw WebSocketError(.invalidArgument("handshakeTimeout", "it is not above zero"))
        }
        try WebSocketOptions.check(subprotocols: subprotocols)
        try WebSocketOptions.check(
            limits: limits, compression, pingInterval: pingInterval, pongTimeout: pongTimeout,
            closeTimeout: closeTimeout)
    }
}

/// What a client asked a server for.
public struct WebSocketRequest: Sendable, Hashable {
    /// The method; `GET` of one that wants a WebSocket.
    public let method: String
    /// Path and query, as they came.
    public let target: String
    /// The header fields.
    public let headers: WebSocketHeaders
    /// The subprotocols that the client offers, the best first.
    public let subprotocols: [String]
    /// The client's IP address and port; nil of a local socket.
    public let remoteAddress: NetAddress?

    /// The part of the target before the question mark, as it came.
    public var path: String { String(target.prefix { $0 != "?" }) }
    /// The part behind the question mark; nil without one.
    public var query: String? {
        target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) }
    }
    /// The page that asks, of a browser.
    public var origin: String? { headers["Origin"] }
}

/// What a server says to a client that wants a WebSocket.
public struct WebSocketAnswer: Sendable, Hashable {
    enum Choice: Sendable, Hashable {
        case accept(subprotocol: String?, headers: WebSocketHeaders)
        case reject(WebSocketResponse)
    }

    let choice: Choice

    /// The client may connect. A `subprotocol` that it has offered replaces the server's choice; `headers` are added to the
    /// answer.
    public static func accept(subprotocol: String? = nil, headers: WebSocketHeaders = [:]) -> WebSocketAnswer {
        WebSocketAnswer(choice: .accept(subprotocol: subprotocol, headers: headers))
    }

    /// The client may not connect, and is told why.
    public static func reject(_ response: WebSocketResponse) -> WebSocketAnswer {
        WebSocketAnswer(choice: .reject(response))
    }
}

/// A plain HTTP answer. The connection closes behind it.
public struct WebSocketResponse: Sendable, Hashable {
    /// 200, 404 and so on: 200...599.
    public var status: Int
    /// Header fields, beside `Content-Length` and `Connection`.
    public var headers: WebSocketHeaders
    /// What follows the header.
    public var body: [UInt8]

    /// An answer with bytes, or without any.
    public init(status: Int, headers: WebSocketHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer with text, as UTF-8.
    public init(status: Int, headers: WebSocketHeaders = [:], body: String) {
        self.init(status: status, headers: headers, body: Array(body.utf8))
    }

    /// The bytes of the answer; fields that cannot be sent are left out. `isHead`: without the body.
    func encoded(isHead: Bool = false) -> [UInt8] {
        let status = (200...599).contains(status) ? status : 500
        var text = "HTTP/1.1 \(status) \(WebSocketResponse.reason(status))\r\n"
        for field in headers
        where HTTPHead.isToken(field.name) && HTTPHead.isFieldValue(field.value)
            && !["Content-Length", "Transfer-Encoding", "Connection"].contains(where: { $0.isSameName(as: field.name) })
        {
            text += "\(field.name): \(field.value)\r\n"
        }
        text += "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        return Array(text.utf8) + (isHead ? [] : body)
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 426: "Upgrade Required"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
