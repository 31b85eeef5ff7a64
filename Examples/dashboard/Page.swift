import HarmonySocket
import HarmonyWebSocket
import Synchronization

/// The page and its WebSocket, on one port: pictures of the ledger for as many browsers as there are.
final class Page: Sendable {
    private let server: WebSocketServer
    private let below: TCPSocketServer
    private let ledger: Ledger
    private let interval: Duration
    private let isShowing = Mutex(false)

    init(of ledger: Ledger, every interval: Duration, group: SocketEventLoopGroup) {
        self.ledger = ledger
        self.interval = interval
        below = TCPSocketServer(group: group)
        server = WebSocketServer(group: group)
        ledger.addGroup("this page", of: below)
    }

    /// Listens, and returns where.
    func start(_ address: NetAddress) async throws -> NetAddress {
        var config = WebSocketServerConfig(serverPort: 0)
        config.compression = WebSocketCompression()
        config.limits.maxMessageSize = 1024
        config.pingInterval = .seconds(15)
        // A browser that does not keep up is passed over: it misses pictures, and costs no more than this.
        config.broadcastLimit = 256 << 10
        config.authorize = { request in
            // A page of somebody else's, open in the same browser, is not to see our sockets.
            let isOwn = request.origin == nil || request.origin == "http://\(request.headers["Host"] ?? "")"
            return request.path == "/live" && isOwn ? .accept() : .reject(WebSocketResponse(status: 403))
        }
        config.respond = { [ledger] request in
            switch request.path {
            case "/": Page.html
            case "/state":
                WebSocketResponse(
                    status: 200, headers: ["Content-Type": "application/json", "Cache-Control": "no-store"],
                    body: ledger.picture().text + "\n")
            default: WebSocketResponse(status: 404)
            }
        }
        server.on(.connect) { [self] client in
            // It has nothing to say; but what nobody takes would keep the answers to pings waiting.
            client.on(.message) { _ in }
            client.send(.text(ledger.picture().text)) { _ in }
            Task(executorPreference: server.eventLoop) { await self.show() }
        }
        try await below.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
        try await below.listen(address)
        try await server.start(on: below, config)
        below.on(.connect) { [ledger] connection in ledger.add(connection) }
        return try await below.getLocalAddress()
    }

    /// Closes the port, and says goodbye to the browsers, who come back when there is somebody again.
    func stop() async { await server.stop() }

    /// Sends pictures while somebody looks. When nobody does, nothing runs.
    private func show() async {
        let isFirst = isShowing.withLock { isShowing in
            defer { isShowing = true }
            return !isShowing
        }
        guard isFirst else { return }
        defer { isShowing.withLock { $0 = false } }
        while (try? await server.eventLoop.sleep(for: interval)) != nil, !server.listAllConnections().isEmpty {
            server.broadcast(.text(ledger.picture().text))
        }
    }

    private static let html = WebSocketResponse(
        status: 200,
        headers: [
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-cache",
            // All that the page needs is in it, and nothing else gets in.
            "Content-Security-Policy":
                "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
                + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
        ],
        body: PackageResources.page_html)
}
