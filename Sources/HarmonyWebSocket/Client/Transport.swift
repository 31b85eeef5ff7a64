internal import HarmonySocket
internal import HarmonyTLS
internal import SocketCore

/// Where a client's stream comes from. The one place that knows which streams there are.
struct Transport {
    let url: WebSocketURL
    let options: WebSocketOptions
    let group: SocketEventLoopGroup
    let loop: EventLoop
    let resolver: any SocketResolver

    /// A connected stream on `loop`. `begin` is told of it before it connects, so that it can be ended meanwhile.
    func connect(_ begin: (any StreamSocket) -> Void) async throws(WebSocketError) -> any StreamSocket {
        do throws(SocketError) {
            guard url.isSecure else {
                let socket = TCPSocket(group: group, loop: loop, resolver: resolver)
                begin(socket)
                try await socket.connect(to: url.address, timeout: options.connectTimeout)
                try await sendAtOnce(socket)
                return socket
            }
            let socket = TLSSocket(group: group, loop: loop, resolver: resolver)
            begin(socket)
            try await socket.connect(secureOptions)
            try await sendAtOnce(socket)
            return socket
        } catch {
            if error.kind == .invalidArgument, let field = error.field {
                // Its message names the field too.
                let message = error.message
                let problem = message.hasPrefix(field + ": ") ? message.dropFirst(field.count + 2) : message[...]
                throw WebSocketError(.invalidArgument(field, String(problem)))
            }
            throw WebSocketError(.socket(error))
        }
    }

    /// A message is whole when it is sent: there is nothing to wait for.
    private func sendAtOnce(_ socket: some StreamSocket & InternetSocket) async throws(SocketError) {
        try await socket.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
    }

    private var secureOptions: TLSConnectOptions {
        TLSConnectOptions(
            address: url.address, secureOptions: options.secureOptions, alpnProtocols: ["http/1.1"],
            skipRemoteValidation: options.skipServerCertVerification, timeout: options.connectTimeout)
    }
}
