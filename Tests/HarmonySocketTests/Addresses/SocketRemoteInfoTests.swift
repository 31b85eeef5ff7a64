import HarmonySocket
import Testing

@Suite(.bounded) struct SocketRemoteInfoTests {
    @Test(arguments: Loopback.allCases)
    func remoteInfo_ofDatagram_isItsSenderAndSize(_ loopback: Loopback) async throws {
        let (first, firstAddress, second, secondAddress) = try await makeUDPPair(loopback)
        try await first.send([1, 2, 3], to: secondAddress)
        let info = try await second.receive(timeout: .seconds(20)).remoteInfo
        #expect(info.address == loopback.rawValue)
        #expect(info.port == firstAddress.port)
        #expect(info.family == loopback.family)
        #expect(info.size == 3)
        #expect(info.netAddress == firstAddress)
        #expect(info.description == "\(firstAddress) (3 bytes)")
        try await first.send([1, 2, 3], to: secondAddress)
        let again = try await second.receive(timeout: .seconds(20)).remoteInfo
        #expect(again == info)
        #expect(again.hashValue == info.hashValue)
        try await first.send([1], to: secondAddress)
        #expect(try await second.receive(timeout: .seconds(20)).remoteInfo != info)
        await first.close()
        await second.close()
    }

    @Test(arguments: Loopback.allCases)
    func remoteInfo_ofStream_isThePeerAndTheChunksSize(_ loopback: Loopback) async throws {
        let pair = try await makeTCPPair(loopback)
        try await pair.client.send("12345")
        let message = try #require(try await pair.connection.receive(timeout: .seconds(20)))
        #expect(message.remoteInfo.netAddress == pair.client.localAddress)
        #expect(message.remoteInfo.size == message.message.count)
        #expect(message.remoteInfo.family == loopback.family)
        await pair.close()
    }
}
