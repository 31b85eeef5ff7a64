import HarmonySocket
import Testing

@Suite(.bounded) struct SendOptionsTests {
    /// Text with a scalar of each width, and its bytes on the wire, written down by hand.
    static let wire: [(SocketEncoding, String, [UInt8])] = [
        (.utf8, "Aé€😀", [0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]),
        (.utf16BE, "Aé€😀", [0x00, 0x41, 0x00, 0xe9, 0x20, 0xac, 0xd8, 0x3d, 0xde, 0x00]),
        (.utf16LE, "Aé€😀", [0x41, 0x00, 0xe9, 0x00, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde]),
        (.utf16, "Aé€😀", [0xfe, 0xff, 0x00, 0x41, 0x00, 0xe9, 0x20, 0xac, 0xd8, 0x3d, 0xde, 0x00]),
        (.ascii, "plain\r\n", [0x70, 0x6c, 0x61, 0x69, 0x6e, 0x0d, 0x0a]),
        (.isoLatin1, "Aéÿ", [0x41, 0xe9, 0xff]),
        (.utf8, "", []),
        (.utf16, "", [0xfe, 0xff]),
    ]

    @Test(arguments: wire)
    func encoding_isAppliedOnTheWire(_ encoding: SocketEncoding, _ text: String, _ bytes: [UInt8]) async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let options = TCPSendOptions(data: text, encoding: encoding)
        try await client.send(options)
        let result: Result<Void, SocketError> = try await answer { client.send(options, completion: $0) }
        try result.get()
        try await client.finish()
        #expect(try await blocking { try peer.receiveAll() } == bytes + bytes)
        peer.close()
        await client.close()
    }

    @Test(arguments: [(SocketEncoding.ascii, "é"), (.ascii, "\u{80}"), (.isoLatin1, "€"), (.isoLatin1, "ok 😀")])
    func textThatTheEncodingCannotExpress_isRefusedWhole(_ encoding: SocketEncoding, _ text: String) async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        let options = TCPSendOptions(data: text, encoding: encoding)
        let error = await failure { () async throws(SocketError) in try await client.send(options) }
        #expect(error?.kind == .invalidArgument)
        #expect(error?.field == "encoding")
        #expect(error?.code == 401)
        #expect(error?.operation == .send)
        #expect(error?.description.contains(encoding.rawValue) == true)
        let result: Result<Void, SocketError> = try await answer { client.send(options, completion: $0) }
        #expect(throws: SocketError.self) { try result.get() }
        try await client.send("!")
        try await client.finish()
        #expect(try await blocking { try peer.receiveAll() } == [0x21])
        peer.close()
        await client.close()
    }

    @Test func options_holdWhatTheyWereGiven() {
        #expect(TCPSendOptions(data: "a").encoding == .utf8)
        #expect(TCPSendOptions(data: "a").data == .text("a"))
        #expect(TCPSendOptions(data: [1]).data == .bytes([1]))
        #expect(TCPSendOptions(data: "a") != TCPSendOptions(data: "a", encoding: .ascii))
        let address = NetAddress("::1", port: 5)
        #expect(UDPSendOptions(data: "a", address: address).data == .text("a"))
        #expect(UDPSendOptions(data: [2], address: address).address == address)
        #expect(Set([TCPSendOptions(data: "a"), TCPSendOptions(data: "a")]).count == 1)
    }

    @Test func receivedText_isDecodedInTheEncodingAskedFor() async throws {
        let (client, peer) = try await makeClientWithRawPeer()
        try await blocking { try peer.send([0xe9, 0x41]) }
        let message = try #require(try await client.receive(timeout: .seconds(20)))
        #expect(message.text == nil)
        #expect(message.text(.isoLatin1) == "éA")
        #expect(message.text(.utf16BE) == "\u{e941}")
        #expect(message.text(.ascii) == nil)
        await client.close()
    }
}
