@testable import HarmonyWebSocket

extension Target {
    /// Compressed data, right and wrong; and that what we compress comes out again.
    static let webSocketCompression = Target(name: "websocket-compression") { input in
        let isRoundTrip = input.flag()
        let keepsContext = input.flag()
        let windowBits = 9 + input.choice(below: 7)
        let cuts = input.cuts()
        let middle = min(input.choice(below: 256), input.bytes.count)
        if isRoundTrip {
            let level = 1 + input.choice(below: 9)
            let memoryLevel = 1 + input.choice(below: 9)
            let bytes = input.bytes
            let parts = [Array(bytes[..<min(middle, bytes.count)]), Array(bytes[min(middle, bytes.count)...])]
            let deflater = Deflater(
                windowBits: windowBits, keepsContext: keepsContext, level: level, memoryLevel: memoryLevel)
            checkRoundTrip(parts, deflater, windowBits, keepsContext, cuts)
        } else {
            let limit = [0, 1, 300, 20_000, 100_000][input.choice(below: 5)]
            let bytes = input.bytes
            let messages = [Array(bytes[..<min(middle, bytes.count)]), Array(bytes[min(middle, bytes.count)...])]
            func run(_ cuts: Cuts) -> [Inflation] {
                let inflater = Inflater(windowBits: windowBits, keepsContext: keepsContext)
                return inflate(messages, inflater, limit, cuts)
            }
            let whole = run(.none)
            require(whole == run(cuts), "what comes out does not depend on the cuts")
            if bytes.count <= 1024 { require(whole == run(.everywhere), "nor on cuts everywhere") }
        }
    } seeds: {
        var seeds: [[UInt8]] = []
        let texts = ["", "hello", "hello hello hello hello", String(repeating: "abcdefgh", count: 400)]
        for (index, text) in texts.enumerated() {
            let bytes = Array(text.utf8)
            for windowBits in [9, 15] {
                let deflater = Deflater(windowBits: windowBits, keepsContext: true, level: 6, memoryLevel: 8)
                let first = bytes.withUnsafeBytes { deflater.compress($0, isLast: true) } ?? []
                let second = bytes.withUnsafeBytes { deflater.compress($0, isLast: true) } ?? []
                let middle = UInt8(clamping: first.count)
                let window = UInt8(windowBits - 9)
                seeds.append(Input.make(first + second, 0, 1, window, 0, middle, UInt8(index + 1)))
            }
            seeds.append(Input.make(bytes, 1, UInt8(index % 2), UInt8(index), 1, 8, 3, 5, 7))
        }
        // A bomb, and blocks that end it all and begin anew.
        let zeros = [UInt8](repeating: 0, count: 200_000)
        let deflater = Deflater(windowBits: 15, keepsContext: false, level: 9, memoryLevel: 8)
        let bomb = zeros.withUnsafeBytes { deflater.compress($0, isLast: true) } ?? []
        for limit in 0..<5 { seeds.append(Input.make(bomb, 0, 0, 6, 0, 255, UInt8(limit))) }
        seeds.append(Input.make([0x03, 0, 0x01, 2, 0, 0xFD, 0xFF, 0x61, 0x62, 0x03, 0], 0, 1, 6, 1, 0, 0, 3))
        return seeds
    }
}

/// What came of decompressing a message.
private struct Inflation: Equatable {
    var bytes: [UInt8] = []
    var code: WebSocketCloseCode?
}

private func inflate(_ messages: [[UInt8]], _ inflater: Inflater, _ limit: Int, _ cuts: Cuts) -> [Inflation] {
    var results: [Inflation] = []
    for message in messages {
        var result = Inflation()
        // An empty message is one empty piece.
        let ranges = message.isEmpty ? [0..<0] : cuts.ranges(of: message.count)
        for range in ranges where result.code == nil {
            message.withPiece(range) { piece in
                do throws(Violation) {
                    try inflater.append(
                        piece, isLast: range.upperBound == message.count, to: &result.bytes, limit: limit)
                } catch {
                    result.code = error.code
                }
            }
            require(result.bytes.count <= limit, "no more than the limit comes out")
        }
        if result.code != nil {
            // What was written before the error is nobody's; how much of it there is depends on the cuts.
            result.bytes = []
        }
        results.append(result)
        if result.code != nil { break }
    }
    return results
}

private func checkRoundTrip(
    _ messages: [[UInt8]], _ deflater: Deflater, _ windowBits: Int, _ keepsContext: Bool, _ cuts: Cuts
) {
    let compressed = messages.map { message -> [UInt8] in
        var output: [UInt8] = []
        let ranges = message.isEmpty ? [0..<0] : cuts.ranges(of: message.count)
        for range in ranges {
            output += message.withPiece(range) { piece in
                deflater.compress(UnsafeRawBufferPointer(piece), isLast: range.upperBound == message.count) ?? []
            }
        }
        return output
    }
    func inflater() -> Inflater { Inflater(windowBits: windowBits, keepsContext: keepsContext) }
    let longest = messages.map(\.count).max() ?? 0
    let results = inflate(compressed, inflater(), longest, cuts)
    require(results == messages.map { Inflation(bytes: $0) }, "what was compressed comes out again")
    guard let first = messages.first, !first.isEmpty else { return }
    let cut = inflate([compressed[0]], inflater(), first.count - 1, cuts)
    require(cut.first?.code == .messageTooBig, "one byte beyond the limit is refused")
}
