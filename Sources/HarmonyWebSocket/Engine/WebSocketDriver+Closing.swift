internal import HarmonySocket
internal import SocketCore

// The end of a connection, and of a WebSocket. On the loop, but for `close`.
extension WebSocketDriver {
    /// Sends a close frame, and returns when the connection has ended: by the peer's frame, or the close time-out.
    func close(_ frame: ClosingMachine.Frame) async {
        _ = await Waiter.wait { close(frame, $0) }
    }

    /// The completion form.
    func close(_ frame: ClosingMachine.Frame, _ body: @escaping @Sendable () -> Void) {
        close(frame, .handler { _ in body() })
    }

    private func close(_ frame: ClosingMachine.Frame, _ waiter: Waiter) {
        let isOver = withState { state in
            if state.readyState == .closed { return true }
            state.closers.append(waiter)
            return false
        }
        if isOver { return complete { waiter.resume() } }
        post { [self] in beginClosing(frame) }
    }

    /// The program closes.
    func beginClosing(_ frame: ClosingMachine.Frame) {
        let (readyState, readers) = withState { state in
            state.isClosedByUs = true
            return (state.readyState, state.takeReaders { _ in true })
        }
        if let link {
            perform(link.closing.close(frame), link)
            if link.hasStreamEnded { finish(link, nil) }
        } else if readyState == .connecting {
            client?.abort()
        } else if readyState == .invalid {
            end(WebSocketCloseInfo(code: .abnormalClosure, reason: "", wasClean: false, error: nil))
        }
        for reader in readers { reader.resume() }
    }

    /// Ends the connection at once, without a close frame: the peer sees a reset.
    func reset() {
        withState { $0.isClosedByUs = true }
        if let link { link.driver.end(.reset) } else { client?.abort() }
    }

    /// Does what the closing handshake asks for.
    func perform(_ action: ClosingMachine.Action, _ link: Link) {
        if case .nothing = action { return }
        // Before the frame is out: who sees it finds us closing.
        let isStalled = withState { state in
            if state.readyState == .open { state.readyState = .closing }
            return state.isStalled
        }
        switch action {
        case .send(let frame), .sendAndAwaitEnd(let frame):
            sendControl(.close, frame.payload, link)
            link.closeDeadline = Instant.now.advanced(by: link.closeTimeout)
        case .sendAndEnd(let frame):
            sendControl(.close, frame.payload, link)
            link.driver.end(.flush)
        case .end: link.driver.end(.flush)
        case .nothing, .awaitEnd: break
        // What is queued has had its time.
        case .giveUp: link.driver.end(link.driver.bufferedAmount == 0 ? .flush : .reset)
        }
        // The peer's close frame is wanted, also where nothing was read yet.
        if !isStalled { link.driver.isPaused = false }
    }

    /// The connection has ended; `cause`: what broke it.
    func finish(_ link: Link, _ cause: SocketError?) {
        guard self.link === link else { return }
        self.link = nil
        let info = link.closing.info(cause)
        let isClosedByUs = withState { state in
            state.stream = nil
            return state.isClosedByUs
        }
        if isClosedByUs || client?.reconnect(after: info, self) != true { end(info) }
        // Those who waited for a message in fragments are told that there is no connection.
        let heldBack = link.heldBack
        link.heldBack = []
        for call in heldBack { call() }
    }

    /// The WebSocket has ended.
    func end(_ info: WebSocketCloseInfo) {
        let readers = withState { $0.end(info) }
        for reader in readers { reader.resume() }
        client?.end()
        requestTurn()
    }
}
