import ExampleSupport
import HarmonySocket
import HarmonyWebSocket

let arguments = Arguments(
    words: ["URL"], flags: ["--echo", "--no-compression", "--insecure"],
    help: """
        ws-client URL: sends each line of standard input as a message, and prints each message that comes as a line.

          --protocol NAME     a subprotocol to offer
          --header LINE       a header field for the request, as "Name: value"
          --timeout SECONDS   for connecting (10)
          --ping SECONDS      ping a server that is silent for so long; 0 is never (0)
          --max-message N     the largest message, in bytes (16777216)
          --ca FILE           of wss://: trust these certificates (PEM), and not those of the system
          --cert FILE         of wss://: show this certificate (PEM) to a server that asks for one
          --key FILE          its private key
          --insecure          of wss://: do not check who the server is
          --no-compression    do not offer permessage-deflate
          --echo              send every message back, and read no input, until the server closes

        Prints how many bytes a binary message has. At the end of input it waits for the answer to a ping, and closes. Ends
        too when the server closes: with status 1 if that was for a reason other than 1000 (normal) or 1001 (going away).
        """)
let limit = arguments.number("--max-message", in: 125...1 << 40, default: 16 << 20)
var options = WebSocketOptions(
    limits: WebSocketLimits(maxFrameSize: limit, maxMessageSize: limit),
    connectTimeout: arguments.seconds("--timeout", default: 10))
if arguments.has("--protocol") { options.subprotocols = [arguments.text("--protocol")] }
if arguments.has("--header") {
    let parts = arguments.text("--header").split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { fail("--header: a name, a colon and a value", status: 2) }
    options.headers.append(String(parts[0]), String(parts[1].drop { $0 == " " }))
}
if arguments.has("--ca") { options.caPath = arguments.text("--ca") }
if arguments.has("--cert") {
    options.clientCert = WebSocketClientCert(certPath: arguments.text("--cert"), keyPath: arguments.text("--key"))
}
options.skipServerCertVerification = arguments.has("--insecure")
let interval = arguments.seconds("--ping", default: 0)
if interval > .zero { options.pingInterval = interval }
if !arguments.has("--no-compression") { options.compression = WebSocketCompression() }

let webSocket = WebSocket()
Task {
    await StopRequest().wait()
    await webSocket.close()
    leave(status: 0)
}
do {
    try await webSocket.connect(arguments.text("URL"), options)
    if arguments.has("--echo") {
        for try await message in webSocket.messages { try await webSocket.send(message) }
    } else {
        let upload = Task {
            var line: [UInt8] = []
            for await chunk in StandardInput() {
                line += chunk
                while let end = line.firstIndex(of: UInt8(ascii: "\n")) {
                    try await webSocket.send(String(decoding: line[..<end], as: UTF8.self))
                    line.removeSubrange(...end)
                }
            }
            if !line.isEmpty { try await webSocket.send(String(decoding: line, as: UTF8.self)) }
            // What a server answers at once comes before its answer to a ping.
            webSocket.once(.pong) { webSocket.close { _ in } }
            try await webSocket.ping()
        }
        for try await message in webSocket.messages {
            await StandardOutput.write(Array((message.text ?? "(\(message.bytes.count) bytes)").utf8) + [0x0A])
        }
        upload.cancel()
    }
} catch {
    fail("\(error)")
}
await webSocket.close()
if let code = webSocket.closeCode, ![.normalClosure, .goingAway, .noStatusReceived].contains(code) {
    fail("closed: \(code) \(webSocket.closeReason)")
}
