import Testing

@testable import HarmonyWebSocket

@Suite struct MessageReaderTests {
    typealias Incoming = MessageReader.Incoming

    /// What a server makes of a client's bytes.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        var incoming: [Incoming] = []
        var code: WebSocketCloseCode?

        init(_ name: String, _ bytes: [UInt8], _ incoming: [Incoming] = [], fails code: WebSocketCloseCode? = nil) {
            testDescription = name
            self.bytes = bytes
            self.incoming = incoming
            self.code = code
        }
    }

    static let pattern = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    static let rows: [Row] = [
        Row("a text", Frames.text("hello"), [.message(.text("hello"))]),
        Row("an empty text", Frames.text(""), [.message(.text(""))]),
        Row("an empty binary message", Frames.make(2), [.message(.binary([]))]),
        Row("125 bytes", Frames.make(2, Array(pattern[..<125])), [.message(.binary(Array(pattern[..<125])))]),
        Row("126 bytes", Frames.make(2, Array(pattern[..<126])), [.message(.binary(Array(pattern[..<126])))]),
        Row("65,535 bytes", Frames.make(2, Array(pattern[..<65_535])), [.message(.binary(Array(pattern[..<65_535])))]),
        Row("65,536 bytes", Frames.make(2, Array(pattern[..<65_536])), [.message(.binary(Array(pattern[..<65_536])))]),
        Row(
            "two messages", Frames.text("a") + Frames.make(2, [7]), [.message(.text("a")), .message(.binary([7]))]),
        Row(
            "a text in two fragments", Frames.make(1, [0x61], isFinal: false) + Frames.make(0, [0x62]),
            [.message(.text("ab"))]),
        Row(
            "fragments that are empty",
            Frames.make(2, [], isFinal: false) + Frames.make(0, [], isFinal: false) + Frames.make(0),
            [.message(.binary([]))]),
        Row(
            "a ping between fragments",
            Frames.make(1, [0x61], isFinal: false) + Frames.make(9, [9]) + Frames.make(0, [0x62]),
            [.ping([9]), .message(.text("ab"))]),
        Row(
            "a close between fragments", Frames.make(1, [0x61], isFinal: false) + Frames.close(1000),
            [.close(.normalClosure, reason: "")]),
        Row("an empty ping", Frames.make(9), [.ping([])]),
        Row("a ping of 125 bytes", Frames.make(9, Array(pattern[..<125])), [.ping(Array(pattern[..<125]))]),
        Row("a pong that nobody asked for", Frames.make(10, [1, 2]), [.pong([1, 2])]),
        Row(
            "a character that is split between fragments",
            Frames.make(1, [0xF0, 0x9F], isFinal: false) + Frames.make(0, [0x8E, 0x89]), [.message(.text("🎉"))]),
        Row("a close without a code", Frames.make(8), [.close(nil, reason: "")]),
        Row("a close with a reason", Frames.close(1001, "gehe"), [.close(.goingAway, reason: "gehe")]),
        Row("a close of a program", Frames.close(4999), [.close(.init(rawValue: 4999), reason: "")]),

        Row("RSV1 without compression", Frames.make(1, [0x61], reserved: 4), fails: .protocolError),
        Row("RSV2", Frames.make(1, [0x61], reserved: 2), fails: .protocolError),
        Row("RSV3", Frames.make(2, [0x61], reserved: 1), fails: .protocolError),
        Row("RSV1 of a ping", Frames.make(9, [], reserved: 4), fails: .protocolError),
        Row("opcode 3", Frames.make(3), fails: .protocolError),
        Row("opcode 7", Frames.make(7), fails: .protocolError),
        Row("opcode 11", Frames.make(11), fails: .protocolError),
        Row("opcode 15", Frames.make(15), fails: .protocolError),
        Row("a ping of 126 bytes", Frames.make(9, Array(pattern[..<126])), fails: .protocolError),
        Row(
            "a close of 126 bytes", Frames.make(8, [0x03, 0xE8] + [UInt8](repeating: 0x61, count: 124)),
            fails: .protocolError),
        Row("a ping in fragments", Frames.make(9, [1], isFinal: false), fails: .protocolError),
        Row("a continuation of nothing", Frames.make(0, [1]), fails: .protocolError),
        Row(
            "a continuation behind a whole message", Frames.text("a") + Frames.make(0, [1]), [.message(.text("a"))],
            fails: .protocolError),
        Row(
            "a message within a message", Frames.make(1, [0x61], isFinal: false) + Frames.make(1, [0x62]),
            fails: .protocolError),
        Row("no mask", Frames.text("a", mask: nil), fails: .protocolError),
        Row("a length of 125 written in 16 bits", [0x82, 0xFE, 0, 125, 0, 0, 0, 0], fails: .protocolError),
        Row(
            "a length of 65,535 written in 64 bits", [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], fails: .protocolError),
        Row("a length of 2 to the 63rd", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], fails: .protocolError),
        Row("a length of almost that", [0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255], fails: .messageTooBig),
        Row("text that is not UTF-8", Frames.make(1, [0x61, 0xFF]), fails: .invalidFramePayloadData),
        Row("text that ends within a character", Frames.make(1, [0xC3]), fails: .invalidFramePayloadData),
        Row(
            "text that cannot go on", Frames.make(1, [0xE0, 0x80], isFinal: false), fails: .invalidFramePayloadData),
        Row("a close of one byte", Frames.make(8, [3]), fails: .protocolError),
        Row("a close with a false reason", Frames.make(8, [3, 0xE8, 0xC0, 0x80]), fails: .invalidFramePayloadData),
    ]

    @Test(arguments: rows) func next_readsOrRefuses(_ row: Row) {
        for size in [Int.max, 1, 2, 3, 7, 64, 4096] where size > 64 || row.bytes.count < 1000 {
            var reader = MessageReader(expectsMask: true, limits: WebSocketLimits())
            let (incoming, violation) = reader.readAll(row.bytes, inChunksOf: size)
            #expect(incoming == row.incoming, "in chunks of \(size)")
            #expect(violation?.code == row.code, "in chunks of \(size): \(violation?.problem ?? "")")
        }
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    func next_refusesACloseWithACodeThatNobodySends(_ code: Int) {
        var reader = MessageReader(expectsMask: true, limits: WebSocketLimits())
        #expect(reader.readAll(Frames.close(code)).violation?.code == .protocolError)
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    func next_readsACloseWithACodeThatMayBeSent(_ code: Int) {
        var reader = MessageReader(expectsMask: true, limits: WebSocketLimits())
        #expect(reader.readAll(Frames.close(code)).incoming == [.close(.init(rawValue: code), reason: "")])
    }

    @Test func next_ofAClient_refusesAMask() {
        var reader = MessageReader(expectsMask: false, limits: WebSocketLimits())
        #expect(reader.readAll(Frames.text("a")).violation?.code == .protocolError)
        reader = MessageReader(expectsMask: false, limits: WebSocketLimits())
        #expect(reader.readAll(Frames.text("a", mask: nil)).incoming == [.message(.text("a"))])
    }

    @Test func next_beyondALimit_refusesAtTheHeader() {
        let limits = WebSocketLimits(maxFrameSize: 1000, maxMessageSize: 1500, maxFragments: 3)
        func violation(_ bytes: [UInt8]) -> Violation? {
            var reader = MessageReader(expectsMask: true, limits: limits)
            return reader.readAll(bytes).violation
        }
        let part = [UInt8](repeating: 1, count: 1000)
        let first = Frames.make(2, part, isFinal: false)
        #expect(violation(Frames.make(2, part)) == nil)
        // Not a byte of the payload is there.
        #expect(violation(Array(Frames.make(2, part + [1]).prefix(8)))?.code == .messageTooBig)
        #expect(violation(first + Array(Frames.make(0, Array(part[..<501])).prefix(8)))?.code == .messageTooBig)
        #expect(violation(first + Frames.make(0, Array(part[..<500]))) == nil)
        let empty = Frames.make(0, [], isFinal: false)
        #expect(violation(first + empty + empty) == nil)
        #expect(violation(first + empty + empty + empty)?.code == .policyViolation)
    }

    @Test func next_afterMessages_hasForgottenThem() {
        var reader = MessageReader(expectsMask: true, limits: WebSocketLimits(maxMessageSize: 10, maxFragments: 1))
        for _ in 0..<100 {
            #expect(reader.readAll(Frames.make(2, [UInt8](repeating: 3, count: 10))).incoming.count == 1)
        }
    }
}
