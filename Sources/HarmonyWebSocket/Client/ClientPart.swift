internal import HarmonySocket
internal import SocketCore

/// What a WebSocket has as a client: where it connects to, and how it comes back. Touched on the loop only.
final class ClientPart: @unchecked Sendable {
    // Sendable: see above.
    let url: WebSocketURL
    let options: WebSocketOptions
    private let resolver: any SocketResolver
    /// A stream that the program has given; it connects once.
    private var given: (any StreamSocket)?
    private var reconnecting: ReconnectMachine?
    // What is under way.
    private var establishing: (any StreamSocket)?
    private var task: Task<Void, Never>?
    private var isAborted = false

    init(
        _ url: WebSocketURL, _ options: WebSocketOptions, over given: (any StreamSocket)?, resolver: any SocketResolver
    ) {
        self.url = url
        self.options = options
        self.given = given
        self.resolver = resolver
        // A stream of the program's cannot be made again.
        reconnecting = given == nil ? options.reconnect.map(ReconnectMachine.init) : nil
    }

    /// Makes the connection, with the handshake.
    func establish(_ driver: WebSocketDriver) async throws(WebSocketError) {
        let deadline = Instant.after(options.connectTimeout)
        defer { establishing = nil }
        let stream = try await stream(driver)
        do throws(WebSocketError) {
            let (head, agreement, status) = try await shakeHands(stream, deadline)
            if isAborted { throw WebSocketError(.closed) }
            reconnecting?.succeeded()
            let info = WebSocketOpenInfo(
                status: status.code, message: status.reason, protocol: agreement.subprotocol,
                extensions: agreement.extensions, headers: head.headers)
            driver.opened(info, Link(stream, terms(agreement)))
        } catch {
            stream.stream.driver.end(.reset)
            throw isAborted ? WebSocketError(.closed) : error
        }
    }

    private func stream(_ driver: WebSocketDriver) async throws(WebSocketError) -> any StreamSocket {
        if let given = given.take() {
            establishing = given
            return given
        }
        guard let group = driver.group else { throw WebSocketError(.notConnected) }
        do throws(WebSocketError) {
            let transport = Transport(
                url: url, options: options, group: group, loop: driver.loop, resolver: resolver)
            return try await transport.connect { establishing = $0 }
        } catch {
            throw isAborted ? WebSocketError(.closed) : error
        }
    }

    private func shakeHands(
        _ stream: any StreamSocket, _ deadline: Instant
    ) async throws(WebSocketError) -> (HTTPHead, ClientHandshake.Agreement, (code: Int, reason: String)) {
        let handshake = ClientHandshake(
            url: url, key: ClientHandshake.makeKey(), headers: options.headers, subprotocols: options.subprotocols,
            compression: options.compression)
        let bytes: [UInt8]?
        do throws(SocketError) {
            try await stream.send(handshake.request, timeout: deadline.remaining)
            bytes = try await stream.receive(
                until: "\r\n\r\n", maxLength: options.limits.maxHeaderSize, timeout: deadline.remaining)
        } catch {
            switch error.kind {
            case .incomplete: throw WebSocketError(.handshake("the server closed the connection within its answer"))
            case .messageTooLong:
                throw WebSocketError(
                    .handshake("the header of the answer has more than \(options.limits.maxHeaderSize) bytes"))
            default: throw WebSocketError(.socket(error))
            }
        }
        guard let bytes else { throw WebSocketError(.handshake("the server closed the connection without an answer")) }
        do throws(HandshakeProblem) {
            let head = try HTTPHead.parse(bytes)
            let status = try ClientHandshake.status(of: head)
            guard status.code == 101 else { throw HandshakeProblem(rejected: status, head.headers) }
            return (head, try handshake.agreement(head), status)
        } catch {
            throw error.error
        }
    }

    private func terms(_ agreement: ClientHandshake.Agreement) -> Link.Terms {
        Link.Terms(
            isServer: false, limits: options.limits, closeTimeout: options.closeTimeout,
            pingInterval: options.pingInterval, pongTimeout: options.pongTimeout, compression: options.compression,
            agreement: agreement.compression)
    }

    // MARK: Coming back

    /// Makes a lost connection again, if that is wanted. Returns whether it will.
    func reconnect(after info: WebSocketCloseInfo, _ driver: WebSocketDriver) -> Bool {
        guard !isAborted, reconnecting?.wants(after: info) == true else { return false }
        return wait(info.error, driver)
    }

    private func wait(_ error: WebSocketError?, _ driver: WebSocketDriver) -> Bool {
        guard let delay = reconnecting?.failed(random: .random(in: 0...1)) else { return false }
        let attempt = reconnecting?.attempts ?? 1
        driver.willReconnect(WebSocketReconnectInfo(attempt: attempt, delay: delay, error: error))
        task = Task(executorPreference: SocketEventLoop.face(of: driver.loop)) { [self, driver] in
            await driver.loop.sleep(until: .after(delay))
            await comeBack(driver)
        }
        return true
    }

    @concurrent
    private func comeBack(_ driver: WebSocketDriver) async {
        do throws(WebSocketError) {
            if isAborted { throw WebSocketError(.closed) }
            try await establish(driver)
        } catch {
            driver.service {
                if isAborted || !wait(error, driver) { driver.failedToConnect(error) }
            }
        }
    }

    /// The program has closed the WebSocket while there was no connection.
    func abort() {
        isAborted = true
        establishing?.stream.driver.end(.reset)
        task?.cancel()
    }

    /// The WebSocket has ended.
    func end() { task = nil }
}

extension HandshakeProblem {
    /// Which answer a server gave instead of 101.
    fileprivate init(rejected status: (code: Int, reason: String), _ headers: WebSocketHeaders) {
        self.init("")
        rejection = Rejection(status: status.code, reason: status.reason, headers: headers)
    }

    fileprivate var error: WebSocketError {
        if let rejection { return WebSocketError(.rejected(rejection.status, rejection.reason, rejection.headers)) }
        return WebSocketError(.handshake(problem))
    }
}

extension Instant {
    /// How long it is until then; nil for never.
    var remaining: Duration? { self == .never ? nil : max(.zero, duration(since: .now)) }
}
