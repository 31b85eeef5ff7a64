internal import HarmonySocket
internal import SocketCore

// From an accepted stream to a WebSocket, or to a plain answer. Runs on the stream's loop.
extension ServerHost {
    /// Runs `open` in a task of its own: what that has on its stack is not kept for as long as the caller's task lives.
    ///
    /// A task keeps the memory of its deepest call. So this one is shallow, and not generic.
    func aside(
        on loop: SocketEventLoop, _ open: @escaping @Sendable () async -> WebSocketConnection?
    ) async -> WebSocketConnection? {
        let task = Task(executorPreference: loop, operation: open)
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// The handshake; nil when there is no WebSocket to be had, and the stream is closed.
    func open<Stream: StreamServerConnection>(_ stream: Stream) async -> WebSocketConnection? {
        guard let config = state.withLock({ $0.config }) else {
            stream.stream.driver.end(.reset)
            return nil
        }
        let host = stream.stream.driver.peer.host
        guard admit(host) else {
            await refuse(stream, WebSocketResponse(status: 503), config)
            return nil
        }
        do throws(HandshakeProblem) {
            if let connection = try await shakeHands(stream, config) {
                // Without the connection: a weak reference would slow down all that holds it.
                let key = ObjectIdentifier(connection.driver)
                let listener = connection.on(.close) { [self] info in
                    dismiss(host)
                    guard let connection = remove(key) else { return }
                    tell(.close(WebSocketConnectionEnd(clientConnection: connection, info: info)))
                }
                if add(connection, listener) { return connection }
                await connection.driver.close(ClosingMachine.Frame(code: .goingAway))
                return nil
            }
        } catch {
            if error.problem != ServerHost.isGone {
                tell(.error(WebSocketError(.handshake(error.problem))))
                var response = WebSocketResponse(status: error.status, body: error.problem + "\n")
                if error.status == 426 { response.headers = ["Upgrade": "websocket", "Sec-WebSocket-Version": "13"] }
                if error.status == 405 { response.headers = ["Allow": "GET"] }
                await refuse(stream, response, config)
            }
        }
        dismiss(host)
        return nil
    }

    /// A client that left without a word is nothing that anybody needs to hear of.
    private static let isGone = "the client has gone"

    private func shakeHands<Stream: StreamServerConnection>(
        _ stream: Stream, _ config: WebSocketServerConfig
    ) async throws(HandshakeProblem) -> WebSocketConnection? {
        let head = try HTTPHead.parse(try await readHead(stream, config))
        let line = try ServerHandshake.requestLine(of: head)
        let peer = stream.stream.driver.peer
        let remote = peer.family == nil ? nil : NetAddress(peer.host, port: Int(peer.port))
        let isUpgrade = ServerHandshake.isUpgrade(head.headers)
        let request = WebSocketRequest(
            method: line.method, target: line.target, headers: head.headers,
            subprotocols: isUpgrade ? try ServerHandshake.subprotocols(head.headers) : [], remoteAddress: remote)
        guard isUpgrade else {
            try await answerPlainly(stream, request, config)
            return nil
        }
        let key = try ServerHandshake.key(line, head.headers)
        let compression = try ServerHandshake.compression(head.headers, config.compression)
        if let allowed = config.allowedOrigins, let origin = request.origin, !allowed.contains(origin) {
            throw HandshakeProblem("the origin \(origin) is not allowed", status: 403)
        }
        var subprotocol = config.subprotocols.first { request.subprotocols.contains($0) }
        var headers = WebSocketHeaders()
        switch await config.authorize?(request).choice ?? .accept(subprotocol: nil, headers: [:]) {
        case .reject(let response):
            await refuse(stream, response, config)
            return nil
        case .accept(let chosen, let added):
            headers = added
            if let chosen {
                guard request.subprotocols.contains(chosen) else {
                    throw HandshakeProblem("the subprotocol \(chosen) was not offered", status: 500)
                }
                subprotocol = chosen
            }
        }
        for field in headers {
            do throws(WebSocketError) { try WebSocketOptions.check(field) } catch {
                throw HandshakeProblem("an answer with header fields that cannot be sent", status: 500)
            }
        }
        let answer = ServerHandshake.answer(
            key: key, subprotocol: subprotocol, extensions: compression?.answer, headers: headers)
        guard await send(answer, to: stream, config) else { throw HandshakeProblem(ServerHost.isGone) }
        let driver = WebSocketDriver(isServer: true, loop: stream.stream.driver.loop, group: nil)
        let info = WebSocketOpenInfo(
            status: 101, message: "Switching Protocols", protocol: subprotocol ?? "",
            extensions: compression?.answer ?? "", headers: headers)
        driver.accept(stream, line.target, info, config, compression?.agreement)
        return WebSocketConnection(driver: driver, request, clientId: stream.clientId)
    }

    private func readHead<Stream: StreamServerConnection>(
        _ stream: Stream, _ config: WebSocketServerConfig
    ) async throws(HandshakeProblem) -> [UInt8] {
        let deadline = Instant.after(config.handshakeTimeout)
        var isHTTP = true
        do throws(SocketError) {
            // What does not begin as a method does, such as the greeting of a TLS client, has no end to wait for.
            let first = try await stream.peek(upTo: 1, timeout: deadline.remaining)?.first
            isHTTP = first.map(HTTPHead.isToken) ?? true
            if isHTTP, first != nil {
                let head = try await stream.receive(
                    until: "\r\n\r\n", maxLength: config.limits.maxHeaderSize, timeout: deadline.remaining)
                if let head { return head }
            }
        } catch {
            switch error.kind {
            case .messageTooLong:
                throw HandshakeProblem("a header of more than \(config.limits.maxHeaderSize) bytes", status: 431)
            case .timedOut: throw HandshakeProblem("the header did not come in time", status: 408)
            default: break
            }
        }
        if !isHTTP { throw HandshakeProblem("what came is not HTTP") }
        stream.stream.driver.end(.flush)
        throw HandshakeProblem(ServerHost.isGone)
    }

    private func answerPlainly<Stream: StreamServerConnection>(
        _ stream: Stream, _ request: WebSocketRequest, _ config: WebSocketServerConfig
    ) async throws(HandshakeProblem) {
        guard let respond = config.respond else { throw HandshakeProblem("this is a WebSocket server", status: 426) }
        guard request.method == "GET" || request.method == "HEAD" else {
            throw HandshakeProblem("the method \(request.method) is not known", status: 405)
        }
        _ = await send(await respond(request).encoded(isHead: request.method == "HEAD"), to: stream, config)
        await stream.close()
    }

    private func refuse<Stream: StreamServerConnection>(
        _ stream: Stream, _ response: WebSocketResponse, _ config: WebSocketServerConfig
    ) async {
        _ = await send(response.encoded(), to: stream, config)
        await stream.close()
    }

    private func send<Stream: StreamServerConnection>(
        _ bytes: [UInt8], to stream: Stream, _ config: WebSocketServerConfig
    ) async -> Bool {
        do throws(SocketError) {
            try await stream.send(bytes, timeout: config.handshakeTimeout)
            return true
        } catch {
            stream.stream.driver.end(.reset)
            return false
        }
    }
}

extension WebSocketDriver {
    /// A server's connection whose handshake is done. Nothing is read before `startReading`.
    func accept(
        _ stream: any StreamSocket, _ url: String, _ info: WebSocketOpenInfo, _ config: WebSocketServerConfig,
        _ agreement: CompressionAgreement?
    ) {
        let terms = Link.Terms(
            isServer: true, limits: config.limits, closeTimeout: config.closeTimeout, pingInterval: config.pingInterval,
            pongTimeout: config.pongTimeout, compression: config.compression, agreement: agreement)
        withState { state in
            state.readyState = .open
            state.url = url
            state.openInfo = info
            state.windowBits = agreement?.serverMaxWindowBits
        }
        stream.stream.driver.isPaused = true
        service { attach(Link(stream, terms)) }
    }

    /// Lets messages in: the first listeners, or the handler, are in place.
    func startReading() {
        post { [self] in
            if let link, !withState({ $0.isStalled }) { link.driver.isPaused = false }
        }
    }
}
