import HarmonySocket
import HarmonyTLS
import Testing

@Suite("Connections that become secure", .timeLimit(.minutes(1)))
struct UpgradeTests {
    private static var clientOptions: TLSConnectOptions {
        TLSConnectOptions(
            address: NetAddress("localhost"), secureOptions: Certificates.shared.clientOptions, timeout: .seconds(10))
    }

    private static var serverOptions: TLSConnectOptions {
        TLSConnectOptions(address: .any, secureOptions: Certificates.shared.serverOptions, timeout: .seconds(10))
    }

    @Test("Both ends of a TCP connection become secure, and go on where they were")
    func bothEnds_becomeSecure() async throws {
        let pair = try await makeTCPPair()
        try await pair.client.send("STARTTLS\r\n")
        #expect(try await pair.connection.receive(until: "\r\n") == Array("STARTTLS\r\n".utf8))
        try await pair.connection.send("go ahead\r\n")
        #expect(try await pair.client.receive(until: "\r\n") == Array("go ahead\r\n".utf8))
        async let securing = pair.connection.secureAsServer(UpgradeTests.serverOptions)
        let client = try await pair.client.secure(UpgradeTests.clientOptions)
        let connection = try await securing
        try await client.send("hello")
        #expect(try await connection.receive()?.text == "hello")
        try await connection.send("and back")
        #expect(try await client.receive()?.text == "and back")
        #expect(pair.client.state.isClose)
        #expect(pair.connection.state.isClose)
        #expect(client.remoteAddress == connection.localAddress)
        await client.close()
        await connection.close()
        await pair.close()
    }

    @Test("OpenHarmony's way: an object over the socket, its listeners, then connect")
    func openHarmonysWay_works() async throws {
        let pair = try await makeTCPPair()
        let client = try constructTLSSocketInstance(pair.client)
        let log = EventLog()
        client.on(.connect) { log.record("connect") }
        client.on(.message) { log.record("message:\($0.text ?? "")") }
        client.on(.close) { log.record("close") }
        pair.client.on(.close) { log.record("plain close") }
        async let securing = pair.connection.secureAsServer(UpgradeTests.serverOptions)
        let answer: Result<Void, SocketError> = try await answer {
            client.connect(UpgradeTests.clientOptions, completion: $0)
        }
        try answer.get()
        let connection = try await securing
        try await connection.send("hello")
        try await log.wait(for: "message:hello")
        await connection.close()
        try await log.wait(for: "close")
        // Of two sockets, neither need wait for the other.
        #expect(log.events.filter { $0 != "plain close" } == ["connect", "message:hello", "close"])
        #expect(log.events.count == 4)
        await pair.close()
    }

    @Test("Bytes that were read ahead of the upgrade are part of it: the peer need not wait for an answer")
    func bytesReadAhead_areNotLost() async throws {
        let pair = try await makeTCPPair()
        let client = try TLSSocket(over: pair.client)
        try await pair.client.send("STARTTLS\n")
        async let connecting: Void = client.connect(UpgradeTests.clientOptions)
        // So that the ClientHello is there, and is read with the line.
        try await eventually("the handshake has begun") { pair.client.state.isClose }
        try await settle(client.eventLoop)
        #expect(try await pair.connection.receive(until: "\n") == Array("STARTTLS\n".utf8))
        let connection = try await pair.connection.secureAsServer(UpgradeTests.serverOptions)
        try await connecting
        try await client.send("hello")
        #expect(try await connection.receive()?.text == "hello")
        await client.close()
        await connection.close()
        await pair.close()
    }

    @Test(
        "What was queued before the upgrade goes before it: a send that waits for room, and a receive that waits for bytes"
    )
    func queuedWork_goesBefore() async throws {
        let pair = try await makeTCPPair()
        let bytes = pattern(8_000_000)
        async let sending: Void = pair.client.send(bytes)
        try await eventually("the send is queued") { pair.client.bufferedAmount > 0 }
        async let answered = pair.client.receive()
        try await settle(pair.client.eventLoop)
        async let securing = pair.client.secure(UpgradeTests.clientOptions)
        try await eventually("the upgrade has begun") { !pair.client.canSend }
        let late = await failure { () throws(SocketError) in try await pair.client.send("too late") }
        #expect(late?.kind == .closed)
        #expect(try await read(bytes.count, from: pair.connection) == bytes)
        try await pair.connection.send("ready")
        #expect(try await answered?.text == "ready")
        try await sending
        let connection = try await pair.connection.secureAsServer(UpgradeTests.serverOptions)
        let client = try await securing
        try await client.send("hello")
        #expect(try await connection.receive()?.text == "hello")
        await client.close()
        await connection.close()
        await pair.close()
    }

    @Test("An upgrade that ran out of time before it had the connection leaves it as it was")
    func timeout_beforeTakingOver_leavesTheSocket() async throws {
        let pair = try await makeTCPPair()
        async let waiting = pair.client.receive()
        try await settle(pair.client.eventLoop)
        var options = UpgradeTests.clientOptions
        options.timeout = .milliseconds(100)
        let brief = options
        let error = await failure { () throws(SocketError) in try await pair.client.secure(brief) }
        #expect(error?.kind == .timedOut)
        #expect(pair.client.state.isConnected)
        try await pair.connection.send("still here")
        #expect(try await waiting?.text == "still here")
        try await pair.client.send("yes")
        #expect(try await pair.connection.receive()?.text == "yes")
        await pair.close()
    }

    @Test("An upgrade whose connection ends meanwhile fails as that did")
    func reset_duringTakingOver_failsTheUpgrade() async throws {
        let pair = try await makeTCPPair()
        let waiting = Task { try await pair.client.receive() }
        try await settle(pair.client.eventLoop)
        let securing = Task { try await pair.client.secure(UpgradeTests.clientOptions) }
        try await eventually("the upgrade has begun") { !pair.client.canSend }
        await pair.connection.reset()
        await #expect(throws: SocketError.self) { try await waiting.value }
        do {
            _ = try await securing.value
            Issue.record("it succeeded")
        } catch let error as SocketError {
            #expect(error.kind == .connectionReset)
        }
        await pair.close()
    }

    @Test("Only a connected socket can become secure, once, and no secure one gives its connection away")
    func upgrades_thatDoNotFit_areRefused() async throws {
        #expect(throws: SocketError.self) { try TLSSocket(over: TCPSocket()) }
        do {
            _ = try TLSSocket(over: TCPSocket())
        } catch {
            #expect(error.code == 2_303_602)
        }
        let pair = try await makeTLSPair()
        let error = await failure { () throws(SocketError) in try await pair.client.detach() }
        #expect(error?.kind == .invalidState)
        #expect(pair.client.state.isConnected)
        await pair.close()
    }
}
