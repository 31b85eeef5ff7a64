/// What the fuzzer made up: what a peer sends and, from the end on, how it is sent and to whom. So what is in front is what a
/// peer sends, unchanged.
struct Input {
    private(set) var bytes: [UInt8]

    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// A number below `count`.
    mutating func choice(below count: Int) -> Int { Int(bytes.popLast() ?? 0) % count }

    mutating func flag() -> Bool { choice(below: 2) == 1 }

    /// Where the bytes are cut. Up to three sizes take turns; without any they come whole.
    mutating func cuts() -> Cuts {
        let count = choice(below: 4)
        return Cuts((0..<count).map { _ in Cuts.size(choice(below: 256)) })
    }

    /// The input for these bytes, with these choices in the order that they are asked for.
    static func make(_ bytes: [UInt8], _ choices: UInt8...) -> [UInt8] { bytes + choices.reversed() }
}

/// The sizes of the pieces that bytes come in.
struct Cuts {
    private let sizes: [Int]

    init(_ sizes: [Int]) { self.sizes = sizes }

    static let none = Cuts([])
    static let everywhere = Cuts([1])

    /// Small ones exactly, and a few large ones.
    static func size(_ choice: Int) -> Int { choice < 200 ? choice + 1 : (choice - 199) * 150 }

    /// The pieces of so many bytes; without bytes none.
    func ranges(of count: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while start < count {
            let size = sizes.isEmpty ? count : sizes[ranges.count % sizes.count]
            ranges.append(start..<min(count, start + size))
            start = ranges[ranges.count - 1].upperBound
        }
        return ranges
    }
}

extension [UInt8] {
    /// Lends a piece at an address where nothing else is, so that who reads beyond it is caught.
    func withPiece<Result>(_ range: Range<Int>, _ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: self[range])
        return body(copy)
    }
}
