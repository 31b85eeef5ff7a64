import HarmonySocket
import Testing

@Suite(.bounded) struct SocketMessageInfoTests {
    private func receive(_ bytes: [UInt8]) async throws -> SocketMessageInfo {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        try await first.send(bytes, to: secondAddress)
        let message = try await second.receive(timeout: .seconds(20))
        await first.close()
        await second.close()
        return message
    }

    @Test func text_isNilUnlessTheBytesAreWholeUTF8() async throws {
        #expect(try await receive(Array("é€😀".utf8)).text == "é€😀")
        #expect(try await receive([]).text == "")
        #expect(try await receive([0xc3]).text == nil)
        #expect(try await receive([0xff, 0x41]).text == nil)
        #expect(try await receive([0xed, 0xa0, 0x80]).text == nil)
        #expect(try await receive([0xef, 0xbb, 0xbf, 0x41]).text == "\u{FEFF}A")
        #expect(try await receive([0x41, 0x00]).text == "A\0")
    }

    @Test func equality_isOfBytesAndSender() async throws {
        let (first, _, second, secondAddress) = try await makeUDPPair()
        for text in ["a", "a", "b"] { try await first.send(text, to: secondAddress) }
        let messages = [
            try await second.receive(timeout: .seconds(20)), try await second.receive(timeout: .seconds(20)),
            try await second.receive(timeout: .seconds(20)),
        ]
        #expect(messages[0] == messages[1])
        #expect(messages[0] != messages[2])
        #expect(Set(messages).count == 2)
        await first.close()
        await second.close()
    }

    @Test func closeInfo_saysWhetherAnErrorEndedTheSocket() async throws {
        for isReset in [false, true] {
            let pair = try await makeTCPPair()
            let infos = EventRecorder<SocketCloseInfo>()
            pair.client.on(.close) { infos.record($0) }
            pair.client.on(.message) {}
            if isReset { await pair.connection.reset() } else { await pair.connection.close() }
            let info = try #require(try await infos.wait(count: 1).first)
            #expect(info.hadError == isReset)
            #expect(info.error?.kind == (isReset ? .connectionReset : nil))
            #expect(info == info)
            await pair.close()
        }
    }
}
