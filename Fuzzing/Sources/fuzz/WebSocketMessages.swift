@testable import HarmonyWebSocket

extension Target {
    /// Frames and messages of a client or a server, compressed or not.
    static let webSocketMessages = Target(name: "websocket-messages") { input in
        let settings = MessageSettings(&input)
        let cuts = input.cuts()
        let whole = settings.read(input.bytes, .none)
        whole.check(settings)
        settings.compare(whole, settings.read(input.bytes, cuts))
        if input.bytes.count <= 1024 { settings.compare(whole, settings.read(input.bytes, .everywhere)) }
        settings.sendBack(whole.incoming)
    } seeds: {
        MessageSettings.all.flatMap { $0.seeds() }
    }
}

/// Who reads.
private struct MessageSettings {
    let isServer: Bool
    let compresses: Bool
    let keepsContext: Bool
    let hasSmallLimits: Bool

    init(_ input: inout Input) { self.init(input.choice(below: 16)) }

    init(_ number: Int) {
        isServer = number & 1 != 0
        compresses = number & 2 != 0
        keepsContext = number & 4 != 0
        hasSmallLimits = number & 8 != 0
    }

    static var all: [MessageSettings] { (0..<16).map(MessageSettings.init) }

    private var number: UInt8 {
        (isServer ? 1 : 0) | (compresses ? 2 : 0) | (keepsContext ? 4 : 0) | (hasSmallLimits ? 8 : 0)
    }

    var limits: WebSocketLimits {
        hasSmallLimits
            ? WebSocketLimits(maxFrameSize: 200, maxMessageSize: 300, maxFragments: 4)
            : WebSocketLimits(maxFrameSize: 1 << 17, maxMessageSize: 1 << 17, maxFragments: 100)
    }

    func read(_ bytes: [UInt8], _ cuts: Cuts) -> Reading {
        var reader = MessageReader(
            expectsMask: isServer, limits: limits,
            inflater: compresses ? Inflater(windowBits: 15, keepsContext: keepsContext) : nil)
        return Reading(&reader, bytes, cuts)
    }

    /// The same bytes, cut elsewhere, mean the same.
    func compare(_ whole: Reading, _ other: Reading) {
        require(whole.incoming == other.incoming, "what is read does not depend on the cuts")
        if whole.code == other.code { return }
        // Of decompressed data that is both too much and no text the reader says what it finds first.
        let either: Set<WebSocketCloseCode?> = [.messageTooBig, .invalidFramePayloadData]
        require(
            compresses && either.contains(whole.code) && either.contains(other.code),
            "a refusal does not depend on the cuts: \(whole), \(other)")
    }

    /// What was understood can be said again, and is understood by the other side.
    func sendBack(_ incoming: [MessageReader.Incoming]) {
        let deflater = compresses ? Deflater(windowBits: 9, keepsContext: keepsContext, level: 1, memoryLevel: 1) : nil
        let bytes = incoming.flatMap { frame(of: $0, deflater) }
        var reader = MessageReader(
            expectsMask: !isServer, limits: WebSocketLimits(maxFrameSize: 1 << 20),
            inflater: compresses ? Inflater(windowBits: 9, keepsContext: keepsContext) : nil)
        let again = Reading(&reader, bytes, Cuts([7, 64]))
        require(again.incoming == incoming && again.code == nil, "what was read can be sent: \(again)")
    }

    private func frame(of incoming: MessageReader.Incoming, _ deflater: Deflater?) -> [UInt8] {
        let opcode: Opcode
        var payload: [UInt8]
        var isCompressed = false
        switch incoming {
        case .message(let data):
            opcode = Opcode(data.kind)
            payload = data.bytes
            if let compressed = payload.withUnsafeBytes({ deflater?.compress($0, isLast: true) }) {
                payload = compressed
                isCompressed = true
            }
        case .ping(let bytes): (opcode, payload) = (.ping, bytes)
        case .pong(let bytes): (opcode, payload) = (.pong, bytes)
        case .close(let code, let reason):
            opcode = .close
            payload = code.map { [UInt8($0.rawValue >> 8), UInt8($0.rawValue & 0xff)] + reason.utf8 } ?? []
        }
        let header = FrameHeader(
            opcode: opcode, isCompressed: isCompressed, length: payload.count, mask: isServer ? nil : 0xA1B2_C3D4)
        return FrameWriter.frame(header, payload)
    }

    /// What a peer would send.
    func seeds() -> [[UInt8]] {
        let deflater = Deflater(windowBits: 15, keepsContext: keepsContext, level: 6, memoryLevel: 8)
        func frame(
            _ opcode: Opcode, _ payload: [UInt8], isFinal: Bool = true, isCompressed: Bool = false
        ) -> [UInt8] {
            FrameWriter.frame(
                FrameHeader(
                    opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, length: payload.count,
                    mask: isServer ? 0x0102_0304 : nil), payload)
        }
        func compressed(_ text: String) -> [UInt8] {
            Array(text.utf8).withUnsafeBytes { deflater.compress($0, isLast: true) } ?? []
        }
        let text = Array("gr\u{FC}\u{DF}e \u{1F389}".utf8)
        var seeds: [[UInt8]] = [
            frame(.text, text) + frame(.binary, [1, 2, 3]) + frame(.close, [3, 232] + Array("bye".utf8)),
            frame(.text, Array(text[..<9]), isFinal: false) + frame(.ping, [7])
                + frame(.continuation, Array(text[9...])),
            frame(.binary, [UInt8](repeating: 7, count: 130)) + frame(.pong, []) + frame(.close, []),
        ]
        if !hasSmallLimits { seeds.append(Array(frame(.binary, [UInt8](repeating: 9, count: 66_000)).prefix(300))) }
        if compresses {
            let parts = compressed("again and again and again")
            seeds.append(
                frame(.text, compressed("hello hello hello"), isCompressed: true)
                    + frame(.text, compressed("hello hello"), isCompressed: true))
            seeds.append(
                frame(.binary, Array(parts[..<5]), isFinal: false, isCompressed: true)
                    + frame(.continuation, Array(parts[5...])))
            seeds.append(frame(.binary, compressed(String(repeating: "x", count: 1000)), isCompressed: true))
        }
        return seeds.enumerated().map { index, bytes in
            index % 2 == 0 ? Input.make(bytes, number, 0) : Input.make(bytes, number, 2, 2, 9)
        }
    }
}

/// What a reader made of bytes.
private struct Reading {
    private(set) var incoming: [MessageReader.Incoming] = []
    private(set) var code: WebSocketCloseCode?

    init(_ reader: inout MessageReader, _ bytes: [UInt8], _ cuts: Cuts) {
        for range in cuts.ranges(of: bytes.count) where code == nil {
            bytes.withPiece(range) { read(&reader, UnsafeRawBufferPointer($0)) }
        }
    }

    private mutating func read(_ reader: inout MessageReader, _ piece: UnsafeRawBufferPointer) {
        var start = 0
        do throws(Violation) {
            while let next = try reader.next(in: piece, from: &start) {
                require(start <= piece.count, "a reader stays within what it was given")
                incoming.append(next)
            }
            require(start == piece.count, "a reader that wants more has used up what there was")
        } catch {
            require(error.code.canBeSent, "a violation has a code that the peer can be told: \(error)")
            code = error.code
        }
    }

    /// The limits hold, and nothing is let through that no peer may say.
    func check(_ settings: MessageSettings) {
        for incoming in incoming {
            switch incoming {
            case .message(let data):
                require(data.bytes.count <= settings.limits.maxMessageSize, "a message is within its limit")
                if data.kind == .text {
                    require(String(validating: data.bytes, as: UTF8.self) != nil, "a text is UTF-8")
                }
            case .ping(let bytes), .pong(let bytes):
                require(bytes.count <= FrameHeader.maxControlLength, "a control frame is short")
            case .close(let code, let reason):
                require(code?.canBeSent ?? reason.isEmpty, "a close has a code that can be sent, or none and no reason")
            }
        }
    }
}
