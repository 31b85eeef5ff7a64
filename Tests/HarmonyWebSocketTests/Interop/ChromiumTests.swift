import HarmonySocket
import HarmonyTLS
import HarmonyWebSocket
import Testing

/// A real browser: pages from our server, and their WebSockets.
@Suite(
    .serialized, .bounded, .browser, .enabled(if: Browser.isInstalled, "Chromium is not installed"),
    .disabled(
        if: ProcessFacts.isThreadSanitized || ProcessFacts.isAddressSanitized, "takes a browser long, and finds no more"
    ))
struct ChromiumTests {
    /// A server of a page whose WebSockets it echoes, or ends as their path says.
    private final class Site: Sendable {
        let server = WebSocketServer()
        let connections = EventRecorder<WebSocketConnection>()
        let closes = EventRecorder<WebSocketCloseInfo>()
        let pongs = EventRecorder<[UInt8]>()
        let url: String

        init(isSecure: Bool = false, isCompressing: Bool = false) async throws {
            let below: any StreamServer
            let address: NetAddress
            if isSecure {
                let tls = TLSSocketServer()
                try await tls.listen(
                    TLSConnectOptions(
                        address: NetAddress("127.0.0.1"), secureOptions: Certificates.shared.serverOptions))
                address = try await tls.getLocalAddress()
                below = tls
            } else {
                let tcp = TCPSocketServer()
                try await tcp.listen(NetAddress("127.0.0.1"))
                address = try await tcp.getLocalAddress()
                below = tcp
            }
            url = "\(isSecure ? "https" : "http")://\(address)/"
            var config = WebSocketServerConfig(serverPort: 0, subprotocols: ["v2", "v1"])
            config.allowedOrigins = [String(url.dropLast())]
            config.limits.maxMessageSize = 1 << 20
            if isCompressing { config.compression = WebSocketCompression(threshold: 0) }
            config.authorize = { $0.path == "/forbidden" ? .reject(WebSocketResponse(status: 403)) : .accept() }
            config.respond = { _ in
                WebSocketResponse(status: 200, headers: ["Content-Type": "text/html"], body: Site.page)
            }
            server.on(.connect) { [connections, closes, pongs] client in
                client.on(.close) { closes.record($0) }
                client.on(.pong) { pongs.record($0) }
                connections.record(client)
                switch client.request.path {
                case "/close":
                    let options = WebSocketCloseOptions(
                        code: WebSocketCloseCode(rawValue: 4002), reason: "genug, für heute")
                    client.close(options) { _ in }
                case "/reset": client.reset()
                default: client.on(.message) { [weak client] in client?.send($0) { _ in } }
                }
            }
            try await start(on: below, config)
        }

        private func start<Server: StreamServer>(on below: Server, _ config: WebSocketServerConfig) async throws {
            try await server.start(on: below, config)
        }

        private static let page = """
            <!doctype html><meta charset=utf-8><link rel=icon href="data:,"><title>a page</title>
            <script>
            function connect(path) {
                const socket = new WebSocket(location.origin.replace('http', 'ws') + path, ['v3', 'v1', 'v2'])
                socket.binaryType = 'arraybuffer'
                socket.ended = new Promise(done => { socket.onclose = done })
                socket.opened = new Promise((done, fail) => { socket.onopen = done; socket.onerror = fail })
                socket.opened.catch(() => {})
                return socket
            }
            const describe = ({ code, reason, wasClean }) => `${code} ${reason} ${wasClean}`
            async function end(path, act = () => {}) {
                const socket = connect(path)
                socket.onopen = () => act(socket)
                return describe(await socket.ended)
            }
            async function exchange() {
                const socket = connect('/')
                const next = () => new Promise(done => { socket.onmessage = event => done(event.data) })
                const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index])
                await socket.opened
                for (const size of [0, 1, 125, 126, 65535, 65536, 300000]) {
                    const text = 'xä'.repeat(size / 2)
                    socket.send(text)
                    if (await next() !== text) return 'not the text of ' + size
                    const bytes = new Uint8Array(size).map((_, index) => index * 31)
                    for (const form of [bytes, bytes.buffer, new Blob([bytes])]) {
                        socket.send(form)
                        if (!same(new Uint8Array(await next()), bytes)) return 'not the bytes of ' + size
                    }
                }
                socket.close(4001, 'done')
                return `${socket.protocol} ${socket.extensions} ${describe(await socket.ended)}`
            }
            </script>
            """
    }

    @Test(arguments: [false, true], [false, true])
    func page_exchangesMessagesWithItsServer(isSecure: Bool, isCompressing: Bool) async throws {
        let browser = try #require(Browser.current)
        let site = try await Site(isSecure: isSecure, isCompressing: isCompressing)
        try await browser.open(site.url)
        let pinged = Task {
            let connection = try await site.connections.wait(count: 1)[0]
            try await connection.ping([1, 2, 3])
        }
        let said = try await browser.evaluate("exchange()")
        #expect(said == "v2 \(isCompressing ? "permessage-deflate" : "") 4001  true")
        try await pinged.value
        #expect(try await site.pongs.wait(count: 1) == [[1, 2, 3]])
        let info = try await site.closes.wait(count: 1)[0]
        #expect(info.wasClean && info.code.rawValue == 4001 && info.reason == "done")
        let connection = try #require(site.connections.events.first)
        #expect(connection.extensions.hasPrefix("permessage-deflate") == isCompressing)
        #expect(connection.request.origin == String(site.url.dropLast()))
        await site.server.stop()
    }

    @Test func closeCodes_reachThePage() async throws {
        let browser = try #require(Browser.current)
        let site = try await Site()
        try await browser.open(site.url)
        #expect(try await browser.evaluate("end('/close')") == "4002 genug, für heute true")
        #expect(try await browser.evaluate("end('/reset')") == "1006  false")
        #expect(try await browser.evaluate("end('/forbidden')") == "1006  false")
        #expect(
            try await browser.evaluate("end('/', socket => socket.send('x'.repeat(1048577)))")
                == "1009 a message of more than 1048576 bytes true")
        #expect(try await browser.evaluate("end('/', socket => socket.close())") == "1005  true")
        let count = site.connections.count
        async let last = browser.evaluate("end('/')")
        try await site.connections.wait(count: count + 1)
        await site.server.stop()
        #expect(try await last == "1001  true")
    }

    @Test func page_ofSomebodyElse_mayNotConnect() async throws {
        let browser = try #require(Browser.current)
        let (site, other) = (try await Site(), try await Site())
        try await browser.open(other.url)
        let host = String(site.url.dropFirst("http://".count))
        let script = "new Promise(done => new WebSocket('ws://\(host)').onclose = event => done(describe(event)))"
        #expect(try await browser.evaluate(script) == "1006  false")
        #expect(site.connections.count == 0)
        await site.server.stop()
        await other.server.stop()
    }
}
