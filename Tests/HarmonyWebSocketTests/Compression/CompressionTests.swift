import Testing

@testable import HarmonyWebSocket

@Suite struct CompressionTests {
    private static func inflate(
        _ parts: [[UInt8]], _ inflater: Inflater, limit: Int = 1 << 20
    ) throws(Violation) -> [UInt8] {
        var output: [UInt8] = []
        for (index, part) in parts.enumerated() {
            var part = part
            try part.withUnsafeMutableBytes { bytes in
                Result { () throws(Violation) in
                    try inflater.append(bytes, isLast: index == parts.count - 1, to: &output, limit: limit)
                }
            }.get()
        }
        return output
    }

    private static func compress(_ text: String, _ deflater: Deflater) throws -> [UInt8] {
        try #require(Array(text.utf8).withUnsafeBytes { deflater.compress($0, isLast: true) })
    }

    private static func makeDeflater(bits: Int = 15, keepsContext: Bool = true) -> Deflater {
        Deflater(windowBits: bits, keepsContext: keepsContext, level: 6, memoryLevel: 8)
    }

    private static let hello = Array("Hello".utf8)

    /// RFC 7692, section 7.2.3.
    @Test func inflate_ofTheVectors_isRight() throws {
        let inflater = Inflater(windowBits: 15, keepsContext: true)
        let one: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        #expect(try CompressionTests.inflate([one], inflater) == CompressionTests.hello)
        // The second refers to the first.
        let again: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        #expect(try CompressionTests.inflate([again], inflater) == CompressionTests.hello)
        let stored: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
        #expect(try CompressionTests.inflate([stored], inflater) == CompressionTests.hello)
        // A last block, with another behind it.
        let last: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]
        #expect(try CompressionTests.inflate([last], inflater) == CompressionTests.hello)
        #expect(try CompressionTests.inflate([again], inflater) == CompressionTests.hello)
        let two: [UInt8] = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00]
        #expect(try CompressionTests.inflate([two], inflater) == CompressionTests.hello)
        #expect(try CompressionTests.inflate([[0x00]], inflater) == [])
    }

    @Test func compress_ofTheVector_isWhatTheRFCHas() throws {
        let deflater = CompressionTests.makeDeflater()
        #expect(try CompressionTests.compress("Hello", deflater) == [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00])
        #expect(try CompressionTests.compress("Hello", deflater) == [0xF2, 0x00, 0x11, 0x00, 0x00])
        #expect(try CompressionTests.compress("", deflater) == [0x00])
    }

    @Test(arguments: [9, 10, 12, 15], [true, false])
    func messages_compressedAndBack_areTheSame(_ bits: Int, _ keepsContext: Bool) throws {
        let deflater = CompressionTests.makeDeflater(bits: bits, keepsContext: keepsContext)
        let inflater = Inflater(windowBits: bits, keepsContext: keepsContext)
        var random = SplitMix(3)
        for round in 0..<60 {
            let count = Int(random.next() % 90_000)
            let bytes = (0..<count).map { index in
                round % 2 == 0 ? UInt8(truncatingIfNeeded: index / 7) : UInt8(truncatingIfNeeded: random.next())
            }
            let compressed = try #require(bytes.withUnsafeBytes { deflater.compress($0, isLast: true) })
            let half = compressed.count / 2
            let parts = [Array(compressed[..<half]), Array(compressed[half...])]
            #expect(try CompressionTests.inflate(parts, inflater) == bytes)
        }
        #expect(deflater.isActive == keepsContext)
        #expect(inflater.isActive == keepsContext)
    }

    @Test func compress_inParts_isOneMessage() throws {
        let deflater = CompressionTests.makeDeflater()
        let inflater = Inflater(windowBits: 15, keepsContext: true)
        for parts in [["Hel", "lo"], ["Hello", ""], ["", "Hello"], ["H", "e", "l", "l", "o"], ["", ""]] {
            let compressed = try parts.enumerated().map { index, part in
                try #require(
                    Array(part.utf8).withUnsafeBytes { deflater.compress($0, isLast: index == parts.count - 1) })
            }
            #expect(try CompressionTests.inflate(compressed, inflater) == Array(parts.joined().utf8))
        }
    }

    @Test func inflate_beyondTheLimit_stopsThere() throws {
        let bomb = try CompressionTests.compress(
            String(repeating: "x", count: 1_000_000), CompressionTests.makeDeflater())
        #expect(bomb.count < 2000)
        let inflater = Inflater(windowBits: 15, keepsContext: true)
        do throws(Violation) {
            _ = try CompressionTests.inflate([bomb], inflater, limit: 100_000)
            Issue.record("the limit did not hold")
        } catch {
            #expect(error.code == .messageTooBig)
        }
        let fitting = Inflater(windowBits: 15, keepsContext: true)
        #expect(try CompressionTests.inflate([bomb], fitting, limit: 1_000_000).count == 1_000_000)
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF], [0xF2, 0x48, 0xCD], [0x00, 0x0A, 0x00, 0xF5, 0xFF, 0x61, 0x62, 0x63],
            [0x07], [0xF2, 0x00, 0x11, 0x00, 0x00],
        ] as [[UInt8]])
    func inflate_ofNonsense_fails(_ bytes: [UInt8]) {
        let inflater = Inflater(windowBits: 15, keepsContext: true)
        do throws(Violation) {
            let output = try CompressionTests.inflate([bytes], inflater)
            Issue.record("it was read as \(output)")
        } catch {
            #expect(error.code == .invalidFramePayloadData)
        }
    }

    @Test func forget_betweenMessages_makesTheNextOneStandAlone() throws {
        let deflater = CompressionTests.makeDeflater()
        _ = try CompressionTests.compress("Hello", deflater)
        deflater.forget()
        let alone = try CompressionTests.compress("Hello", deflater)
        #expect(
            try CompressionTests.inflate([alone], Inflater(windowBits: 15, keepsContext: true))
                == CompressionTests.hello)
    }

    // MARK: In frames

    private func reader(limit: Int = 1 << 20) -> MessageReader {
        MessageReader(
            expectsMask: true, limits: WebSocketLimits(maxMessageSize: limit),
            inflater: Inflater(windowBits: 15, keepsContext: true))
    }

    @Test func next_ofCompressedFragments_joinsThem() {
        let bytes: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        for split in 0...bytes.count {
            var reader = reader()
            let frames =
                Frames.make(1, Array(bytes[..<split]), isFinal: false, reserved: 4) + Frames.make(9, [5])
                + Frames.make(0, Array(bytes[split...]))
            #expect(reader.readAll(frames).incoming == [.ping([5]), .message(.text("Hello"))])
        }
    }

    /// The window is that of compressed messages only: others between them leave it alone.
    @Test func next_ofAnUncompressedMessageBetween_keepsTheWindow() {
        var reader = reader()
        let frames =
            Frames.make(1, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], reserved: 4) + Frames.text("between")
            + Frames.make(1, [0xF2, 0x00, 0x11, 0x00, 0x00], reserved: 4)
        #expect(
            reader.readAll(frames).incoming
                == [.message(.text("Hello")), .message(.text("between")), .message(.text("Hello"))])
    }

    @Test func next_ofACompressedContinuation_refusesTheBit() {
        var reader = reader()
        let frames = Frames.make(1, [0xF2], isFinal: false, reserved: 4) + Frames.make(0, [0x48], reserved: 4)
        #expect(reader.readAll(frames).violation?.code == .protocolError)
    }

    @Test func next_ofCompressedBytesThatAreNoText_refusesThem() throws {
        let payload = try #require(
            [UInt8]([0x61, 0xFF]).withUnsafeBytes {
                CompressionTests.makeDeflater().compress($0, isLast: true)
            })
        var reader = reader()
        #expect(reader.readAll(Frames.make(1, payload, reserved: 4)).violation?.code == .invalidFramePayloadData)
    }

    @Test func next_ofACompressionBomb_refusesItInTime() throws {
        let bomb = try CompressionTests.compress(
            String(repeating: "x", count: 1_000_000), CompressionTests.makeDeflater())
        var reader = reader(limit: 1000)
        #expect(reader.readAll(Frames.make(1, bomb, reserved: 4)).violation?.code == .messageTooBig)
    }
}
