internal import HarmonySocket
internal import SocketCore

// From nothing to an open connection, on the loop.
extension WebSocketDriver {
    /// Connects as a client.
    func connect(_ part: ClientPart, _ url: String) async throws(WebSocketError) {
        try begin(url)
        client = part
        do throws(WebSocketError) {
            try await part.establish(self)
        } catch {
            service { failedToConnect(error) }
            throw error
        }
        await whenTold()
    }

    /// A WebSocket connects once.
    func begin(_ url: String) throws(WebSocketError) {
        try withState { state throws(WebSocketError) in
            switch state.readyState {
            case .invalid:
                state.readyState = .connecting
                state.url = url
            case .connecting, .open, .closing: throw WebSocketError(.alreadyConnected)
            case .closed: throw WebSocketError(.closed)
            }
        }
    }

    /// The handshake is done.
    func opened(_ info: WebSocketOpenInfo, _ link: Link) {
        service {
            attach(link)
            withState { state in
                state.readyState = .open
                state.openInfo = info
                state.queue.emit(.headerReceive(info.headers))
                state.queue.emit(.open(info))
            }
        }
    }

    /// There is no connection, and none will be made.
    func failedToConnect(_ error: WebSocketError) {
        // Before it was ever open, the call of connect reports the error; an attempt to come back has no call.
        let wasOpen = withState { $0.openInfo != nil }
        let code: WebSocketCloseCode = error.isOfTLSHandshake ? .tlsHandshake : .abnormalClosure
        let info = WebSocketCloseInfo(code: code, reason: "", wasClean: false, error: error)
        if !wasOpen { withState { $0.isClosedByUs = true } }
        end(info)
    }

    /// The connection was lost, and will be made again.
    func willReconnect(_ info: WebSocketReconnectInfo) {
        withState { state in
            state.readyState = .connecting
            state.stream = nil
            state.queue.emit(.reconnecting(info))
        }
        requestTurn()
    }
}
