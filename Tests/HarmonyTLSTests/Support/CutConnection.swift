import HarmonySocket
import HarmonyTLS
import Testing

/// A secure connection, with somebody in the middle of it who passes on what he sees in pieces, cuts it off, or changes it.
struct CutConnection: Sendable {
    let client: TLSSocket
    let connection: TLSSocketConnection
    private let server: TLSSocketServer
    private let middle: TCPSocketServer
    private let towardsClient: TestLock<TCPSocketConnection?>
    private let changes: TestLock<Bool>

    /// A connection whose bytes are passed on in pieces of at most this size.
    static func make(chunk: Int = .max) async throws -> CutConnection {
        let (server, port) = try await makeTLSServer()
        let accepted = EventRecorder<TLSSocketConnection>()
        server.on(.connect) { accepted.record($0) }
        let towardsClient = TestLock<TCPSocketConnection?>(nil)
        let changes = TestLock(false)
        let middle = TCPSocketServer()
        try await middle.listen(NetAddress("127.0.0.1"))
        middle.on(.connect) { near in
            towardsClient.withLock { $0 = near }
            pass(near, port, chunk, changes)
        }
        let client = TLSSocket()
        try await client.connect(clientOptions(port: try await middle.getLocalAddress().port))
        let connection = try #require(try await accepted.wait(count: 1).first)
        return CutConnection(
            client: client, connection: connection, server: server, middle: middle, towardsClient: towardsClient,
            changes: changes)
    }

    /// Ends the client's side of the connection below, as a cable that is cut would not.
    func cut() { towardsClient.withLock { $0 }?.finish { _ in } }

    /// Changes what comes from the server from here on.
    func tamper() { changes.withLock { $0 = true } }

    func close() async {
        await client.close()
        await connection.close()
        await middle.close()
        await server.close()
    }

    /// Connects the two ends, each way a task.
    private static func pass(_ near: TCPSocketConnection, _ port: Int, _ chunk: Int, _ changes: TestLock<Bool>) {
        Task {
            let far = TCPSocket()
            for socket in [near, far] as [any StreamSocket & InternetSocket] {
                try await socket.setExtraOptions(TCPExtraOptions(tcpNoDelay: true))
            }
            try await far.connect(to: NetAddress("127.0.0.1", port: port))
            async let there: Void = pass(from: near, to: far, chunk) { $0 }
            async let back: Void = pass(from: far, to: near, chunk) { bytes in
                changes.withLock { $0 } ? bytes.dropLast() + [bytes[bytes.count - 1] ^ 1] : bytes
            }
            _ = try? await (there, back)
            await far.close()
            await near.close()
        }
    }

    private static func pass(
        from source: any StreamSocket, to sink: any StreamSocket, _ chunk: Int,
        _ change: @Sendable ([UInt8]) -> [UInt8]
    ) async throws {
        while let bytes = try await source.receive() {
            let bytes = change(bytes.message)
            for start in stride(from: 0, to: bytes.count, by: min(chunk, bytes.count)) {
                try await sink.send(Array(bytes[start..<min(start + min(chunk, bytes.count), bytes.count)]))
            }
        }
        try await sink.finish()
    }

    /// What a client gets of a short greeting and its end, when the server's bytes are cut off after so many.
    static func run(cutAfter limit: Int) async throws -> (text: String, error: SocketError?, count: Int) {
        let (server, port) = try await makeTLSServer()
        server.on(.connect) { connection in
            connection.send("The end is near, ") { _ in
                connection.send("and here it is.") { _ in connection.close { _ in } }
            }
        }
        let middle = TCPSocketServer()
        try await middle.listen(NetAddress("127.0.0.1"))
        let count = TestLock(0)
        middle.on(.connect) { near in
            Task {
                let far = TCPSocket()
                try await far.connect(to: NetAddress("127.0.0.1", port: port))
                let there = Task { try await pass(from: near, to: far, .max) { $0 } }
                while let bytes = try await far.receive() {
                    let left = limit - count.withLock { $0 }
                    let part = bytes.message.prefix(left)
                    count.withLock { $0 += part.count }
                    if !part.isEmpty { try await near.send(Array(part)) }
                    if part.count < bytes.message.count { break }
                }
                try await near.finish()
                _ = try? await there.value
                await far.reset()
                await near.close()
            }
        }
        let client = TLSSocket()
        var text = ""
        var failure: SocketError?
        do throws(SocketError) {
            try await client.connect(clientOptions(port: try await middle.getLocalAddress().port))
            while let chunk = try await client.receive(timeout: .seconds(20)) { text += chunk.text ?? "" }
        } catch {
            failure = error
        }
        await client.close()
        await middle.close()
        await server.close()
        return (text, failure, count.withLock { $0 })
    }
}
