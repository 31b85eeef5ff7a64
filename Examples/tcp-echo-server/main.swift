import HarmonySocket

let arguments = CommandLine.arguments
func value(_ name: String) -> String? { arguments.firstIndex(of: name).map { arguments[$0 + 1] } }
let style = value("--style") ?? "events"
let group = SocketEventLoopGroup(count: Int(value("--loops") ?? "1") ?? 1)
let server = TCPSocketServer(group: group)
try await server.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
try await server.listen(NetAddress(value("--host") ?? "127.0.0.1", port: Int(value("--port") ?? "0") ?? 0), backlog: 4096)
switch style {
case "events":
    server.on(.connect) { client in
        client.on(.message) { message in client.send(message.message) { _ in } }
    }
case "callback":
    server.on(.connect) { client in
        @Sendable func next() {
            client.receive { result in
                guard case .success(let message?) = result else { return client.close { _ in } }
                client.send(message.message) { result in
                    if case .success = result { next() }
                }
            }
        }
        next()
    }
default: break
}
print("listening on \(server.localAddress!)")
import Glibc
fflush(nil)
if style == "async" {
    try await server.serve { client in
        for try await message in client.messages { try await client.send(message.message) }
    }
} else {
    while true { try await Task.sleep(for: .seconds(1000)) }
}
