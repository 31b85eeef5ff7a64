public import HarmonySocket
internal import SocketCore

/// A WebSocket client (RFC 6455), in the style of OpenHarmony, with Pepper's state.
///
/// Three styles on one object:
///
/// ```swift
/// webSocket.on(.message) { print($0.text ?? "") }              // listeners
/// try await webSocket.connect("ws://127.0.0.1:7007/chat")      // async
/// webSocket.send("hello") { result in print(result) }          // completion handlers
/// await webSocket.close()
/// ```
///
/// A WebSocket connects once, unless its options have a reconnect policy: then it makes a lost connection again by itself.
/// After close every call fails with `.closed`, and a new object is made.
public final class WebSocket: WebSocketEndpoint {
    /// The engine's part. Of no use outside of the library.
    public let webSocket: WebSocketHandle
    private let resolver: any SocketResolver
    // Of a WebSocket over a stream that the program has given.
    private let given: (any StreamSocket)?

    /// Makes a WebSocket without a connection, on a loop of `group`. `resolver` is asked for the addresses of the host
    /// that it connects to.
    public init(group: SocketEventLoopGroup = .shared, resolver: any SocketResolver = SystemResolver()) {
        self.resolver = resolver
        given = nil
        webSocket = WebSocketHandle(
            driver: WebSocketDriver(isServer: false, loop: group.core.next(), group: group))
    }

    /// A WebSocket over a stream that is connected already, of any kind, such as a `LocalSocket`. The stream is the
    /// WebSocket's from here on: nobody else uses it.
    ///
    /// ```swift
    /// let local = LocalSocket()
    /// try await local.connect(to: "/run/editor.socket")
    /// let editor = WebSocket(over: local)
    /// try await editor.connect("ws://localhost/events")
    /// ```
    public init(over stream: any StreamSocket) {
        resolver = SystemResolver()
        given = stream
        webSocket = WebSocketHandle(
            driver: WebSocketDriver(isServer: false, loop: stream.stream.driver.loop, group: nil))
    }

    deinit { driver.handleReleased() }

    /// Connects, and returns when the handshake is done.
    ///
    /// The URL has the scheme `ws`, or `wss` for a connection over TLS, which the options' `secureOptions` describe. A URL of at most 8196 bytes, without user name and fragment; characters beyond ASCII
    /// in its path are escaped.
    ///
    /// ```swift
    /// try await webSocket.connect("ws://127.0.0.1:7007/chat", WebSocketOptions(subprotocols: ["chat"]))
    /// ```
    ///
    /// - Throws: `.invalidURL`; `.invalidArgument` for options that cannot be; `.alreadyConnected` when it was
    ///   called before; `.socket` with what connecting the stream or the TLS handshake said, such as `.certificateRejected`
    ///   in `socketError`; `.rejected` when the server answers with another status than 101; `.handshakeFailed` for an answer that
    ///   makes no sense; `.timedOut`; `.cancelled`; `.closed` when the WebSocket is closed meanwhile, or was before. A
    ///   connect that fails closes the WebSocket, unless it was for its URL or options, or `.alreadyConnected`; certificates
    ///   and keys that cannot be read do so too, with `.invalidArgument`.
    ///
    /// ## Events
    /// `headerReceive` and `open`, before this call returns; `close` when it fails, with the code 1015 if TLS did.
    ///
    /// ## Cancellation
    /// A cancelled connect closes the connection, and the WebSocket, at once.
    public func connect(
        _ url: String, _ options: WebSocketOptions = WebSocketOptions()
    ) async throws(WebSocketError) {
        let part = try prepare(url, options)
        try await driver.onLoop { [driver] () async throws(WebSocketError) in try await driver.connect(part, url) }
    }

    /// Connects; as the async form.
    public func connect(
        _ url: String, _ options: WebSocketOptions = WebSocketOptions(),
        completion: @escaping @Sendable (Result<Void, WebSocketError>) -> Void
    ) {
        do throws(WebSocketError) {
            let part = try prepare(url, options)
            Task(executorPreference: eventLoop) { [driver] in
                do throws(WebSocketError) {
                    try await driver.onLoop { () async throws(WebSocketError) in try await driver.connect(part, url) }
                    driver.complete { completion(.success(())) }
                } catch {
                    driver.complete { completion(.failure(error)) }
                }
            }
        } catch {
            driver.complete { completion(.failure(error)) }
        }
    }

    private func prepare(_ url: String, _ options: WebSocketOptions) throws(WebSocketError) -> ClientPart {
        try options.check()
        let parsed: WebSocketURL
        do throws(HandshakeProblem) {
            parsed = try WebSocketURL(url)
        } catch {
            throw WebSocketError(.invalidURL(url, error.problem))
        }
        return ClientPart(parsed, options, over: given, resolver: resolver)
    }
}

/// OpenHarmony's name for `WebSocket()`.
public func createWebSocket() -> WebSocket { WebSocket() }
