import HarmonySocket
import Testing

/// What happened to a socket, as text.
typealias EventLog = EventRecorder<String>

/// The two kinds of stream sockets, which share their methods.
enum Side: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case client = "TCPSocket"
    case connection = "TCPSocketConnection"

    var testDescription: String { rawValue }
}

extension TCPPair {
    /// The socket under test.
    func tested(_ side: Side) -> any StreamSocket & InternetSocket { side == .client ? client : connection }
    /// The socket at the other end.
    func other(_ side: Side) -> any StreamSocket & InternetSocket { side == .client ? connection : client }
}

/// A connection, one end of which is under test: what is told to it is written down.
struct TestedEnd: Sendable {
    let pair: TCPPair
    let socket: any StreamSocket & InternetSocket
    let other: any StreamSocket & InternetSocket
    let log = EventLog()

    init(_ side: Side, recordsMessages: Bool = false) async throws {
        pair = try await makeTCPPair()
        socket = pair.tested(side)
        other = pair.other(side)
        record(socket, in: log)
        if recordsMessages { recordMessages(socket, in: log) }
    }

    /// Checks what was told, once the loop has nothing more to tell.
    func expect(_ events: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await settle(socket.eventLoop)
        #expect(log.events == events, sourceLocation: sourceLocation)
    }

    func close() async { await pair.close() }
}

/// Writes every event but `message` of a stream socket into a log: "end", "close", "close:timedOut", "error:KIND", ...
func record(_ socket: some StreamSocket, in log: EventLog) {
    socket.on(.end) { log.record("end") }
    socket.on(.close) { log.record($0.error.map { "close:\($0.kind)" } ?? "close") }
    socket.on(.error) { log.record("error:\($0.kind)") }
    socket.on(.drain) { log.record("drain") }
    socket.on(.timeout) { log.record("timeout") }
}

/// Writes the `message` events of a stream socket into a log: "message:TEXT".
func recordMessages(_ socket: some StreamSocket, in log: EventLog) {
    socket.on(.message) { log.record("message:\($0.text ?? "-")") }
}

/// Writes every event of a datagram socket into a log.
func record(_ socket: UDPSocket, in log: EventLog) {
    socket.on(.message) { log.record("message:\($0.text ?? "-")") }
    socket.on(.listening) { log.record("listening") }
    socket.on(.close) { log.record("close") }
    socket.on(.error) { log.record("error:\($0.kind)") }
    socket.on(.drain) { log.record("drain") }
    socket.on(.timeout) { log.record("timeout") }
}

/// Returns when the loop of a socket has done everything that was handed to it before.
func settle(_ loop: SocketEventLoop) async throws {
    // Twice: what the first round finds may hand in more.
    for _ in 0..<2 {
        let done = Outcome<Void>()
        loop.execute { done.set(.success(())) }
        try await within(.seconds(20), "the loop") { try await done.value }
    }
}

/// Starts a task on the loop of a socket, and returns when it waits there: what `body` awaits first, it awaits now.
func startWaiting<Value: Sendable>(
    on loop: SocketEventLoop, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Task<Value, any Error> {
    let task = Task(executorPreference: loop) { try await body() }
    try await settle(loop)
    return task
}

/// All bytes of the messages until the peer's end.
func readAll(_ socket: any StreamSocket) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let message = try await socket.receive(timeout: .seconds(20)) { bytes += message.message }
    return bytes
}

/// Exactly this many bytes; fewer only at the peer's end.
func read(_ count: Int, from socket: any StreamSocket) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let message = try await socket.receive(timeout: .seconds(20)) {
        bytes += message.message
    }
    return bytes
}

/// Bytes whose order shows: lost, doubled or swapped ones differ.
func pattern(_ count: Int) -> [UInt8] {
    // With no room the count would be written to the standard library's one empty array, and the thread sanitizer sees it.
    if count == 0 { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }
        filled = count
    }
}
