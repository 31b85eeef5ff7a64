import HarmonySocket
import HarmonyTLS
import Testing

@Suite("TLSSocket", .timeLimit(.minutes(1)))
struct TLSSocketTests {
    @Test("An echo in the async style: both directions, the facts, and an end that is told apart from a cut")
    func echo_async_isWhole() async throws {
        let pair = try await makeTLSPair()
        try await pair.client.send("hello")
        #expect(try await pair.connection.receive()?.text == "hello")
        try await pair.connection.send("and back")
        #expect(try await pair.client.receive()?.text == "and back")
        #expect(try await pair.client.getProtocol() == "TLSv1.3")
        #expect(try await pair.client.getRemoteCertificate().encodingFormat == .der)
        #expect(pair.connection.negotiatedProtocol == .tls13)
        #expect(try await pair.client.getCipherSuite() == pair.connection.getCipherSuite())
        #expect(pair.client.remoteCertificates.first?.names == ["localhost", "127.0.0.1", "0:0:0:0:0:0:0:1"])
        #expect(pair.connection.serverName == "localhost")
        try await pair.client.finish()
        #expect(try await pair.connection.receive() == nil)
        try await pair.connection.send("a late word")
        #expect(try await pair.client.receive()?.text == "a late word")
        await pair.close()
    }

    @Test("20 MB go through in both directions at once, and come out as they went in")
    func bulk_bothWays_isWhole() async throws {
        let pair = try await makeTLSPair()
        let bytes = pattern(20_000_000)
        async let sent: Void = pair.client.send(bytes)
        async let answered: Void = pair.connection.send(bytes)
        async let there = read(bytes.count, from: pair.connection)
        async let back = read(bytes.count, from: pair.client)
        #expect(try await there == bytes)
        #expect(try await back == bytes)
        try await sent
        try await answered
        await pair.close()
    }
}
